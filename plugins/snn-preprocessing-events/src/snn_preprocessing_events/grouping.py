"""Frames to samples with timesteps in the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen, validators
from numpy.typing import NDArray

from snn_kernel import Context, DataError, Fault, Samples, Splits
from snn_preprocessing_events.frames import FramedSamples
from snn_preprocessing_events.sets import convert


@frozen
class Group2TimeStepsBySample:
    """Makes samples with timesteps in the data of the frames of every sample.

    A sample of F frames becomes floor(F / timesteps) samples of consecutive frames; the rest is
    dropped, and a sample that has fewer frames than timesteps is warned of. The label is that of
    most frames, of several such the smallest.

    timesteps: frames in a sample, at least 1; what the model's `timesteps` must be
    """

    example: ClassVar[Mapping[str, Any]] = {"timesteps": 2}

    timesteps: int = field(validator=validators.ge(1))

    def apply(self, splits: Splits, context: Context) -> Splits:
        """Samples in NTHWC, NTLC or NTC for every set of frames.

        DataError for sets that are no frames, or no longer know which sample they are from, and for
        sets of which nothing would be left.
        """

        def group(found: Any, where: str) -> Samples:
            frames = self._framed(found, where)
            counts = np.diff(frames.bounds) // self.timesteps
            if len(short := np.flatnonzero(counts == 0)):
                what = f"{len(short)} of {len(counts)} samples have fewer than {self.timesteps}"
                what += f" frames, first sample {short[0]}"
                if len(short) == len(counts):
                    hint = "fewer timesteps, or a shorter duration"
                    raise DataError(Fault(where, what, type(self).__name__, hint))
                context.warn(f"{where} ({type(self).__name__}): {what}; they are left out")
            return self._grouped(frames, counts)

        return convert(splits, group)

    def _framed(self, found: Any, where: str) -> FramedSamples:
        """The frames found, with their bounds."""
        if isinstance(found, FramedSamples):
            return found
        if isinstance(found, Samples) and found.timed:
            count, steps = found.x.shape[:2]
            layout: Any = found.layout.replace("T", "")
            x = found.x.reshape(count * steps, *found.x.shape[2:])
            bounds = np.arange(count + 1) * steps
            return FramedSamples(x, np.repeat(found.y, steps), layout, bounds)
        what = "holds nothing to group: no frames that know which sample they are from"
        hint = "IntegrateEventsByFixedDuration makes them, and whatever splits sets goes before it"
        raise DataError(Fault(where, what, type(self).__name__, hint))

    def _grouped(self, frames: FramedSamples, counts: NDArray[np.int64]) -> Samples:
        """`counts` [S] groups of every sample's frames."""
        steps, total = self.timesteps, int(counts.sum())
        order = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)  # in its sample
        first = np.repeat(frames.bounds[:-1], counts) + order * steps
        index = first[:, None] + np.arange(steps)
        # Where no frame is dropped there is nothing to copy, and frames may fill the memory.
        whole = index.size == len(frames)
        shape = (total, steps, *frames.x.shape[1:])
        x = frames.x.reshape(shape) if whole else frames.x[index]
        layout: Any = "NT" + frames.layout[1:]
        return Samples(x, majority(frames.y[index]), layout)


def majority(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most common label of each row of [N, T], of several such the smallest."""
    known, column = np.unique(labels, return_inverse=True)
    count, width = len(labels), len(known)
    cell = np.arange(count)[:, None] * width + column.reshape(labels.shape)
    votes = np.bincount(cell.ravel(), minlength=count * width).reshape(count, width)
    return known[votes.argmax(axis=1)] if width else np.zeros(count, np.int64)
