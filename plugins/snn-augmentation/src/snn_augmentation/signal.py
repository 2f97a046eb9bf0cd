"""Signals [L, C] in time: louder, later, with a gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen, validators
from numpy.typing import NDArray

from snn_augmentation.augmentation import Floats, RandomAugmentation, each
from snn_augmentation.ranges import ascending, within
from snn_augmentation.sampling import taken

SIGNAL_AXES = 4  # of frames [N, T, L, C]


@frozen
class Amplitude(RandomAugmentation):
    """Multiplies each sample by one factor.

    amplitude: [low, high], where the factor is drawn from, uniformly, >= 0 (default [0.8, 1.2]).
    p: probability that a sample is changed, 0 to 1 (default 1).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    amplitude: tuple[float, float] = field(
        default=(0.8, 1.2), validator=validators.and_(within(low=0), ascending)
    )

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        return frames * each(draw.uniform(*self.amplitude, len(frames)), frames)


def _axis(shape: tuple[int, ...]) -> int:
    """The axis of time in frames: L where there is one, T otherwise."""
    return 2 if len(shape) == SIGNAL_AXES else 1


class SignalAugmentation(RandomAugmentation):
    """One that needs an axis of time, L or T."""

    __slots__ = ()

    def examine(self, shape: tuple[int, ...]) -> None:
        if shape[_axis(shape)] < 2:
            what = f"changes signals [L, C] or timesteps, and samples {shape[2:]} have neither"
            raise self.refuse(what)


@frozen
class TimeShifting(SignalAugmentation):
    """Moves each sample in time by a whole number of steps, drawn uniformly.

    It moves along L of samples [L, C], by the same number in all timesteps of the data; samples
    without L, such as [H, W, C], move along their timesteps. What leaves at one end is lost.

    max_shift: steps, less than there are in the signal; the shift is one of
        -max_shift..max_shift, later where it is positive. Required.
    wrap: what leaves at one end comes in at the other (default false).
    fill: the value of steps that come in, without `wrap` (default 0).
    p: probability that a sample is changed, 0 to 1 (default 1).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    example: ClassVar[Mapping[str, Any]] = {"max_shift": 2}

    max_shift: int = field(validator=validators.ge(0))
    wrap: bool = False
    fill: float = field(default=0.0, validator=within())

    def examine(self, shape: tuple[int, ...]) -> None:
        super().examine(shape)
        if self.max_shift >= (steps := shape[_axis(shape)]):
            raise self.refuse(f"max_shift = {self.max_shift} is no less than {steps} steps")

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        axis = _axis(frames.shape)
        length = frames.shape[axis]
        shift = draw.integers(-self.max_shift, self.max_shift + 1, len(frames))
        source = np.arange(length) - shift[:, None]
        moved = taken(frames, axis, source % length)
        if self.wrap:
            return moved
        lost = (source < 0) | (source >= length)
        return _filled(moved, axis, lost, self.fill)


@frozen
class Cutout1D(SignalAugmentation):
    """Overwrites a stretch of each sample, in all channels (DeVries and Taylor 2017, in one axis).

    It cuts along L of samples [L, C], the same in all timesteps of the data; of samples without L,
    such as [H, W, C], whole timesteps. The middle of the stretch may be any step, so a stretch near
    an end is cut short by it.

    length: steps to overwrite, from 1 to as many as there are. Required.
    fill: what they are overwritten with (default 0).
    p: probability that a sample is changed, 0 to 1 (default 1).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    example: ClassVar[Mapping[str, Any]] = {"length": 2}

    length: int = field(validator=validators.ge(1))
    fill: float = field(default=0.0, validator=within())

    def examine(self, shape: tuple[int, ...]) -> None:
        super().examine(shape)
        if self.length > (steps := shape[_axis(shape)]):
            raise self.refuse(f"length = {self.length} is more than {steps} steps")

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        axis = _axis(frames.shape)
        steps = np.arange(frames.shape[axis])
        start = draw.integers(0, len(steps), (len(frames), 1)) - self.length // 2
        return _filled(frames, axis, (steps >= start) & (steps < start + self.length), self.fill)


def _filled(frames: Floats, axis: int, where: NDArray[np.bool_], fill: float) -> Floats:
    """Frames with `fill` at the steps that `where` [N, length] marks along `axis`."""
    shape = [1] * frames.ndim
    shape[0], shape[axis] = where.shape
    return np.where(where.reshape(shape), np.float32(fill), frames)
