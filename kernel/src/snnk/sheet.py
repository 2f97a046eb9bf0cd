"""A comparison as tables of text: for a terminal, as Markdown, LaTeX or CSV."""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from csv import writer

from attrs import frozen

from snn_network import Agreement
from snnk.comparison import ABSENT, Change, Comparison, Line, Spread
from snnk.figures import figure, number, unit
from snnk.toml import literal

NOTHING = "–"
_ESCAPES = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "≈": r"$\approx$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
}


@frozen
class Sheet:
    """Rows of text under a header; the first `labels` columns say what a row is."""

    title: str
    labels: int
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(comparison: Comparison) -> Iterator[Sheet]:
    """Where the configurations differ, if they do, and then what was measured, if anything was."""
    names = tuple(column.name for column in comparison.columns)
    if rows := tuple((d.key, *map(_value, d.values)) for d in comparison.differences):
        yield Sheet("configuration", 1, ("key", *names), rows)
    counts = [len(column.made) for column in comparison.columns]
    rows = tuple(_measured(line, counts) for line in comparison.lines)
    for whom in dict.fromkeys(a.whom for a in comparison.agreements if a):
        agreed = [_agreed(a if a and a.whom == whom else None) for a in comparison.agreements]
        source = f"agreement with {whom}" if whom else "agreement"
        cells = _alternating(agreed, [""] * (len(names) - 1))
        rows += (("differing", "", "counted", source, *cells),)
    if rows:
        changes = [f"vs {names[0]}"] * (len(names) - 1)
        header = ("measure", "unit", "how", "source", *_alternating(names, changes))
        yield Sheet("measures", 4, header, rows)


def markdown(comparison: Comparison) -> str:
    """Tables as GitHub and most others read them."""
    parts = []
    for sheet in sheets(comparison):
        rule = ["---"] * sheet.labels + ["--:"] * (len(sheet.header) - sheet.labels)
        rows = [[c.replace("|", r"\|") for c in row] for row in (sheet.header, *sheet.rows)]
        lines = (rows[0], rule, *rows[1:])
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([*parts, *comparison.notes])


def latex(comparison: Comparison) -> str:
    """Tables for package booktabs."""
    parts = []
    for sheet in sheets(comparison):
        columns = "l" * sheet.labels + "r" * (len(sheet.header) - sheet.labels)
        head, *rows = (f"{' & '.join(map(_tex, row))} \\\\" for row in (sheet.header, *sheet.rows))
        body = [r"\toprule", head, r"\midrule", *rows, r"\bottomrule"]
        lines = [f"\\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"]
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, *(f"% {note}" for note in comparison.notes)])


def csv(comparison: Comparison) -> str:
    """One line for each measure of each column, in full precision."""
    text = io.StringIO()
    write = writer(text, lineterminator="\n").writerow
    write(("run", "measure", "unit", "per", "how", "source", "mean", "deviation", "count"))
    for line in comparison.lines:
        m = line.measure
        for column, s in zip(comparison.columns, line.spreads, strict=True):
            if s:
                what = (_name(line), m.unit, m.per, m.how, m.source)
                write((column.name, *what, s.mean, s.deviation, s.count))
    return text.getvalue().rstrip("\n")


def _measured(line: Line, counts: Sequence[int]) -> tuple[str, ...]:
    m = line.measure
    cells = [_spread(line, s, n) for s, n in zip(line.spreads, counts, strict=True)]
    changes = [_change(c, m.name == "accuracy") for c in line.changes()]
    return _name(line), unit(m), m.how, m.source, *_alternating(cells, changes)


def _alternating(cells: Sequence[str], changes: Sequence[str]) -> tuple[str, ...]:
    """A cell for each column, and behind all but the first what changed from the first."""
    pairs = zip(cells[1:], changes, strict=True)
    return cells[0], *(text for pair in pairs for text in pair)


def _name(line: Line) -> str:
    return f"{line.measure.name} {line.twin + 1}" if line.twin else line.measure.name


def _spread(line: Line, spread: Spread | None, count: int) -> str:
    """The mean, its deviation if there is any, and of how many runs, if not of all `count`."""
    if spread is None:
        return NOTHING
    text = figure(line.measure, spread.mean)
    if spread.deviation:
        percent, off = line.measure.name == "accuracy", spread.deviation
        text += f" ± {f'{100 * off:.2f}' if percent else number(off, 2)}"
    return text if spread.count == count else f"{text} ({spread.count} of {count} runs)"


def _change(change: Change | None, percent: bool) -> str:
    if change is None:
        return ""
    if change.value == (1 if change.how == "ratio" else 0):
        return "="
    if change.how == "ratio":
        return f"× {change.value:,.0f}" if change.value >= 100 else f"× {change.value:#.3g}"
    text = f"{100 * change.value:+.2f}" if percent else f"{change.value:+.3g}"
    return text.replace("-", "−")


def _agreed(agreement: Agreement | None) -> str:
    return f"{agreement.differing:,} of {agreement.compared:,}" if agreement else NOTHING


def _value(value: object) -> str:
    """As TOML has it, but a word without its quotes where it cannot be taken for anything else."""
    if value is ABSENT:
        return NOTHING
    if isinstance(value, str) and re.fullmatch(r"[\w./+-]+", value):
        try:
            tomllib.loads(f"value = {value}")
        except tomllib.TOMLDecodeError:
            return value
    return literal(value)


def _tex(text: str) -> str:
    return "".join(_ESCAPES.get(c, c) for c in text)


FORMS: Mapping[str, Callable[[Comparison], str]] = {
    "markdown": markdown,
    "latex": latex,
    "csv": csv,
}
