"""Address events to frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from attrs import field, frozen, validators
from numpy.typing import NDArray

from snn_kernel import Context, DataError, Events, Fault, Samples, Splits
from snn_preprocessing_events.frames import FramedSamples
from snn_preprocessing_events.sets import convert

Unit = Literal["time", "number"]
TOLD = 10  # faulty samples of a set that are told one by one


@frozen
class IntegrateEventsByFixedDuration:
    """Counts the events of windows of one duration: one frame for each window.

    Time starts at the first event of a sample. A sample has ceil(t_last / duration) frames, at
    least one; events at the very end of the last window belong to it. A window without events is a
    frame of zeros. A frame is [H, W, 2], of a sensor with one row [W, 2]: the counts of events with
    p = 0, then of the others. Frames have the label of their sample.

    Samples differ in their number of frames, and each frame is a sample until
    Group2TimeStepsBySample makes timesteps of them; what stands between the two must keep all
    frames in order, as Normalize does and DatasetSplitter does not.

    duration: length of a window in the unit of the time stamps, µs; 1 to 2^32 - 1
    """

    example: ClassVar[Mapping[str, Any]] = {"duration": 5000}

    duration: int = field(validator=[validators.ge(1), validators.lt(1 << 32)])

    def apply(self, splits: Splits, context: Context) -> Splits:
        """FramedSamples in NHWC, or in NLC if the sensor has one row, for every set of events.

        DataError for sets that are not events, for samples that have no events, that are not in the
        order of time or lie outside of the sensor, and where memory does not hold the frames.
        """
        return convert(splits, self._frames)

    def _frames(self, found: Any, where: str) -> FramedSamples:
        whose = type(self).__name__
        events = _checked(found, 1, where, whose)
        counts = np.maximum(1, -(-_spans(events) // self.duration))
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        x = _frames_of(events, int(bounds[-1]), where, whose)
        for i, records in enumerate(_recordings(events)):
            frame = np.minimum(_positions(records, "time") // self.duration, counts[i] - 1)
            _count(x[bounds[i] : bounds[i + 1]], records, frame)
        layout: Any = "NLC" if x.ndim == 3 else "NHWC"
        return FramedSamples(x, np.repeat(events.labels, counts), layout, bounds)


@frozen
class IntegrateEventsByFixedFramesNumber:
    """Counts the events of a sample in a number of frames, the same for every sample.

    Frames are those of IntegrateEventsByFixedDuration. As all samples have the same number, they
    are timesteps in the data at once; Group2TimeStepsBySample may group them to fewer.
    The law is that of SpikingJelly's data sets (Fang et al., Science Advances 9, 2023).

    split_by: "number": every frame has floor(events / frames_num) events, and the last the
        remainder too; "time": every frame lasts floor(t_last / frames_num), at least one unit of
        the time stamps, and the last until the end; where there are no events it is zeros
    frames_num: frames for each sample, at least 1; a sample with fewer events is an error
    """

    example: ClassVar[Mapping[str, Any]] = {"split_by": "time", "frames_num": 4}

    split_by: Unit
    frames_num: int = field(validator=validators.ge(1))

    def apply(self, splits: Splits, context: Context) -> Splits:
        """Samples in NTHWC, or in NTLC if the sensor has one row, for every set of events.

        DataError as in IntegrateEventsByFixedDuration, and for samples with too few events.
        """
        return convert(splits, self._samples)

    def _samples(self, found: Any, where: str) -> Samples:
        whose, count = type(self).__name__, self.frames_num
        events = _checked(found, count, where, whose)
        lengths = _spans(events) if self.split_by == "time" else np.diff(events.offsets)
        widths = np.maximum(1, lengths // count)
        frames = _frames_of(events, len(events) * count, where, whose)
        x = frames.reshape(len(events), count, *frames.shape[1:])
        for i, records in enumerate(_recordings(events)):
            frame = np.minimum(_positions(records, self.split_by) // widths[i], count - 1)
            _count(x[i], records, frame)
        return Samples(x, events.labels, "NTLC" if x.ndim == 4 else "NTHWC")


def _recordings(events: Events) -> Iterator[NDArray[Any]]:
    """The records of every sample."""
    return (events.records[begin:end] for begin, end in pairwise(events.offsets.tolist()))


def _spans(events: Events) -> NDArray[np.int64]:
    """Time from the first to the last event of every sample, [N]; each has at least one."""
    t, ends = events.records["t"], events.offsets
    first: NDArray[np.int64] = t[ends[:-1]].astype(np.int64)
    last: NDArray[np.int64] = t[ends[1:] - 1].astype(np.int64)
    return last - first


def _positions(records: NDArray[Any], unit: Unit) -> NDArray[np.int64]:
    """How far behind the first of its sample every event is, in time or in number."""
    if unit == "number":
        return np.arange(len(records))
    t: NDArray[np.int64] = records["t"].astype(np.int64)
    return t - int(t[0])


def _frames_of(events: Events, count: int, where: str, whose: str) -> NDArray[np.float32]:
    """`count` frames of zeros: [count, H, W, 2], or [count, W, 2] if H is 1."""
    width, height, _ = events.size
    try:
        return np.zeros((count, *((height,) if height > 1 else ()), width, 2), np.float32)
    except (MemoryError, ValueError):  # ValueError: more than an address can tell
        size = f"{count * height * width * 8 / 2**30:,.0f} GiB"
        what = f"{count} frames of {width} x {height} need {size} of memory"
        raise DataError(Fault(where, what, whose, "make fewer frames of it")) from None


def _count(frames: NDArray[np.float32], records: NDArray[Any], frame: NDArray[np.int64]) -> None:
    """Add every event of a sample to its frame; `frames` are contiguous, of that sample alone."""
    width = frames.shape[-2]
    height = 1 if frames.ndim == 3 else frames.shape[1]
    place = ((frame * height + records["y"]) * width + records["x"]) * 2 + (records["p"] != 0)
    # A histogram would be as large as all frames, in int64; frames are far more than events.
    np.add.at(frames.reshape(-1), place, np.float32(1))


def _checked(found: Any, least: int, where: str, whose: str) -> Events:
    """What was found, if it is events in order and within the sensor, `least` in each sample."""
    if not isinstance(found, Events):
        hint = "these kinds come first, and one of them is enough"
        raise DataError(Fault(where, "holds samples, not events", whose, hint))
    faults = []
    for i, records in enumerate(_recordings(found)):
        if told := _wrong(records, found.size, least):
            faults.append(Fault(f"{where}, sample {i}", told[0], whose, told[1]))
    if (more := len(faults) - TOLD) > 0:
        faults[TOLD:] = [Fault(where, f"{more} more samples are wrong", whose)]
    if faults:
        raise DataError(*faults)
    return found


def _wrong(records: NDArray[Any], size: tuple[int, int, int], least: int) -> tuple[str, str] | None:
    """What is wrong with the events of one sample, and a hint."""
    if (count := len(records)) < least:
        return f"{count} events are too few for {least} frames", "leave the sample out"
    t, x, y = (records[name] for name in "txy")
    if len(early := np.flatnonzero(t[1:] < t[:-1])):
        i = int(early[0]) + 1
        what = f"event {i} at t {t[i]} is earlier than the one before it, at {t[i - 1]}"
        return what, "events must be in the order of time"
    width, height, _ = size
    if x.max() >= width or y.max() >= height:
        i = int(np.argmax((x >= width) | (y >= height)))
        return f"event {i} at x {x[i]}, y {y[i]} is outside of the {width} x {height} sensor", ""
    return None
