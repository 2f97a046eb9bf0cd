"""QuantizationAwareTraining: a trained model quantised, calibrated, and trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import asdict, evolve, field, frozen
from attrs.validators import ge

from snn_kernel import ConfigError, Fault
from snn_kernel.config import Checker
from snn_kernel.plan import Optimizer
from snn_kernel.registry import Registry
from snn_quantization.settings import QuantParams

if TYPE_CHECKING:
    from snn_kernel import Context, Outcome, Processed, Session, Splits, Table, Trained
    from snn_kernel.results import Prediction


@frozen
class Rounded:
    """The table params.model.params: how the model is to be quantised."""

    quant_params: QuantParams


@frozen
class Changed:
    """The table params.model: what of the model changes."""

    params: Rounded


@frozen(kw_only=True)
class QuantizationAwareTraining:
    """Quantises a trained model by the fixed-point law, and trains it on as it will be deployed.

    Every layer gets its quantising form, with the weights that it has. One pass through the
    training set, without learning, sets the ranges ("PTQ", post-training quantisation); then the
    model is trained for `epochs` more ("QAT"), with weights, activations and membrane potentials
    rounded as in deployment, and gradients that pass the rounding straight through (Jacob et al.,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
    CVPR 2018). The table "quantization" has the metrics before, after PTQ and after QAT. What
    follows works on the quantised model, whose name gains
    _q<bits>_force_q<off or bits>_e<epochs>_LSQ<True or False>. In [[model]], `update.quant_params`
    changes keys for that model alone.

    model: {params = {quant_params = {…}}}, how to quantise; the keys of quant_params are those of
        a quantised model.
    epochs: of training after calibration; 0 leaves it at that (default 1).
    batch_size: of calibration and training (default 32).
    optimizer: {kind, params, scheduler} as in [[model]] (default: the model's own).
    evaluate_before: also tell how the model was as it came (default true).
    """

    example: ClassVar[Mapping[str, Any]] = {
        "batch_size": 8,
        "model": {"params": {"quant_params": {"bits": 8}}},
    }
    example_beside: ClassVar[Mapping[str, Any]] = {
        "framework": {"kind": "SpikingJelly"},
        "model": {"kind": "SCNN", "params": {"batch_norm": True}},
    }

    updates: ClassVar[tuple[str, ...]] = ("quant_params",)  # what of [[model]] update it reads

    model: Changed
    epochs: int = field(default=1, validator=ge(0))
    batch_size: int = field(default=32, validator=ge(1))
    optimizer: Optimizer | None = None
    evaluate_before: bool = True

    def params_of(self, model: Any) -> QuantParams | None:
        """How it quantises the [[model]] `model`, for whoever has to judge that before it is done;
        None where what that changes has faults."""
        return self._updated(model.update, model.choice.place)[0]

    def check(self, plan: Any, place: str) -> Iterator[str | Fault]:
        """Models that are quantised already, updates and optimisers that are none."""
        for item in takewhile(lambda item: item.choice.place != place, plan.postprocessings):
            if hasattr(item.choice.config, "params_of"):
                yield (
                    f"the models are quantised already by {item.choice.place} (give what is to be "
                    "quantised otherwise a [[model]] of its own with update.quant_params)"
                )
        for model in plan.models:
            if hasattr(model.choice.config, "quant_params"):
                yield Fault(
                    model.choice.place,
                    f"model '{model.name}' is quantised already, so QuantizationAwareTraining has "
                    f"nothing to quantise",
                    hint=f"use kind = '{model.choice.kind.removeprefix('Quantized')}'",
                )
            yield from self._updated(model.update, model.choice.place)[1]
        if self.optimizer is not None:
            from snn_framework_spikingjelly import optimizers

            yield from optimizers.faults(self.optimizer, f"{place[:-1]}.params.optimizer]")

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """The quantised model with its measures; the model given stays as it is."""
        from snn_kernel import Outcome, Training
        from snn_quantization.conversion import quantised

        section, trained = processed.section, processed.training
        params, faults = self._updated(getattr(section, "update", {}), "[model.update]")
        if faults:
            raise ConfigError(*faults)
        assert params is not None
        course = _Course(session, splits)
        if self.evaluate_before:
            course.tell("baseline", 32, processed.prediction or course.predict(processed.model))
        model = quantised(processed.model, params)
        optimizer = self.optimizer or getattr(trained, "optimizer", None)
        augmentations = getattr(trained, "augmentations", ())
        shown = Training(1, self.batch_size, optimizer, augmentations, fit=False)
        course.follow("PTQ", params.bits, session.train(model, splits, shown))
        if self.epochs:
            taught = evolve(shown, epochs=self.epochs, fit=True)
            course.follow("QAT", params.bits, session.train(model, splits, taught))
        fraction = params.fraction
        force = "off" if fraction is None else fraction
        suffix = f"_q{params.bits}_force_q{force}_e{self.epochs}_LSQ{params.LSQ}"
        return Outcome(tables=tuple(course.tables()), model=model, suffix=suffix)

    def _updated(
        self, update: Mapping[str, Any], place: str
    ) -> tuple[QuantParams | None, list[Fault]]:
        """quant_params with the keys that a model changes, and what is wrong with these."""
        base, changed = self.model.params.quant_params, update.get("quant_params", {})
        if not isinstance(changed, Mapping):
            what = f"'quant_params' must be a table, not {changed!r:.40}"
            return None, [Fault(f"{place[:-1]}.update]", what)]
        given = asdict(base, filter=lambda _, value: value is not None)
        checker = Checker(Registry.discover())
        made = checker.table(QuantParams, given | changed, f"{place[:-1]}.update.quant_params]")
        return (None if checker.faults else made), checker.faults


class _Course:
    """The steps of a quantisation, and what the model is worth after each."""

    def __init__(self, session: Session, splits: Splits) -> None:
        self.session, self.test = session, splits.samples("test")
        self.rows: list[dict[str, Any]] = []
        self.epochs: list[dict[str, Any]] = []

    def predict(self, model: Any) -> Prediction:
        return self.session.predict(model, self.test)

    def follow(self, step: str, width: int, trained: Trained) -> None:
        """A step of training: its history, and what the model is worth after it."""
        for epoch in trained.history:
            self.epochs.append({"step": step, "epoch": epoch.number, **epoch.measures})
        self.tell(step, width, self.predict(trained.model))

    def tell(self, step: str, width: int, prediction: Prediction) -> None:
        """What a prediction is worth."""
        found = {m.name: m.value for m in self.session.score(prediction, self.test.y)}
        row = {"step": step, "width": width, "accuracy": prediction.accuracy(self.test.y)}
        self.rows.append(row | found)

    def tables(self) -> Iterator[Table]:
        """The steps, and every epoch."""
        from snn_kernel import Table

        source, brief = "QuantizationAwareTraining", ("step", "width", "accuracy")
        for name, rows, shown in (
            ("quantization", self.rows, brief),
            ("quantization history", self.epochs, ()),
        ):
            columns = tuple(dict.fromkeys(key for row in rows for key in row))
            values = tuple(tuple(row.get(c) for c in columns) for row in rows)
            yield Table(name, columns, values, source=source, brief=shown)
