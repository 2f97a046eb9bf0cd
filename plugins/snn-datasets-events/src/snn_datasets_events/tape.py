"""Samples of events, written one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from snn_kernel import EVENT, DataError, Events, Fault

TOLD = 20  # faulty samples of a data set that are told one by one
T_END = 1 << 32  # µs; times are u32


@define
class Tape:
    """Samples of one set, written one after another into records that grow in place.

    A data set of hundreds of millions of events is never held twice: what is written takes 16
    bytes an event, and an eighth to spare until it is done. What is wrong with samples is kept in
    `faults` until `finished` tells it, all at once.
    """

    size: tuple[int, int, int]
    faults: list[Fault] = field(factory=list)
    _records: NDArray[Any] = field(factory=lambda: np.empty(0, EVENT))
    _ends: list[int] = field(factory=lambda: [0])
    _labels: list[int] = field(factory=list)

    def write(
        self,
        signals: Sequence[NDArray[Any]],
        labels: Sequence[int],
        names: Sequence[str],
        lengths: Sequence[int] | None = None,
    ) -> None:
        """Add samples: `signals` are x, y, t, p of all their events, of any type of number.

        `lengths` are how many events each has; None: there is one. A sample with an event
        outside of the sensor or of u32, or earlier than the one before it, is a fault.
        """
        bounds = np.cumsum([0, *([len(signals[0])] if lengths is None else lengths)])
        told = len(self.faults)
        for sample, event, what in _wrong(signals, bounds, self.size):
            at = "x {}, y {}, t {}, p {}".format(*(s[bounds[sample] + event] for s in signals))
            self.faults.append(Fault(names[sample], f"event {event} ({at}) {what}"))
        if len(self.faults) > told:
            return
        begin = self._ends[-1]
        self._grow(begin + int(bounds[-1]))
        part = self._records[begin : begin + int(bounds[-1])]
        for name, signal in zip("xytp", signals, strict=True):
            part[name] = signal
        self._ends += (begin + bounds[1:]).tolist()
        self._labels += labels

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Keep the faults of a DataError that is raised within, and go on."""
        try:
            yield
        except DataError as error:
            self.faults += error.faults

    def events(self) -> Events:
        """All that was written; the tape is at its end."""
        self._records.resize(self._ends[-1], refcheck=False)
        offsets, labels = (np.array(n, np.int64) for n in (self._ends, self._labels))
        return Events(self._records, offsets, labels, self.size)

    def _grow(self, count: int) -> None:
        if count <= len(self._records):
            return
        try:
            self._records.resize(count + count // 8, refcheck=False)
        except (MemoryError, ValueError):  # ValueError: more than an address can tell
            size = f"{count * EVENT.itemsize / 2**30:,.1f} GiB"
            raise DataError(f"memory does not hold {count} events, which need {size}") from None


def finished(tapes: Iterable[Tape], whose: str) -> None:
    """DataError with the faults of all tapes, if there are any."""
    faults = [Fault(f.where, f.what, f.whose or whose, f.hint) for t in tapes for f in t.faults]
    if (more := len(faults) - TOLD) > 0:
        faults[TOLD:] = [Fault("", f"{more} more samples are wrong")]
    if faults:
        raise DataError(*faults)


def _wrong(
    signals: Sequence[NDArray[Any]], bounds: NDArray[np.int64], size: tuple[int, int, int]
) -> Iterator[tuple[int, int, str]]:
    """Sample, event in it, and what is wrong, for the first such event of each sample."""
    x, y, t, p = signals
    width, height, polarities = size
    ranges = zip((x, y, t, p), (width, height, T_END, polarities), strict=True)
    outside = np.zeros(len(t), bool)
    for signal, limit in ranges:
        outside |= ~((signal >= 0) & (signal < limit))  # in this form NaN is outside as well
        if signal.dtype.kind == "f":
            outside |= signal != np.floor(signal)
    early = np.zeros(len(t), bool)
    early[1:] = t[1:] < t[:-1]
    early[bounds[:-1][bounds[:-1] < len(t)]] = False
    events = np.flatnonzero(outside | early)
    samples = np.searchsorted(bounds, events, side="right") - 1
    limits = f"is not within {width} x {height} pixels, {polarities} polarities and 2^32 µs"
    for sample, first in zip(*np.unique(samples, return_index=True), strict=True):
        event = events[first]
        what = "is earlier than the event before it" if early[event] else limits
        yield int(sample), int(event - bounds[sample]), what
