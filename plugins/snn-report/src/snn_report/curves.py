"""Loss and accuracy over the epochs of training."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from snn_kernel import Epoch
from snn_report.axis import Axis
from snn_report.number import number, percent, px

WIDTH, HEIGHT = 520, 270
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 44
VALUE_MAX = 1e300  # what is greater has no place on an axis of floats
DOTS_MAX = 40  # epochs; a longer history gets a dot every few epochs

_NAME = re.compile(r"(?:(?P<set>.*?)[_/. -]?)(?P<what>loss|acc|accuracy)", re.IGNORECASE)
_SETS = {"train": 0, "training": 0, "valid": 1, "val": 1, "validation": 1, "test": 2}


@frozen
class Dot:
    """One value with its tooltip."""

    x: float
    y: float
    title: str


@frozen
class Line:
    """One measure: `hue` is its place in the palette."""

    name: str
    hue: int
    path: str
    dots: tuple[Dot, ...]
    last: str


@frozen
class Curves:
    """A chart of lines over epochs; `gaps` values were not finite and are not drawn."""

    what: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    gaps: int
    summary: str
    width: int = WIDTH
    height: int = HEIGHT


def curves(history: Sequence[Epoch]) -> tuple[Curves, ...]:
    """A chart for the measures ending in loss, one for those ending in acc or accuracy; plain ones
    (train_acc) leave no room for relatives of theirs (train_avgclsacc)."""
    groups: dict[str, dict[str, str]] = {"loss": {}, "accuracy": {}}
    for name in dict.fromkeys(n for epoch in history for n in epoch.measures):
        if match := _NAME.fullmatch(name):
            group = "loss" if match["what"].casefold() == "loss" else "accuracy"
            groups[group][name] = match["set"] or name
    for names in groups.values():
        if plain := [n for n, called in names.items() if called.casefold() in _SETS]:
            for name in names.keys() - {*plain}:
                del names[name]
    made = (_chart(what, names, history) for what, names in groups.items() if names)
    return tuple(chart for chart in made if chart.lines)


def _chart(what: str, names: dict[str, str], history: Sequence[Epoch]) -> Curves:
    values = [float(e.measures[n]) for e in history for n in names if n in e.measures]
    finite = [v for v in values if _drawable(v)]
    share = what == "accuracy" and all(0 <= v <= 1 for v in finite)
    say = percent if share else number
    low = [0.0] if what == "loss" and min(finite, default=0) >= 0 else []
    y = Axis.over(
        finite + low,
        HEIGHT - BOTTOM,
        TOP,
        label=(lambda v: number(100 * v)) if share else number,
    )
    epochs = [e.number for e in history]
    x = Axis.whole(min(epochs), max(epochs), LEFT, WIDTH - RIGHT)
    hues, lines = _hues(names.values()), []
    for name, called in names.items():
        points = [(e.number, float(e.measures.get(name, math.nan))) for e in history]
        if any(_drawable(v) for _, v in points):
            lines.append(_line(called, hues[called], points, (x, y), say))
    return Curves(
        what=f"{what} (%)" if share else what,
        x=x,
        y=y,
        lines=tuple(lines),
        gaps=len(values) - len(finite),
        summary="; ".join(f"{line.name} ends at {line.last}" for line in lines),
    )


def _drawable(value: float) -> bool:
    return abs(value) < VALUE_MAX  # false for NaN


def _hues(names: Iterable[str]) -> dict[str, int]:
    """Train, valid and test keep their colour whatever else is drawn."""
    hues: dict[str, int] = {}
    for name in names:
        known = _SETS.get(name.casefold())
        free = next(i for i in range(2, 99) if i not in hues.values())
        hues[name] = known if known is not None and known not in hues.values() else free
    return hues


def _line(
    name: str,
    hue: int,
    points: Sequence[tuple[int, float]],
    axes: tuple[Axis, Axis],
    say: Callable[[float], str],
) -> Line:
    x, y = axes
    path, pen, dots, last = [], "M", [], ""
    every = -(-len(points) // DOTS_MAX)
    for i, (epoch, value) in enumerate(points):
        if not _drawable(value):
            pen = "M"
            continue
        last = say(value)
        path.append(f"{pen}{px(x.at(epoch))} {px(y.at(value))}")
        pen = "L"
        if i % every == 0 or i == len(points) - 1:
            dots.append(Dot(x.at(epoch), y.at(value), f"epoch {epoch}: {name} {last}"))
    return Line(name, hue, "".join(path), tuple(dots), last)
