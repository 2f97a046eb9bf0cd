"""Which figure is shown where a report holds several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from snn_kernel import (
    Agreement,
    Deployed,
    Measure,
    ModelReport,
    Prediction,
    Processed,
    Report,
    Table,
    Trained,
)
from snn_report.chapter import chapter
from snn_report.headline import headline, tiles
from snn_report.overview import overview


def energy(value: float, how: str = "estimated", unit: str = "nJ", per: str = "sample") -> Measure:
    return Measure("energy", value, unit, how, per, "x")  # type: ignore[arg-type]


def of(*measures: Measure, tables: tuple[Table, ...] = ()) -> ModelReport:
    processed = Processed("m", None, Trained(None), measures=measures, tables=tables)
    return ModelReport("m", 1, processed, np.zeros(0, np.int64), Path("run"))


@pytest.mark.parametrize(
    ("measures", "energy_nj"),
    [
        ((energy(3), energy(2)), 2),  # the last is that of the final model
        ((energy(3, "measured"), energy(2)), 3),
        ((energy(5000, unit="pJ"),), 5),
        ((energy(5, per="run"),), None),
        ((energy(5, unit="W"),), None),
        ((evolve(energy(5), name="energy_memory"),), None),
        ((), None),
    ],
)
def test_energy(measures: tuple[Measure, ...], energy_nj: float | None) -> None:
    assert headline(of(*measures), ()).energy_nj == energy_nj


def test_energy_of_a_table_where_no_measure_says_it() -> None:
    rows = (("a", 1000.0), ("b", 500.0), ("Total", 1500.0))
    table = Table("energy", ("name", "total"), rows, "pJ")
    assert headline(of(tables=(table,)), ()).energy_nj == 1.5
    assert headline(of(energy(7), tables=(table,)), ()).energy_nj == 7


def test_accuracy_of_the_measure_or_else_of_the_prediction() -> None:
    labels = np.array([0, 1, 1, 1])
    report = of(Measure("accuracy", 0.9, "", "counted", "run", "valid"))
    prediction = Prediction(np.eye(2, dtype=np.float32)[[0, 1, 0, 0]])
    predicted = evolve(
        report, labels=labels, processed=evolve(report.processed, prediction=prediction)
    )
    assert headline(report, ()).accuracy is None
    assert headline(predicted, ()).accuracy == 0.5
    tested = Measure("accuracy", 0.25, "", "counted", "run", "test")
    measured = evolve(predicted, processed=evolve(predicted.processed, measures=(tested,)))
    assert headline(measured, ()).accuracy == 0.25


def test_accuracy_on_a_target_that_ran_some_of_the_samples() -> None:
    report = evolve(of(), labels=np.array([0, 1, 1, 1]))
    ran = Deployed("engine", prediction=Prediction(np.eye(2, dtype=np.float32)))
    agreement = Agreement(4, 0, "", {"engine": 2})
    head = headline(evolve(report, deployed=(ran,), agreement=agreement), ())
    assert head.deployed == (("engine", 1.0),)
    notes = {t.label: (t.value, t.note, t.tone) for t in tiles(head)}
    agreed = ("0", "of 4 spikes and logits differ on 2 samples", "good")
    assert notes["agreement with engine"] == agreed
    assert notes["accuracy on engine"] == ("100", "on the first 2 samples", "")
    said = Measure("accuracy", 0.75, "", "counted", "run", "engine")
    head = headline(evolve(report, deployed=(evolve(ran, measures=(said,)),)), ())
    assert head.deployed == (("engine", 0.75),)


@pytest.mark.parametrize(
    ("found", "label", "note"),
    [
        (Agreement(4, 0), "agreement", "of 4 spikes and logits differ"),
        (
            Agreement(4, 0, "", {"the integer law": 1}),
            "agreement with the integer law",
            "of 4 spikes and logits differ on 1 sample",
        ),
        (
            Agreement(47_016, 0, "", {"CortexM": 20, "the integer law": 16}),
            "agreement with CortexM and the integer law",
            "of 47,016 spikes and logits differ on 20 and 16 samples",
        ),
        (
            Agreement(9, 2, "C: layer a", {"C": 20}),
            "agreement with C",
            "of 9 spikes and logits differ on 20 samples; first: C: layer a",
        ),
    ],
)
def test_an_agreement_says_with_whom_and_on_how_much(
    found: Agreement, label: str, note: str
) -> None:
    (tile,) = tiles(headline(evolve(of(), agreement=found), ()))
    assert (tile.label, tile.note) == (label, note)


@pytest.mark.parametrize(
    ("samples", "note"),
    [(None, ""), (1, "on the first sample"), (4, "+25.00 points from the framework")],
)
def test_a_target_without_a_prediction_says_on_how_many_samples_it_was(
    samples: int | None, note: str
) -> None:
    said = [
        Measure("accuracy", a, "", "counted", "run", s) for a, s in ((0.5, "test"), (0.75, "x"))
    ]
    ran = Deployed("x", measures=(said[1],), samples=samples)
    report = evolve(of(said[0]), labels=np.array([0, 1, 1, 1]), deployed=(ran,))
    notes = {t.label: t.note for t in tiles(headline(report, ()))}
    assert notes["accuracy on x"] == note


def test_a_comparison_says_on_how_many_samples_and_with_whom(several: Report) -> None:
    runs = tuple(
        evolve(r, deployed=tuple(evolve(d, prediction=d.prediction.take(20)) for d in r.deployed))  # type: ignore[union-attr]
        for r in several.runs
    )
    chapters = [chapter(r, str(i), 0, several.folder) for i, r in enumerate(runs)]
    found = overview(sorted(chapters, key=lambda c: c.model))
    assert found is not None
    assert "on engine (%), on the first 20 samples" in [c.title for c in found.columns]
    assert [a.whom for a in found.agreed] == ["engine", "engine"]


def test_parameters_of_the_measure_or_else_of_the_network(whole: Report) -> None:
    one = whole.runs[0]
    assert headline(one, ()).parameters == 72 + 16 + 1168 + 7850
    measure = Measure("parameters", 5.0, "", "counted", "run", "x")
    told = evolve(one, processed=evolve(one.processed, measures=(measure,)))
    assert headline(told, ()).parameters == 5
