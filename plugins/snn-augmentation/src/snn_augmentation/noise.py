"""Noise that is added."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen

from snn_augmentation.augmentation import Floats, RandomAugmentation
from snn_augmentation.ranges import within


def _still(frames: Floats) -> tuple[int, ...]:
    """The shape of one value per sample and feature, the same at all timesteps."""
    return (len(frames), 1, *frames.shape[2:])


@frozen
class GaussianNoise(RandomAugmentation):
    """Adds normal noise of mean 0, one draw per feature, the same at all timesteps in the data.

    sigma: standard deviation, in the unit of the data, >= 0 (default 0.1).
    p: probability that a sample is changed, 0 to 1 (default 1).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    sigma: float = field(default=0.1, validator=within(low=0))

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        noise = draw.standard_normal(_still(frames), np.float32)
        return frames + np.float32(self.sigma) * noise


@frozen
class ExponentialNoise(RandomAugmentation):
    """Adds exponential noise, never negative, one draw per feature, the same at all timesteps.

    Its density is exp(-v / scale) / scale: the mean of the data moves up by `scale`.

    scale: mean and standard deviation, in the unit of the data, >= 0 (default 0.1).
    p: probability that a sample is changed, 0 to 1 (default 1).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    scale: float = field(default=0.1, validator=within(low=0))

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        noise = draw.standard_exponential(_still(frames), np.float32)
        return frames + np.float32(self.scale) * noise
