"""All models side by side, each over its runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from attrs import frozen

from snn_report.axis import Axis
from snn_report.chapter import Chapter
from snn_report.headline import Headline, limit
from snn_report.number import THIN, number

STRIP = 150  # px, width of the strip of dots


@frozen
class Spread:
    """Mean and, over several runs, standard deviation of a figure, as text."""

    mean: str = ""
    deviation: str = ""


@frozen
class Column:
    """A figure compared, one spread per model."""

    title: str
    cells: tuple[Spread, ...]


@frozen
class Strip:
    """The accuracy of each run as (pixel, tooltip), and the pixel of their mean."""

    dots: tuple[tuple[float, str], ...]
    mean: float | None


@frozen
class Agreed:
    """Differences over all runs of a model, and from whom; `tone` is good, bad, or nothing without
    comparison."""

    text: str
    tone: str
    whom: str = ""


@frozen
class Overview:
    """The comparison table; `ends` are the accuracies at both ends of the strips."""

    models: tuple[str, ...]
    runs: tuple[tuple[Chapter, ...], ...]
    columns: tuple[Column, ...]
    strips: tuple[Strip, ...]
    ends: tuple[str, str] | None
    agreed: tuple[Agreed, ...]
    width: int = STRIP


def overview(chapters: Sequence[Chapter]) -> Overview | None:
    """The comparison of all models, the chapters being ordered by model; None of a single one."""
    if len(chapters) < 2:
        return None
    runs = [tuple(group) for _, group in groupby(chapters, key=lambda c: c.model)]
    targets = {t: limit(c.head, t) for c in chapters for t, _ in c.head.deployed}
    wanted: list[tuple[str, Callable[[Headline], float | None], float]] = [
        ("test accuracy (%)", lambda h: h.accuracy, 100),
        *(
            (f"on {t} (%)" + (few and f", {few}"), lambda h, t=t: dict(h.deployed).get(t), 100)
            for t, few in targets.items()
        ),
        ("energy (nJ per sample)", lambda h: h.energy_nj, 1),
        ("spikes per sample", lambda h: h.spikes, 1),
        ("parameters", lambda h: h.parameters, 1),
    ]
    columns = (
        Column(title, tuple(_spread((get(c.head) for c in group), factor) for group in runs))
        for title, get, factor in wanted
    )
    strips, ends = _strips(runs)
    agreed = tuple(_agreed(group) for group in runs)
    return Overview(
        models=tuple(group[0].model for group in runs),
        runs=tuple(runs),
        columns=tuple(c for c in columns if any(cell.mean for cell in c.cells)),
        strips=strips,
        ends=ends,
        agreed=agreed if any(a.text for a in agreed) else (),
    )


def _spread(values: Iterable[float | None], factor: float) -> Spread:
    found = [factor * v for v in values if v is not None and math.isfinite(v)]
    if not found:
        return Spread()
    mean = statistics.fmean(found)
    if len(found) < 2:
        return Spread(f"{mean:.2f}" if factor == 100 else number(mean))
    deviation = statistics.stdev(found)
    if factor == 100:
        return Spread(f"{mean:.2f}", f"{deviation:.2f}")
    return Spread(number(mean), number(deviation, 2) if deviation else "")


def _strips(
    runs: Sequence[Sequence[Chapter]],
) -> tuple[tuple[Strip, ...], tuple[str, str] | None]:
    found = [
        [(c.run, 100 * a) for c in group if (a := c.head.accuracy) is not None and math.isfinite(a)]
        for group in runs
    ]
    every = [a for group in found for _, a in group]
    if len(every) < 2:
        return (), None
    axis = Axis.over(every, 6, STRIP - 6, count=4)
    strips = tuple(
        Strip(
            tuple((axis.at(a), f"run {run}: {a:.2f}{THIN}%") for run, a in group),
            axis.at(statistics.fmean(a for _, a in group)) if group else None,
        )
        for group in found
    )
    return strips, (number(axis.low), number(axis.high))


def _agreed(group: Sequence[Chapter]) -> Agreed:
    found = [c.head.agreement for c in group if c.head.agreement]
    if not found:
        return Agreed("", "")
    every = sum(found[1:], found[0])
    tone = "bad" if every.differing or not every.compared else "good"
    return Agreed(f"{number(every.differing)} of {number(every.compared)}", tone, every.whom)
