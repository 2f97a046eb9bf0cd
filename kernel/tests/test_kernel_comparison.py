"""Runs side by side: a difference is found exactly where one is, and no two measures are mixed."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from snn_kernel.results import Measure
from snn_network import Agreement
from snnk import sheet
from snnk.command import FORMS
from snnk.comparison import ABSENT, Comparison, differences, same
from snnk.console import measures, screen
from snnk.entry import Conditions, Entry, Made
from snnk.reference import Picked

SCALARS = st.one_of(
    st.booleans(), st.integers(-3, 3), st.floats(width=16), st.text("ab.0", max_size=3)
)
KEYS = st.text("ab.0", min_size=1, max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)


@given(TABLES)
def test_a_table_does_not_differ_from_itself(table: dict[str, Any]) -> None:
    assert list(differences([table, table, dict(table)])) == []


@given(TABLES, TABLES)
def test_tables_differ_where_there_is_a_difference(one: Any, other: Any) -> None:
    found = list(differences([one, other]))
    assert bool(found) != same(one, other)
    for difference in found:
        assert not same(*difference.values)
    swapped = {d.key: d.values[::-1] for d in differences([other, one])}
    assert swapped.keys() == {d.key for d in found}


@given(TABLES, TABLES, TABLES)
def test_of_three_tables_differs_what_differs_between_two(one: Any, two: Any, three: Any) -> None:
    pairs = [(one, two), (one, three), (two, three)]
    keys = {d.key for pair in pairs for d in differences(pair)}
    assert {d.key for d in differences([one, two, three])} == keys


def leaves(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything that is no table and no list of tables."""
    below: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        below = [leaf for k, v in value.items() for leaf in leaves(v, (*way, k))]
    elif isinstance(value, list) and all(isinstance(v, dict) for v in value):
        below = [leaf for k, v in enumerate(value) for leaf in leaves(v, (*way, k))]
    return below or [way]


def changed(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    if not way:
        return new
    first, *rest = way
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[first] = changed(value[first], tuple(rest), new)
    return copy


@given(TABLES, st.data())
def test_one_changed_value_is_one_difference(table: dict[str, Any], data: Any) -> None:
    assume(table)
    way = data.draw(st.sampled_from(leaves(table)))
    assume(isinstance(way[-1], str))  # else a list of tables becomes another kind of list
    (found,) = differences([table, changed(table, way, "something else")])
    assert found.values[1] == "something else"
    plain = all(set(str(part)) <= set("ab0") for part in way)
    assert not plain or found.key == ".".join(map(str, way))


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), (1, "1"), ([1], [1, 1]), ({}, []), ([{}], [[]]), (math.nan, 1.0)],
)
def test_values_that_are_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (math.nan, math.nan), ([1, {"a": 2}], [1.0, {"a": 2.0}])]
)
def test_values_that_are_the_same(one: Any, other: Any) -> None:
    assert same(one, other)


def test_differences_stand_by_the_tables_they_are_in() -> None:
    one = {"bench": {"name": "x"}, "model": [{"name": "m", "epochs": 1}], "deploy": {"limit": 3}}
    other = {"bench": {"name": "x", "seed": 2}, "model": [{"name": "m", "epochs": 2, "load": True}]}
    found = [(d.key, *d.values) for d in differences([one, other])]
    assert found == [
        ("bench.seed", ABSENT, 2),
        ("model.0.epochs", 1, 2),
        ("model.0.load", ABSENT, True),
        ("deploy.limit", 3, ABSENT),
    ]


ENERGY = Measure("energy", 100.0, "nJ", "estimated", "sample", "Cost")
COUNTED = Measure("energy", 90.0, "nJ", "counted", "sample", "Cost")
ACCURACY = Measure("accuracy", 0.5, "", "counted", "run", "test")


def entry(number: int, *made: Made, **known: Any) -> Picked:
    conditions = Conditions(**{"document": {"bench": {}}, "settings": {"bench": {}}} | known)
    facts = (None, None, "done", "")
    whole = Entry(number, "toy", Path(f"out/toy/{number}"), *facts, conditions, made)
    return Picked(str(number), whole)


def made(*measures: Measure, model: str = "one", run: int = 1) -> Made:
    return Made(model, run, measures, Agreement(10, 0), {})


def cells(comparison: Comparison, title: str = "measures") -> list[tuple[str, ...]]:
    return list(next(s.rows for s in sheet.sheets(comparison) if s.title == title)[:-1])


def test_what_is_estimated_never_stands_in_one_line_with_what_is_counted() -> None:
    found = Comparison.of([entry(1, made(ENERGY)), entry(2, made(COUNTED))])
    assert cells(found) == [
        ("energy", "nJ/sample", "estimated", "Cost", "≈ 100", "–", ""),
        ("energy", "nJ/sample", "counted", "Cost", "–", "90", ""),
    ]


def test_measures_of_one_name_in_one_run_stay_apart() -> None:
    twice = made(ENERGY, evolve(ENERGY, value=50.0))
    found = Comparison.of([entry(1, twice), entry(2, twice)])
    assert [row[0] for row in cells(found)] == ["energy", "energy 2"]
    assert [row[4] for row in cells(found)] == ["≈ 100", "≈ 50"]


@pytest.mark.parametrize(
    ("measure", "value", "shown"),
    [
        (ENERGY, 50.0, "× 0.500"),
        (ENERGY, 100.1, "× 1.00"),
        (ENERGY, 100.0, "="),
        (ENERGY, 123_456.0, "× 1,235"),
        (ENERGY, 0.0, "−100"),
        (ENERGY, math.nan, ""),
        (ACCURACY, 0.75, "+25.00"),
        (ACCURACY, 0.495, "−0.50"),
        (Measure("f1", 0.5, "", "counted", "run", "test"), 0.25, "−0.25"),
        (Measure("parameters", 2, "", "counted", "run", "model"), 4, "× 2.00"),
    ],
)
def test_a_change_is_a_ratio_but_of_scores_a_difference(
    measure: Measure, value: float, shown: str
) -> None:
    found = Comparison.of([entry(1, made(measure)), entry(2, made(evolve(measure, value=value)))])
    assert cells(found)[0][-1] == shown


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_repetitions_are_one_column(values: list[float]) -> None:
    runs = [made(evolve(ACCURACY, value=v), run=i) for i, v in enumerate(values)]
    found = Comparison.of([entry(1, *runs), entry(2)])
    (column, _), (line,) = found.columns, found.lines
    spread = line.spreads[0]
    assert spread is not None
    assert spread.mean == pytest.approx(statistics.fmean(values))
    assert spread.count == len(column.made) == len(values)
    assert (spread.deviation is None) == (len(values) == 1)
    assert line.spreads[1] is None
    assert found.agreements == (Agreement(10 * len(values), 0), None)


def test_infinite_values_have_no_deviation() -> None:
    runs = [made(evolve(ENERGY, value=math.inf), run=1), made(ENERGY, run=2)]
    found = Comparison.of([entry(1, *runs), entry(2, made(ENERGY))])
    assert cells(found)[0][4:] == ("≈ inf", "≈ 100", "")


def test_a_measure_of_some_repetitions_says_of_how_many() -> None:
    runs = [made(ENERGY), made(ENERGY, run=2), made(run=3)]
    found = Comparison.of([entry(1, *runs), entry(2, made(ENERGY))])
    assert cells(found)[0][4] == "≈ 100 (2 of 3 runs)"


def test_agreements_with_others_stand_in_lines_of_their_own() -> None:
    with_law = Agreement(26, 0, "", {"Linux": 10, "the integer law": 16})
    sets = (Agreement(10, 1), Agreement(10, 0, "", {"Linux": 10}), with_law)
    runs = [entry(i, evolve(made(), agreement=a)) for i, a in enumerate(sets)]
    rows = next(s.rows for s in sheet.sheets(Comparison.of(runs)))
    assert [row[3:] for row in rows] == [
        ("agreement", "1 of 10", "–", "", "–", ""),
        ("agreement with Linux", "–", "0 of 10", "", "–", ""),
        ("agreement with Linux and the integer law", "–", "–", "", "0 of 26", ""),
    ]


def test_a_limit_is_noted_and_mixes_up_no_measures() -> None:
    few, single = (evolve(made(ACCURACY), limited={"Linux": n}) for n in (20, 1))
    found = Comparison.of([entry(1, few, few), entry(2, made(ACCURACY)), entry(3, single)])
    assert "1: Linux saw the first 20 samples of the test set" in found.notes
    assert "3: Linux saw the first sample of the test set" in found.notes
    assert not [note for note in found.notes if note.startswith("2: ")]
    (line,) = found.lines
    assert all(line.spreads)


def test_results_of_old_ledgers_are_read_as_they_are() -> None:
    told = made(ACCURACY).as_json()
    old = told | {"agreement": {"compared": 10, "differing": 0, "first": ""}}
    del old["limited"]
    assert Made.read(old) == made(ACCURACY)
    new = evolve(made(ACCURACY), agreement=Agreement(9, 1, "x", {"Linux": 3}), limited={"Linux": 3})
    assert Made.read(json.loads(json.dumps(new.as_json()))) == new


def test_measures_over_some_samples_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    told = ("accuracy", "run"), ("instructions", "sample"), ("rom", "run")
    shown = [Measure(name, 1, "", "counted", per, "Linux") for name, per in told]  # type: ignore[arg-type]
    screen().print(measures([ACCURACY, *shown], {"Linux": 20}))
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip().rpartition("  ")[2] for line in lines] == [
        ACCURACY.source,
        "Linux, first 20 samples",
        "Linux, first 20 samples",
        "Linux",
    ]


def test_every_model_is_a_column_with_its_own_section() -> None:
    document = {"model": [{"name": "a", "epochs": 1}, {"name": "b", "epochs": 2}]}
    runs = (made(ACCURACY, model="a"), made(ACCURACY, model="b"))
    found = Comparison.of([entry(3, *runs, document=document, settings=document)])
    assert [c.name for c in found.columns] == ["3/a", "3/b"]
    assert [d.key for d in found.differences] == ["model.0.name", "model.0.epochs"]


def test_what_is_not_known_is_told_and_not_compared() -> None:
    old = entry(1, made(ACCURACY), settings={}, document={"bench": {"seed": 1}})
    new = entry(2, settings={"bench": {"seed": 2, "name": "x"}}, document={"bench": {"seed": 2}})
    lost = entry(3, made(ACCURACY), settings={}, document={})
    found = Comparison.of([old, new, lost])
    assert [(d.key, *d.values) for d in found.differences] == [("bench.seed", 1, 2, ABSENT)]
    assert "3: its configuration is not recorded" in found.notes
    assert any("defaults are left out" in note for note in found.notes)
    assert not any("defaults" in note for note in Comparison.of([new, lost]).notes)


def test_versions_are_compared_too() -> None:
    pair = [entry(n, made(ACCURACY), versions={"torch": f"2.{n}"}) for n in (1, 2)]
    found = Comparison.of(pair)
    assert [(d.key, *d.values) for d in found.differences] == [("versions.torch", "2.1", "2.2")]


def pair() -> Comparison:
    settings = {"neuron": {"kind": "IF|LIF", "on": True, "taus": [1, 2]}}
    return Comparison.of(
        [entry(1, made(ENERGY)), entry(2, made(COUNTED), settings=settings, document=settings)]
    )


def test_markdown() -> None:
    text = sheet.markdown(pair())
    assert "| key | 1 | 2 |\n| --- | --: | --: |\n" in text
    assert '| neuron.kind | – | "IF\\|LIF" |' in text
    assert "| energy | nJ/sample | counted | Cost | – | 90 |  |" in text
    for table in text.split("\n\n"):
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1


def test_latex() -> None:
    text = sheet.latex(pair())
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") == 2
    assert 'neuron.kind & -- & "IF|LIF" \\\\' in text
    assert "energy & nJ/sample & estimated & Cost & $\\approx$ 100 & -- &  \\\\" in text


@given(st.text("&%$#_{}\\~^≈a", max_size=8))
def test_latex_leaves_no_sign_with_a_meaning(text: str) -> None:
    shown = sheet._tex(text)
    for escaped in sorted(sheet._ESCAPES.values(), key=len, reverse=True):
        shown = shown.replace(escaped, "")
    assert set(shown) <= {"a"}


def test_csv_has_every_figure_in_full() -> None:
    third = evolve(ENERGY, value=1 / 3)
    found = Comparison.of([entry(1, made(third), made(ENERGY, run=2)), entry(2, made(third))])
    rows = list(csv.DictReader(io.StringIO(sheet.csv(found))))
    assert [(r["run"], r["measure"], r["how"], r["count"]) for r in rows] == [
        ("1", "energy", "estimated", "2"),
        ("2", "energy", "estimated", "1"),
    ]
    assert float(rows[1]["mean"]) == 1 / 3
    assert rows[1]["deviation"] == ""


def test_every_form_of_the_command_is_there() -> None:
    assert sheet.FORMS.keys() == FORMS.keys()
