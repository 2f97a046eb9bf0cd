"""FuseBatchNorm: a trained model without its batch normalisations, computing the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

if TYPE_CHECKING:
    from snn_kernel import Context, Measure, Outcome, Processed, Session, Splits


@frozen
class FuseBatchNorm:
    """Folds every batch normalisation that directly follows a convolution or linear layer into it.

    The layer before gains a bias, all other names stay; the model's name gains "_fused". What
    follows works on the fused model, which is evaluated anew; its parameters are counted.

    evaluate: also count the test samples for which the fused model decides for another class, which
        rounding alone can cause (default true).
    """

    example_beside: ClassVar[Mapping[str, Any]] = {
        "framework": {"kind": "SpikingJelly"},
        "model": {"kind": "SCNN", "params": {"batch_norm": True}},
    }

    evaluate: bool = True

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """The fused copy; the model given stays as it is. RunError where it cannot be traced."""
        from snn_fuse_batchnorm.fusion import fused
        from snn_kernel import Outcome

        fusion = fused(processed.model)
        if fusion.left:
            context.warn(
                f"{processed.name}: not fused: {', '.join(fusion.left)} (no convolution or linear "
                "layer directly before, or others read that layer too)"
            )
        if not fusion.folded:
            context.warn(f"{processed.name}: there was no batch normalisation to fuse")
        measures = tuple(self._measures(processed, fusion.model, splits, session))
        return Outcome(measures, model=fusion.model, suffix="_fused")

    def _measures(
        self, processed: Processed, model: Any, splits: Splits, session: Session
    ) -> Iterator[Measure]:
        from snn_kernel import Measure

        source, count = "FuseBatchNorm", sum(p.numel() for p in model.parameters())
        yield Measure("parameters", count, "", "counted", "run", source)
        if not self.evaluate:
            return
        test = splits.samples("test")
        before = processed.prediction or session.predict(processed.model, test)
        found, after = before.logits.argmax(axis=1), session.predict(model, test).logits
        changed = int((found != after.argmax(axis=1)).sum())
        yield Measure("decisions_changed", changed, "", "counted", "run", source)
