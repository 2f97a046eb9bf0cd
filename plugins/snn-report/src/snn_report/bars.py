"""Horizontal bars, one per layer, of one or several stacked parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen

from snn_report.axis import Axis
from snn_report.number import short

ROW, THICK, TOP, BOTTOM = 30, 16, 6, 44
LETTER = 7.2  # px, a generous mean width of a letter of 12.5 px


@frozen
class Part:
    """A piece of a bar; `hue` is its place in the palette."""

    x: float
    width: float
    hue: int
    title: str


@frozen
class Bar:
    """A bar with its label on the left and its value on the right."""

    label: str
    name: str
    y: float
    parts: tuple[Part, ...]
    end: float
    value: str


@frozen
class Bars:
    """A chart of bars; `legend` names the parts as (hue, text)."""

    title: str
    summary: str
    x: Axis
    bars: tuple[Bar, ...]
    legend: tuple[tuple[int, str], ...]
    width: int
    height: int
    thick: int = THICK


@frozen
class Row:
    """What a bar shows: a value and tooltip for each part, and the text at its end."""

    name: str
    values: tuple[float, ...]
    titles: tuple[str, ...]
    value: str


def bars(
    title: str, rows: Sequence[Row], width: int, *, legend: Sequence[str] = (), summary: str = ""
) -> Bars:
    """The chart of `rows`, `width` px wide; what is negative or not finite has no length."""
    drawn = [[v if math.isfinite(v) and v > 0 else 0.0 for v in row.values] for row in rows]
    left = 14 + LETTER * max(len(short(row.name)) for row in rows)
    right = width - 14 - LETTER * max(len(row.value) for row in rows)
    height = TOP + ROW * len(rows) + BOTTOM
    x = Axis.over([0.0, max(map(sum, drawn)) or 1.0], left, right)
    made = []
    for i, (row, values) in enumerate(zip(rows, drawn, strict=True)):
        parts, sum_ = [], 0.0
        for hue, (value, text) in enumerate(zip(values, row.titles, strict=True)):
            if value:
                parts.append(Part(x.at(sum_), x.at(sum_ + value) - x.at(sum_), hue, text))
            sum_ += value
        y = TOP + ROW * i + (ROW - THICK) / 2
        made.append(Bar(short(row.name), row.name, y, tuple(parts), x.at(sum_), row.value))
    return Bars(title, summary, x, tuple(made), tuple(enumerate(legend)), width, height)
