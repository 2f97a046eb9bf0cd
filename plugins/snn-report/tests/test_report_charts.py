"""Axes, numbers and geometry of the charts against what they stand for."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from snn_kernel import Activity, Epoch, Prediction, Processed, Table, Trained
from snn_kernel.network import Network
from snn_report import confusion, rates
from snn_report.axis import Axis
from snn_report.curves import curves
from snn_report.document import lines
from snn_report.energy import energy
from snn_report.number import duration, number, percent, short
from snn_report.raster import NEURONS_MAX, SPIKES_MAX, raster
from snn_report.sides import sides

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(st.lists(FINITE, min_size=1, max_size=8))
def test_axis_holds_its_values_between_round_ticks(values: list[float]) -> None:
    axis = Axis.over(values, 10, 110)
    room = 1e-6 * (axis.high - axis.low)
    assert axis.low - room <= min(values)
    assert max(values) <= axis.high + room
    assert 2 <= len(axis.ticks) <= 8
    assert all(9.9 <= at <= 110.1 for at, _ in axis.ticks)


def test_axis_ticks_are_what_people_choose() -> None:
    assert Axis.over([0, 4.1], 0, 5).ticks == tuple((i, str(i)) for i in range(6))

    def labels(axis: Axis) -> list[str]:
        return [label for _, label in axis.ticks]

    assert labels(Axis.over([0.31, 0.98], 0, 1)) == ["0.2", "0.4", "0.6", "0.8", "1"]
    assert labels(Axis.over([5.0], 0, 1)) == ["2", "3", "4", "5", "6", "7", "8"]
    assert labels(Axis.whole(1, 20, 0, 1)) == ["5", "10", "15", "20"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (-3, "−3"),
        (0.123456, "0.1235"),
        (1234.567, "1,235"),
        (0.1, "0.1"),
        (2.0, "2"),
        (99999.6, "100,000"),
        (1.5e-7, "1.5\u202f×\u202f10⁻⁷"),
        (6.02214e23, "6.022\u202f×\u202f10²³"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        (np.float32(0.5), "0.5"),
        (np.int64(7), "7"),
        (np.True_, "yes"),
        (None, "–"),
        ("a", "a"),
    ],
)
def test_number(value: object, text: str) -> None:
    assert number(value) == text


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_number_is_right_to_its_digits(value: float) -> None:
    text = number(value).replace(",", "").replace("−", "-").replace("\u202f", "")
    plain = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    read = float(text.replace("×10", "e").translate(plain))
    assert read == pytest.approx(value, rel=5.1e-4)


@given(st.floats(min_value=0, max_value=1))
def test_percent_keeps_all_and_nothing_apart(share: float) -> None:
    text = percent(share)
    assert (text == "100\u202f%") == (share == 1)
    assert (text == "0\u202f%") == (share == 0)


def test_durations_and_long_names() -> None:
    assert [duration(s) for s in (0.5, 59, 3599, 3661)] == [
        "0.5\u202fs",
        "59\u202fs",
        "1\u202fh 0\u202fmin",
        "1\u202fh 1\u202fmin",
    ]
    assert short("x" * 40) == "x" * 12 + "…" + "x" * 13
    assert short("short") == "short"


def test_curves_group_by_what_is_measured(history: tuple[Epoch, ...]) -> None:
    loss, accuracy = curves(history)
    assert [line.name for line in loss.lines] == ["train", "valid"]
    assert [line.hue for line in accuracy.lines] == [0, 1]
    assert (loss.what, accuracy.what) == ("loss", "accuracy (%)")
    assert loss.y.low == 0
    last = history[-1].measures["valid_acc"]
    assert accuracy.lines[1].last == percent(last)
    assert accuracy.lines[1].dots[-1].y == pytest.approx(accuracy.y.at(last))


def test_curves_break_where_a_loss_is_no_number() -> None:
    values = [1.0, 0.5, math.nan, 0.4, math.inf]
    (chart,) = curves([Epoch(i + 1, 1.0, {"train_loss": v}) for i, v in enumerate(values)])
    assert chart.gaps == 2
    assert chart.lines[0].path.count("M") == 2
    assert len(chart.lines[0].dots) == 3


def test_curves_of_a_long_history_have_few_dots() -> None:
    (loss,) = curves([Epoch(e, 1.0, {"train_loss": 1 / e}) for e in range(1, 1001)])
    assert len(loss.lines[0].dots) <= 42
    assert loss.lines[0].path.count("L") == 999


@given(st.lists(st.dictionaries(st.sampled_from(["loss", "val_acc", "x_loss"]), st.floats())))
def test_curves_never_fail(rows: list[dict[str, float]]) -> None:
    for chart in curves([Epoch(i + 1, 0.0, row) for i, row in enumerate(rows)]):
        assert all(math.isfinite(d.y) for line in chart.lines for d in line.dots)


def test_confusion_counts_what_was_predicted() -> None:
    labels = np.array([0, 0, 1, 2, 2, 2])
    predicted = np.array([0, 1, 1, 2, 0, 0])
    matrix = confusion.counts(Prediction(np.eye(3, dtype=np.float32)[predicted]), labels)
    assert matrix is not None
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [2, 0, 1]]
    chart = confusion.confusion(matrix)
    assert chart is not None
    assert [(c.text, round(c.share, 3)) for c in chart.cells] == [
        *(("1", 0.5), ("1", 0.5), ("1", 1.0)),
        *(("2", 0.667), ("1", 0.333)),
    ]
    assert chart.mistakes == ("2 as 0 (2 of 3)", "0 as 1 (1 of 2)")
    assert [text for _, text in chart.recall] == ["50.0\u202f%", "100\u202f%", "33.3\u202f%"]


def test_confusion_of_many_classes_has_one_path_per_shade() -> None:
    rng = np.random.default_rng(0)
    chart = confusion.confusion(rng.integers(0, 9, (100, 100)))
    assert chart is not None
    assert not chart.cells
    assert 0 < len(chart.shades) <= confusion.LEVELS


def test_rates_of_activity_and_of_spikes_agree(
    network: Network, prediction: Prediction, activity: tuple[Activity, ...]
) -> None:
    counted = Processed("m", None, Trained(None), prediction=prediction)
    lowered = evolve(counted, network=network, activity=activity)
    assert rates.rates(lowered) == rates.rates(counted)
    bits = np.unpackbits(prediction.spikes["neuron3"], axis=-1, count=10)
    assert rates.rates(counted)["neuron3"].share == pytest.approx(bits.mean())


def test_a_silent_layer_is_called_silent() -> None:
    prediction = Prediction(np.eye(1, dtype=np.float32), {"n": np.zeros((1, 2, 1), "u1")}, {"n": 5})
    processed = Processed("m", None, Trained(None), prediction=prediction)
    chart = rates.chart(rates.rates(processed))
    assert chart is not None
    assert [(bar.value, bar.parts) for bar in chart.bars] == [("silent", ())]


def test_energy_bars_are_as_long_as_their_energy(energies: Table) -> None:
    found = energy(energies)
    assert found is not None
    assert [bar.name for bar in found.chart.bars] == ["conv1neuron1", "conv2neuron2", "fc1neuron3"]
    assert found.total_nj == pytest.approx(energies.rows[-1][-2] / 1000)
    x = found.chart.x
    for bar, row in zip(found.chart.bars, energies.rows, strict=False):
        assert bar.end == pytest.approx(x.at(row[-2] / 1000))
        assert sum(part.width for part in bar.parts) == pytest.approx(bar.end - x.start)
    assert found.greatest == "57.4\u202f% of it for membrane potentials"


def test_only_a_table_of_energies_is_drawn(energies: Table) -> None:
    table = energies
    assert energy(evolve(table, name="operations")) is None
    assert energy(evolve(table, unit="s")) is None
    assert energy(Table("energy", ("name",), (("a",),))) is None
    micro = energy(evolve(table, unit="uJ"))
    assert micro is not None
    assert micro.total_nj == pytest.approx(table.rows[-1][-2] * 1000)


def marks(path: str) -> Iterator[tuple[int, int]]:
    for step, neuron in re.findall(r"M(\d+) (\d+)h", path):
        yield int(step), int(neuron)


def test_raster_draws_every_spike_of_a_small_layer(prediction: Prediction) -> None:
    chart = raster(prediction, 4)
    assert chart is not None
    *_, last = chart.panels
    bits = np.unpackbits(prediction.spikes["neuron3"][4], axis=-1, count=10)
    assert sorted(marks(last.path)) == sorted(
        zip(*map(np.ndarray.tolist, bits.nonzero()), strict=True)
    )
    assert last.shown == 10
    assert chart.sampled


@pytest.mark.parametrize(("timesteps", "count"), [(1, 3), (4, 2), (25, 5), (100, 9), (1000, 1)])
def test_raster_stays_on_its_page(timesteps: int, count: int) -> None:
    rng = np.random.default_rng(0)
    spikes = {f"n{i}": rng.integers(0, 256, (1, timesteps, 200), "u1") for i in range(count)}
    chart = raster(Prediction(np.zeros((1, 2), "f4"), spikes, dict.fromkeys(spikes, 1600)), 0)
    assert chart is not None
    assert len(chart.panels) == count
    for panel in chart.panels:
        assert panel.x + panel.width <= chart.width
        assert panel.y + panel.height < chart.height
        assert panel.shown <= NEURONS_MAX
        assert len(list(marks(panel.path))) <= SPIKES_MAX
        assert max((n for _, n in marks(panel.path)), default=0) < panel.shown
    boxes = [(p.x, p.y, p.x + p.width, p.y + p.height) for p in chart.panels]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_configuration_is_toml(document: dict[str, object]) -> None:
    assert tomllib.loads("\n".join(map(str, lines(document)))) == document


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Contrast ratio of WCAG 2.2, section 1.4.3."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def schemes() -> list[dict[str, tuple[float, ...]]]:
    css = files("snn_report").joinpath("templates/style.css").read_text("utf-8")
    found = []
    for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]:
        pairs = re.findall(r"--(\w+(?:-\w+)?): #(\w{6})", block)
        found.append({n: tuple(int(h[i : i + 2], 16) / 255 for i in (0, 2, 4)) for n, h in pairs})
    return found


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_colours_have_enough_contrast(scheme: dict[str, tuple[float, ...]]) -> None:
    for text in ("ink", "soft", "accent", "good", "bad"):
        for ground in ("paper", "card"):
            assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)
    for tone in ("good", "bad"):
        for text in (tone, "soft"):
            assert contrast(scheme[text], scheme[f"{tone}-paper"]) >= 4.5, (text, tone)
    for hue in range(6):
        assert contrast(scheme[f"h{hue}"], scheme["paper"]) >= 3, hue  # graphics, section 1.4.11
    for share in np.linspace(0, 1, 101):
        tone = confusion.Cell(0, 0, float(share), "", "").tone
        text = scheme.get(tone, (0.0, 0.0, 0.0))
        pairs = zip(scheme["accent"], scheme["card"], strict=True)
        ground = tuple(share * a + (1 - share) * b for a, b in pairs)
        assert contrast(text, ground) >= 4.5, share


def test_plain_accuracies_leave_no_room_for_their_relatives():
    measures = {"train_acc": 0.5, "train_avgclsacc": 0.4, "valid_acc": 0.6, "train_loss": 1.0}
    loss, accuracy = curves((Epoch(1, 1.0, measures), Epoch(2, 1.0, measures)))
    assert [line.name for line in loss.lines] == ["train"]
    assert [line.name for line in accuracy.lines] == ["train", "valid"]
    (alone,) = curves((Epoch(1, 1.0, {"train_avgclsacc": 0.4}),))
    assert [line.name for line in alone.lines] == ["train_avgcls"]


def test_layers_without_cost_are_not_drawn():
    found = energy(Table("energy", ("name", "ops", "total"), (("a", 1, 1), ("pool", 0, 0))))
    assert found is not None
    assert [bar.name for bar in found.chart.bars] == ["a"]


SIDES = Table(
    "energy_by_source",
    ("name", "estimated_nj", "counted_nj", "ratio"),
    (
        ("conv1", 12.0, 8.0, 1.5),
        ("neuron0", 0.0, 2.0, 0.0),
        ("fc", 3.0, 0.0, None),
        ("Total", 15.0, 10.0, 1.5),
    ),
    source="how",
)


def test_two_energies_stand_side_by_side() -> None:
    found = sides(SIDES)
    assert found is not None
    assert found.names == ("estimated", "counted")
    assert [text for _, text in found.chart.legend] == ["estimated", "counted"]
    first, second, *others = found.chart.bars
    assert (first.name, first.value) == ("conv1", "12")
    assert (second.name, second.value) == ("", "8, ratio 1.5")
    assert [part.hue for bar in (first, second) for part in bar.parts] == [0, 1]
    x = found.chart.x
    assert (first.end, second.end) == (pytest.approx(x.at(12)), pytest.approx(x.at(8)))
    assert [bar.value for bar in others] == ["0", "2, ratio 0", "3", "0"]
    assert found.total.startswith("Estimated 15")
    assert found.total.endswith("ratio 1.5")
    assert found.narrow


def test_only_two_energies_and_their_ratio_are_two_sides(energies: Table) -> None:
    assert sides(energies) is None
    assert sides(evolve(SIDES, columns=("name", "estimated_nj", "counted", "ratio"))) is None
    assert sides(evolve(SIDES, columns=("name", "estimated_nj", "counted_nj", "share"))) is None
    assert sides(evolve(SIDES, rows=())) is None
    assert sides(evolve(SIDES, rows=(("a",), ("b", None, "x", 1)))) is None
    twin = sides(evolve(SIDES, columns=("name", "spiking_nj", "formal_nj", "ratio")))
    assert twin is not None
    assert twin.names == ("spiking", "formal")
    many = sides(evolve(SIDES, rows=tuple((f"conv{i}", 1.0, 2.0, 0.5) for i in range(9))))
    assert many is not None
    assert not many.narrow
