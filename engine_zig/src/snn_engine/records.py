"""Events as records: what they may come as, and how they fit into messages.

A record is (x, y, t, p). The engine's are of EVENT, four u32, the time in µs; times beyond that are
counted from an offset on the way in, and come back as LONG_EVENT.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_engine.library import EngineError
from snn_kernel.signals import EVENT

# At most what one message may hold (limits.zig).
CALL_EVENTS = 1 << 16
# Times that u32 does not hold.
LONG_EVENT = np.dtype([("x", "<u4"), ("y", "<u4"), ("t", "<u8"), ("p", "<u4")])


def records(events: Any) -> NDArray[Any]:
    """Events as a record array, whatever they came as; EngineError for what is none."""
    if isinstance(events, tuple) and len(events) == 4 and all(np.ndim(v) == 0 for v in events):
        numbers = [np.asarray(v) for v in events]
        if any(n.dtype.kind not in "iu" for n in numbers):
            raise EngineError(f"event {events}: x, y, t, p are not whole numbers", "events")
        return np.array(
            [events], [(name, n.dtype) for name, n in zip("xytp", numbers, strict=True)]
        )
    given = np.asarray(events)
    names = given.dtype.names or ()
    if not set("xytp") <= set(names):
        found = ", ".join(names) if names else str(given.dtype)
        raise EngineError(f"events have the fields x, y, t, p; found {found}", "events")
    if wrong := [n for n in "xytp" if given.dtype[n].kind not in "iu"]:
        raise EngineError(f"events: the fields {', '.join(wrong)} are not integers", "events")
    if given.ndim > 1:
        raise EngineError(f"events are {given.ndim}-dimensional, not a row of records", "events")
    if _mistaken(given):
        raise EngineError(
            "events: each of the four has x = y = t = p, as numpy.array([x, y, t, p], dtype=…) "
            "makes them; one event is the tuple (x, y, t, p), an array of one is "
            "numpy.array([(x, y, t, p)], dtype=…)",
            "events",
        )
    return given.reshape(-1)


def _mistaken(events: NDArray[Any]) -> bool:
    """Whether a list of four numbers was made into four events, each number in all four fields."""
    if events.shape != (4,) or not events["x"].any():
        return False
    return all(np.array_equal(events["x"], events[name]) for name in "ytp")


def messages(events: NDArray[Any]) -> Iterator[tuple[NDArray[Any], int]]:
    """Parts that fit into one message each, and the time from which theirs are counted."""
    if not len(events):
        yield events, 0
    start = 0
    while start < len(events):
        part = events[start : start + CALL_EVENTS]
        while (first := _start(part)) is None:
            part = part[: len(part) // 2]
        yield part, first
        start += len(part)


def _start(events: NDArray[Any]) -> int | None:
    """The time from which those of `events` are counted, such that u32 holds them; None: none.

    Times that fit stay as they are, so that nothing is added to them on the way back.
    """
    if not len(events):
        return 0
    low, high = int(events["t"].min()), int(events["t"].max())
    if low < 0:
        raise EngineError(f"events: a time is {low} µs, before 0", "events")
    if high < 1 << 32:
        return 0
    return low if high - low < 1 << 32 else None


def span(sample: NDArray[Any]) -> int:
    """As `_start`, of a sample, which is not taken apart."""
    start = _start(sample)
    if start is None:
        raise EngineError("samples: one lasts longer than 2^32 µs", "events")
    return start


def write(into: NDArray[Any], part: NDArray[Any], t0: int) -> None:
    """Write `part` into records of EVENT, its times counted from `t0`; EngineError for what u32
    does not hold."""
    if part.dtype == EVENT:
        # Bytes: numpy copies records field by field.
        into.view(np.uint8)[:] = np.ascontiguousarray(part).view(np.uint8)
        return
    for name in "xyp":
        column = part[name]
        if len(column) and (column.min() < 0 or column.max() >= 1 << 32):
            at = int(np.argmax((column < 0) | (column >= 1 << 32)))
            raise EngineError(f"events: record {at}: {name} is {column[at]}", "events")
        into[name] = column
    into["t"] = part["t"] - t0 if t0 else part["t"]


def later(records: NDArray[Any], t0: int) -> NDArray[Any]:
    """Records whose times are counted from `t0`, with times from 0."""
    if not t0:
        return records
    moved = records.astype(LONG_EVENT)
    moved["t"] += np.uint64(t0)
    return moved


def joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """One array: of EVENT, or LONG_EVENT where a time asks for it."""
    if len(parts) == 1:
        return parts[0]
    kind = LONG_EVENT if any(p.dtype == LONG_EVENT for p in parts) else EVENT
    return np.concatenate([p.astype(kind) for p in parts]) if parts else np.empty(0, EVENT)
