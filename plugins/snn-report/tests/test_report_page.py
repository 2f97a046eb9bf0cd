"""The page as a whole: well formed, self-contained, escaped, small, never in the way of a run."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from attrs import evolve

from snn_kernel import (
    Agreement,
    Context,
    Deployed,
    Epoch,
    Measure,
    ModelReport,
    Prediction,
    Processed,
    Report,
    Table,
    Trained,
)
from snn_report.page import HTML

VOID = {"meta", "br", "hr", "img", "link", "input"}
TWO = ("name", "one_nj", "other_nj", "ratio")
EVIL = "<script>alert('1')</script>\"&amp;"


class Page(HTMLParser):
    """Checks that tags nest and collects what tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"attribute twice in {attrs}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes another"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def show(report: Report, **params: object) -> tuple[str, Page]:
    text = HTML(**params).render(report, report.folder)  # type: ignore[arg-type]
    return text, Page(text)


def drawings(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def test_page_is_written_where_the_run_is(whole: Report) -> None:
    files = HTML(title="A title").write(whole, Context(0, whole.folder))
    assert files == {"report.html": whole.folder / "report.html"}
    text = files["report.html"].read_text("utf-8")
    assert text.lstrip().startswith("<!DOCTYPE html>")
    assert "<title>A title</title>" in text


def test_page_says_what_is_in_the_report(whole: Report) -> None:
    text, page = show(whole)
    one = whole.runs[0]
    assert one.processed.prediction
    assert one.agreement
    accuracy = one.processed.prediction.accuracy(one.labels)
    for said in (
        f"{100 * accuracy:.2f}",
        f"of {one.agreement.compared:,} spikes and logits differ on 300 samples",
        "4,636",  # nJ, from 4,635,548 pJ
        "9,106",  # 72 + 16 + 1168 + 7850 parameters
        "Sample 0 of the test set: label 9",
        "[model.params.neuron]",
        "snn-kernel",
    ):
        assert said in page.text
    headings = re.findall(r"<h3>(.*?)</h3>", text)
    assert headings == [
        *("Training", "Confusion matrix", "Spike rates", "Energy per layer"),
        *("Spikes of one sample", "Measures", "Tables", "Files"),
    ]


@pytest.mark.parametrize("name", ["whole", "several", "bare"])
def test_page_needs_nothing_from_elsewhere(name: str, request: pytest.FixtureRequest) -> None:
    text, page = show(request.getfixturevalue(name))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "use"}
    assert not re.search(r"url\(|@import|https?:|\bon\w+=|\bsrc=", text)
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


@pytest.mark.parametrize("name", ["whole", "several", "bare"])
def test_links_and_labels_lead_somewhere(name: str, request: pytest.FixtureRequest) -> None:
    _, page = show(request.getfixturevalue(name))
    names = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(names) == len(set(names))
    targets = [a["href"] for a in page.all("a")]
    assert {t[1:] for t in targets if t and t.startswith("#")} <= set(names)
    assert {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a} <= set(names)


@pytest.mark.parametrize("name", ["whole", "several"])
def test_drawings_are_xml_with_a_name_and_finite_numbers(
    name: str, request: pytest.FixtureRequest
) -> None:
    text, _ = show(request.getfixturevalue(name))
    found = drawings(text)
    assert len(found) > 8
    for svg in found:
        assert svg.get("aria-hidden") or (svg.get("role") == "img" and svg.get("aria-label"))
        for element in svg.iter():
            for key, value in element.attrib.items():
                if key not in ("aria-label", "class"):
                    assert not re.search(r"nan|inf|None|e[+-]?\d", value), (key, value)


def test_text_of_users_is_text(whole: Report, tmp_path: Path) -> None:
    one = whole.runs[0]
    processed = evolve(
        one.processed,
        name=EVIL,
        obstacle=EVIL,
        measures=(Measure(EVIL, 1.0, EVIL, "counted", "run", EVIL),),
        tables=(
            Table(EVIL, (EVIL, "b"), ((EVIL, 1),), EVIL, EVIL),
            Table("energy", ("name", "total"), ((EVIL, 5.0),), "nJ", EVIL),
        ),
        prediction=evolve(
            one.processed.prediction,
            spikes={EVIL: one.processed.prediction.spikes["neuron3"]},  # type: ignore[union-attr]
            neurons={EVIL: 10},
        ),
        network=None,
        trained=Trained(None, (Epoch(1, 1.0, {f"{EVIL}_loss": 1.0}),)),
    )
    bad = evolve(
        one,
        model=EVIL,
        processed=processed,
        deployed=(Deployed(EVIL, prediction=one.processed.prediction),),
        agreement=Agreement(10, 1, EVIL),
        files={EVIL: tmp_path / "javascript:alert(1)" / EVIL},
    )
    document = {EVIL: {EVIL: EVIL}, "list": [{"x": EVIL}]}
    report = Report(EVIL, tmp_path, document, {EVIL: EVIL}, (bad, evolve(bad, run=2)))
    text, page = show(report)
    assert not page.all("script")
    assert "<script" not in text
    assert all(drawings(text))
    assert page.text.count("<script>alert('1')</script>") > 20
    assert not any(urlsplit(a["href"] or "").scheme for a in page.all("a"))


def test_page_of_nothing_and_of_little(bare: Report) -> None:
    _, page = show(evolve(bare, runs=()))
    assert "Nothing has been trained" in page.text
    text, page = show(bare)
    assert "has not been evaluated" in page.text
    assert "has not been deployed" in page.text
    assert "<h3>" not in text
    assert not page.all("dl")


def one_of(bare: Report, **changes: object) -> Report:
    one = bare.runs[0]
    fields = {"labels", "deployed", "agreement", "files"}
    outer = {k: v for k, v in changes.items() if k in fields}
    inner = {k: v for k, v in changes.items() if k not in fields}
    return evolve(bare, runs=(evolve(one, processed=evolve(one.processed, **inner), **outer),))


def logits(*rows: tuple[float, ...]) -> Prediction:
    return Prediction(np.array(rows, np.float32))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"obstacle": "layer 'x' is odd"}, "could not be lowered to a network document: layer 'x'"),
        ({"prediction": logits((0, 1)), "labels": np.array([1])}, "1 test sample "),
        ({"prediction": logits((0, 1)), "labels": np.array([1, 0, 1])}, "label"),
        ({"prediction": logits((np.nan, 1)), "labels": np.array([1])}, "0"),
        ({"prediction": logits((0, 1)), "labels": np.array([250])}, "more than 200 classes"),
        ({"prediction": logits((0, 1)), "labels": np.array([-1])}, "0"),
        ({"prediction": Prediction(np.zeros((0, 2), np.float32))}, "No epochs"),
        ({"deployed": (Deployed("c"),)}, "The files for c were made, but not run."),
        ({"agreement": Agreement(0, 0)}, "nothing was compared"),
        (
            {"agreement": Agreement(9, 2, "layer a")},
            "of 9 spikes and logits differ; first: layer a",
        ),
        ({"trained": Trained(None, (Epoch(1, 2.5, {}),))}, "2.5"),
        (
            {"trained": Trained(None, (Epoch(1, 1.0, {"loss": np.nan, "acc": 80.0}),))},
            "accuracy",
        ),
        ({"tables": (Table("energy", ("name", "total"), ()),)}, "energy"),
        ({"tables": (Table("energy", ("name", "total"), (("a",), ("b", None))),)}, "nJ"),
        ({"tables": (Table("energy", ("name", "total"), (("a", np.nan),)),)}, "NaN"),
        ({"tables": (Table("two", TWO, (("a", 1, 2, np.nan), ("b",))),)}, "one and other"),
        ({"tables": (Table("empty", (), ()),)}, "empty"),
        ({"tables": (Table("t", ("a", "b"), ((1,), (1, 2, 3))),)}, "2 rows"),
        ({"tables": (Table("t", ("a",), tuple((i,) for i in range(500))),)}, "300 more rows"),
        ({"measures": (Measure("accuracy", np.nan, "", "counted", "run", "test"),)}, "NaN"),
        ({"measures": (Measure("energy", 2.0, "µJ", "measured", "sample", "meter"),)}, "2,000"),
    ],
)
def test_page_of_a_report_with_something_odd(
    bare: Report, changes: dict[str, object], said: str
) -> None:
    text, page = show(one_of(bare, **changes))
    assert said in page.text
    assert all(len(svg) for svg in drawings(text))


def test_sample_out_of_range_is_said(whole: Report) -> None:
    _, page = show(whole, sample=300)
    assert "There is no sample 300 in the test set" in page.text
    assert "neuron1 " in page.text  # the rates are shown all the same


def test_negative_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="sample"):
        HTML(sample=-1)


def test_comparison_of_models(several: Report) -> None:
    text, page = show(several)
    scores = [
        100 * r.processed.prediction.accuracy(r.labels)  # type: ignore[union-attr]
        for r in several.runs
        if r.model == "wide"
    ]
    mean, deviation = np.mean(scores), np.std(scores, ddof=1)
    assert f"{mean:.2f} ± {deviation:.2f}" in page.text
    assert re.search(r'class="number good">0 of [\d,]+<', text)
    assert re.search(r'class="number bad">3 of [\d,]+<', text)
    anchors = re.findall(r'<section class="chapter" id="(.*?)"', text)
    assert anchors == [f"run-{i}" for i in range(6)]
    titles = re.findall(r'<h2 id="run-\d-title">(\w+) <span class="run">run (\d)', text)
    assert titles == [(m, str(r)) for m in ("scnn_small", "wide") for r in (1, 2, 3)]


def test_page_of_three_layers_is_small(whole: Report, several: Report) -> None:
    assert len(show(whole)[0]) < 100_000
    assert len(show(several)[0]) < 500_000


def test_page_of_a_busy_net_is_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spikes = {f"n{i}": rng.integers(0, 256, (2, 100, 1000), np.uint8) for i in range(3)}
    prediction = Prediction(np.eye(2, dtype=np.float32), spikes, dict.fromkeys(spikes, 8000))
    processed = Processed("m", None, Trained(None), prediction=prediction)
    one = ModelReport("m", 1, processed, np.array([0, 1]), tmp_path)
    text, page = show(Report("busy", tmp_path, {}, {}, (one,)))
    assert len(text) < 500_000
    assert "Of large layers, evenly spaced neurons are shown." in page.text


def test_page_is_the_same_every_time(whole: Report) -> None:
    assert show(whole)[0] == show(whole)[0]


def test_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys; from snn_kernel import Kind, hookimpl; before = {*sys.modules};"
        "import snn_report.plugin as p; p.snnk_reports()[0].config;"
        "print(*sorted({*sys.modules} - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["snn_report", "snn_report.page", "snn_report.plugin"]


def test_kind_is_offered() -> None:
    from importlib.metadata import entry_points

    (point,) = [p for p in entry_points(group="snn_kernel") if p.value == "snn_report.plugin"]
    (kind,) = point.load().snnk_reports()
    assert (kind.name, kind.config, kind.needs) == ("HTML", HTML, ("jinja2",))
