"""Samples that are two samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import field, frozen, validators
from numpy.typing import NDArray

from snn_augmentation.augmentation import Augmentation, Floats, each
from snn_augmentation.ranges import positive
from snn_kernel import Context, DataError, Fault, Shapes


@frozen
class Mixup(Augmentation):
    """Mixes every sample with another of its batch, and their labels alike.

    x' = w·x + (1 - w)·x of a random partner, y' = w·y + (1 - w)·y of the partner, with y one-hot
    and w from Beta(alpha, alpha) for each sample (Zhang et al., mixup, ICLR 2018). Cross-entropy
    with y' is what the paper minimises. Metrics of training count the class that weighs most.

    alpha: > 0; small ones leave most samples nearly as they are, 1 is uniform (default 0.2).
    classes: how many there are (default: as the framework tells; needed where it does not).
    evaluate: false, the only one there is: mixed labels cannot be scored (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    alpha: float = field(default=0.2, validator=positive)
    classes: int | None = field(default=None, validator=validators.optional(validators.ge(2)))
    evaluate: bool = field(default=False, kw_only=True)

    @evaluate.validator
    def _training_only(self, attribute: Any, value: bool) -> None:
        if value:
            raise ValueError("'evaluate' must be false: mixed labels cannot be scored")

    def apply(
        self, x: Floats, y: NDArray[Any], context: Context, shapes: Shapes | None = None
    ) -> tuple[Floats, NDArray[Any]]:
        """Mixed x of its shape, and float32 labels [N, K] whose rows sum to 1.

        Raises DataError where the number of classes is not known, or a label is not below it.
        """
        targets = y.astype(np.float64) if y.ndim > 1 else self._one_hot(y, shapes)
        draw = np.random.default_rng(context.seed)
        partner = draw.permutation(len(x))
        own = draw.beta(self.alpha, self.alpha, len(x))
        mixed = targets * own[:, None] + targets[partner] * (1 - own)[:, None]
        return x * each(own, x) + x[partner] * each(1 - own, x), mixed.astype(np.float32)

    def _one_hot(self, y: NDArray[np.int64], shapes: Shapes | None) -> NDArray[np.float64]:
        classes = self.classes or (shapes and shapes.output[0])
        if not classes:
            what = "the framework does not tell how many classes there are"
            raise DataError(Fault("Mixup", what, hint="set params.classes"))
        if len(y) and not 0 <= y.min() <= y.max() < classes:
            what = f"labels are {y.min()} to {y.max()}, not 0 to {classes - 1}"
            raise DataError(Fault("Mixup", what))
        return np.eye(classes)[y]
