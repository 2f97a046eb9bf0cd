"""Runs side by side: where their configurations differ, and what they measured."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from attrs import asdict, frozen

from snn_kernel.results import Measure
from snn_network import Agreement
from snnk.entry import DONE, Entry, Made, as_text
from snnk.figures import first_samples
from snnk.reference import Picked
from snnk.toml import key

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT"})()  # None is a value


@frozen
class Column:
    """One model of one run, over its repetitions; `made` is empty if the run has no results."""

    name: str
    entry: Entry
    made: tuple[Made, ...]

    def configuration(self, told: Literal["settings", "document"]) -> dict[str, Any]:
        """What was set, of its own [[model]] alone, and the versions; empty if not recorded."""
        known = self.entry.conditions
        table = dict(getattr(known, told))
        if not table:
            return {}
        if self.made and isinstance(models := table.get("model"), list):
            table["model"] = [m for m in models if m.get("name") == self.made[0].model]
        until = {"--until": known.until} if told == "settings" else {}
        return table | until | {"versions": {**known.versions, "platform": known.platform}}


@frozen
class Difference:
    """A key with the value that each column has for it, or ABSENT."""

    key: str
    values: tuple[Any, ...]


@frozen
class Spread:
    """A measure over the repetitions: their mean, their standard deviation (of the sample, None of
    a single one), and how many there are."""

    mean: float
    deviation: float | None
    count: int

    @classmethod
    def over(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        finite = all(map(math.isfinite, values))
        mean = statistics.fmean(values) if finite else sum(values) / len(values)
        deviation = statistics.stdev(values) if finite and len(values) > 1 else None
        return cls(mean, deviation, len(values))


@frozen
class Change:
    """From one value to another: their difference, or how many times as large the other is."""

    how: Literal["difference", "ratio"]
    value: float


@frozen
class Line:
    """One measure, told apart from others of its name by unit, provenance and, if need be, by its
    place among its equals (`twin`, from 0); what each column has of it, None if nothing."""

    measure: Measure
    twin: int
    spreads: tuple[Spread | None, ...]

    def changes(self) -> tuple[Change | None, ...]:
        """From the first column to each other: the ratio of what is above zero, but the difference
        of shares and scores: what has no unit and is 1 at most."""
        first, *others = self.spreads
        means = [abs(s.mean) for s in self.spreads if s]
        score = not self.measure.unit and self.measure.per == "run" and max(means) <= 1
        return tuple(_change(first, other, score) for other in others)

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """By the names of the columns; what one lacks is not there."""
        bare = {k: v for k, v in asdict(self.measure).items() if k != "value"}
        values = _present(names, self.spreads, None)
        changes = _present(names[1:], self.changes(), None)
        by_name = {"values": values, "changes": changes}
        told = {k: {n: asdict(v) for n, v in found.items()} for k, found in by_name.items()}
        return bare | {"twin": self.twin} | told


@frozen
class Comparison:
    """Columns side by side; `notes` say what must be known to read them."""

    columns: tuple[Column, ...]
    differences: tuple[Difference, ...]
    lines: tuple[Line, ...]
    agreements: tuple[Agreement | None, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, picked: Sequence[Picked]) -> Comparison:
        """Every model of every run that was picked, in that order, none twice."""
        columns = tuple({c.name: c for p in picked for c in _columns(p)}.values())
        recorded = [c.entry.conditions for c in columns if c.entry.conditions.document]
        whole = all(conditions.settings for conditions in recorded)
        tables = [c.configuration("settings" if whole else "document") for c in columns]
        values = [_values(c.made) for c in columns]
        lines = tuple(
            Line(*known, tuple(Spread.over(v[known]) if known in v else None for v in values))
            for known in dict.fromkeys(known for v in values for known in v)
        )
        agreements = tuple(_agreement(c.made) for c in columns)
        notes = tuple(_notes(columns, tables, whole))
        return cls(columns, tuple(_differences(tables)), lines, agreements, notes)

    def as_json(self) -> dict[str, Any]:
        """What `snnk compare` writes for machines; what a column lacks is not there."""
        names = [c.name for c in self.columns]
        return {
            "runs": [_told(c, a) for c, a in zip(self.columns, self.agreements, strict=True)],
            "differences": [
                {"key": d.key, "values": _present(names, d.values, ABSENT)}
                for d in self.differences
            ],
            "measures": [line.as_json(names) for line in self.lines],
            "notes": list(self.notes),
        }


def differences(tables: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    """Every key whose value is not the same in all tables, as overrides spell it. Tables, and lists
    of tables, are gone into; any other value is compared whole, numbers by what they amount to."""
    found = [dict(_leaves(table, ())) for table in tables]
    ranks: dict[tuple[Any, ...], int] = {}
    for path in (path for leaves in found for path in leaves):
        for end in range(len(path)):
            ranks.setdefault(path[: end + 1], len(ranks))
    paths = dict.fromkeys(path for leaves in found for path in leaves)
    for path in sorted(paths, key=lambda p: [ranks[p[: i + 1]] for i in range(len(p))]):
        values = tuple(leaves.get(path, ABSENT) for leaves in found)
        if not all(same(values[0], value) for value in values):
            dotted = ".".join(key(p) if isinstance(p, str) else str(p) for p in path)
            yield Difference(dotted, values)


def same(one: Any, other: Any) -> bool:
    """Whether two values are one: 1 is 1.0, NaN is NaN, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """What is no table, nor a list of tables, with the way to it; empty ones are values too."""
    if isinstance(value, Mapping) and (value or not path):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path, value


def _columns(picked: Picked) -> Iterator[Column]:
    entry = picked.entry
    models = list(dict.fromkeys(m.model for m in entry.made))
    for model in models or [""]:
        name = f"{picked.name}/{model}" if len(models) > 1 else picked.name
        yield Column(name, entry, tuple(m for m in entry.made if m.model == model))


def _differences(tables: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    """Those between tables that are known; of an empty one nothing is."""
    for found in differences([table for table in tables if table]):
        values = iter(found.values)
        yield Difference(found.key, tuple(next(values) if t else ABSENT for t in tables))


def _values(made: Sequence[Made]) -> dict[tuple[Measure, int], list[float]]:
    """The values of each measure over the repetitions, by the measure without its value."""
    found: dict[tuple[Measure, int], list[float]] = {}
    for one in made:
        twins: Counter[Measure] = Counter()
        for m in one.measures:
            bare = Measure(m.name, 0, m.unit, m.how, m.per, m.source)
            found.setdefault((bare, twins[bare]), []).append(m.value)
            twins[bare] += 1
    return found


def _change(first: Spread | None, other: Spread | None, score: bool) -> Change | None:
    if not first or not other or not all(map(math.isfinite, (first.mean, other.mean))):
        return None
    if score or min(first.mean, other.mean) <= 0:
        return Change("difference", other.mean - first.mean)
    return Change("ratio", other.mean / first.mean)


def _agreement(made: Sequence[Made]) -> Agreement | None:
    found = [m.agreement for m in made if m.agreement]
    return sum(found[1:], found[0]) if found else None


def _notes(columns: Sequence[Column], tables: Sequence[Any], whole: bool) -> Iterator[str]:
    for column, table in zip(columns, tables, strict=True):
        if (state := column.entry.state) != DONE:
            yield f"{column.name}: {state}"
        if not table:
            yield f"{column.name}: its configuration is not recorded"
        limited = {who: n for made in column.made for who, n in made.limited.items()}
        for who, seen in limited.items():
            yield f"{column.name}: {who} saw the {first_samples(seen)} of the test set"
        if (count := len(column.made)) > 1:
            yield f"{column.name}: mean ± standard deviation of {count} runs"
    if not whole:
        yield "of some of these runs only what their files said is recorded: defaults are left out"


def _told(column: Column, agreement: Agreement | None) -> dict[str, Any]:
    entry, model = column.entry, column.made[0].model if column.made else None
    return {
        "name": column.name,
        "id": entry.id,
        "model": model,
        "runs": [m.run for m in column.made],
        "folder": str(entry.folder),
        "started": as_text(entry.started),
        "state": entry.state,
        "agreement": asdict(agreement) if agreement else None,
    }


def _present(names: Sequence[str], values: Sequence[Any], absent: Any) -> dict[str, Any]:
    return {n: v for n, v in zip(names, values, strict=True) if v is not absent}
