"""Shift and scale by numbers that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from snn_augmentation.augmentation import Augmentation, Floats
from snn_augmentation.ranges import positive, within
from snn_kernel import Context, DataError, Fault, Shapes


@frozen
class Normalize(Augmentation):
    """(x - mean) / std with numbers of the file; nothing is drawn.

    The preprocessing of the same name takes them from the training set instead.

    mean: one number, or one per channel, in the unit of the data (default 0).
    std: one number, or one per channel, > 0 (default 1).
    evaluate: also on samples that are not trained on (default true).
    before, after: read as in existing files; not both false (default left out).
    """

    mean: float | tuple[float, ...] = field(default=0.0, validator=within())
    std: float | tuple[float, ...] = field(default=1.0, validator=positive)
    evaluate: bool = field(default=True, kw_only=True)

    def apply(
        self, x: Floats, y: NDArray[Any], context: Context, shapes: Shapes | None = None
    ) -> tuple[Floats, NDArray[Any]]:
        for name, value in (("mean", self.mean), ("std", self.std)):
            if isinstance(value, tuple) and len(value) != x.shape[-1]:
                what = f"{name} has {len(value)} numbers for {x.shape[-1]} channels"
                raise DataError(Fault("Normalize", what))
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return (x - mean) / std, y
