"""A linear axis: from values to pixels, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from attrs import frozen

from snn_report.number import number

STEPS = (1, 2, 5, 10)  # times a power of ten: the distances of ticks that people read easily


@frozen
class Axis:
    """From `low` at pixel `start` to `high` at pixel `end`, a tick every `step`."""

    low: float
    high: float
    start: float
    end: float
    step: float
    label: Callable[[float], str] = number

    def at(self, value: float) -> float:
        """The pixel of `value`."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """(pixel, label) of each tick."""
        first, last = (
            math.ceil(self.low / self.step - 1e-9),
            math.floor(self.high / self.step + 1e-9),
        )
        values = [i * self.step for i in range(first, last + 1)]
        return tuple((self.at(v), self.label(float(f"{v:.12g}"))) for v in values)

    @classmethod
    def over(
        cls,
        values: Iterable[float],
        start: float,
        end: float,
        *,
        count: int = 5,
        label: Callable[[float], str] = number,
    ) -> Axis:
        """An axis over finite `values`, its ends widened to ticks, with about `count` of them."""
        found = list(values) or [0.0]
        low, high = min(found), max(found)
        size = max(abs(low), abs(high))
        if high - low < 1e-9 * max(size, 1e-12):  # as good as one value: it gets room around it
            room = size / 2 if size > 1e-12 else 0.5
            low, high = low - room, high + room
        step = _step(low, high, count)
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        return cls(low, high, start, end, step, label)

    @classmethod
    def whole(cls, low: int, high: int, start: float, end: float, *, count: int = 8) -> Axis:
        """An axis over integers, its ends as given."""
        step = max(1, round(_step(low, max(high, low + 1), count)))
        return cls(low, max(high, low + 1), start, end, step)


def _step(low: float, high: float, count: int) -> float:
    """The round distance that puts at most `count` intervals between `low` and `high`."""
    rough = (high - low) / count
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(s * power for s in STEPS if s * power >= rough * (1 - 1e-9))
