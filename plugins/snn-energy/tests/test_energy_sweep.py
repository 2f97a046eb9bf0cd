"""The sweep over rate × timesteps × width: its points, its thresholds, its files, its errors."""

import csv
import xml.etree.ElementTree as ET
from itertools import pairwise

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_energy import sweep
from snn_energy.elementary import Costs
from snn_energy.metric import EnergyEstimationMetric
from snn_energy.points import Sweep
from snn_kernel.network import Add, Conv, Flatten, Linear, Network, Neuron, Pool, Relu

COSTS = Costs(8, "new", 0.03, 0.2)
NAMESPACE = "{http://www.w3.org/2000/svg}"


def scnn(mode="static", timesteps=4, payload=1.0):
    """[1, 8, 8] → convolution [4, 8, 8], neuron, pooling [4, 4, 4] → linear [10]."""
    layers = (
        Conv("conv", np.ones((4, 1, 3, 3), np.float32), np.zeros(4, np.float32), (1, 1), (1, 1)),
        Neuron("n", 1.0, payload=payload),
        Pool("pool", "max", (2, 2), (2, 2), (0, 0)),
        Flatten("flat"),
        Linear("fc", np.ones((10, 64), np.float32), None),
    )
    names = ["input", *(layer.name for layer in layers)]
    edges = tuple(pairwise(names))
    return Network(layers, edges, (1, 8, 8), timesteps, mode)


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "scnn.network"
    path.write_bytes(scnn().pack())
    return path


class Voice:
    def warn(self, text):
        raise AssertionError(text)


@pytest.mark.parametrize("mode", ["static", "sequence"])
def test_a_point_is_what_the_metric_says_of_that_activity(processed, mode):
    """A quarter of all spikes, 4 timesteps: 256 of 4·256, 64 of 4·64."""
    network = scnn(mode)
    counts = {"n": 256, "pool": 64, "flat": 64}
    counts["input"] = (256, 128.0) if mode == "static" else 64
    model = attrs.evolve(processed(network.layers, (1, 8, 8), 4, counts), network=network)
    metric = EnergyEstimationMetric(8, 64, sram_estimation_type="new", twin=True)
    expected = {m.name: m.value for m in metric.apply(model, None, None, Voice()).measures}
    point = Sweep(network, 64).at(0.25, 4, metric.costs)
    assert point.spiking_nj == pytest.approx(expected["energy"], rel=1e-12)
    assert point.formal_nj == pytest.approx(expected["energy_twin"], rel=1e-12)
    assert point.ratio == pytest.approx(expected["energy_ratio"], rel=1e-12)


@settings(deadline=None)
@given(
    st.floats(0, 1), st.integers(1, 64), st.integers(1, 64), st.sampled_from(["static", "sequence"])
)
def test_the_timesteps_of_the_document_do_not_matter(rate, own, timesteps, mode):
    one, other = (Sweep(scnn(mode, t), 64).at(rate, timesteps, COSTS) for t in (4, own))
    assert other.spiking_nj == pytest.approx(one.spiking_nj, rel=1e-9)
    assert other.formal_nj == one.formal_nj


@settings(deadline=None)
@given(st.floats(0, 1), st.integers(1, 64), st.sampled_from([1.0, 0.5]))
def test_below_the_threshold_the_spiking_network_wins(rate, timesteps, payload):
    found = Sweep(scnn("sequence", payload=payload), 64)
    point, bound = found.at(rate, timesteps, COSTS), found.threshold(timesteps, COSTS)
    if abs(rate - bound) > 1e-9:
        assert (point.ratio < 1) == (rate < bound)


@settings(deadline=None)
@given(st.floats(0, 0.99), st.integers(1, 64))
def test_more_spikes_and_more_timesteps_cost_more(rate, timesteps):
    found = Sweep(scnn(), 64)
    here = found.at(rate, timesteps, COSTS)
    assert found.at(rate + 0.01, timesteps, COSTS).spiking_nj > here.spiking_nj
    assert found.at(rate, timesteps + 1, COSTS).spiking_nj > here.spiking_nj


def test_what_tensors_hold():
    layers = (
        *(Conv("c", np.ones((2, 2, 1, 1), np.float32), None, (1, 1), (0, 0)), Neuron("n", 1.0)),
        *(Neuron("half", 1.0, payload=0.5), Add("add"), Flatten("flat")),
        *(Pool("avg", "avg", (2, 2), (2, 2), (0, 0)), Relu("relu"), Flatten("f"), Add("end")),
    )
    edges = (
        *(("input", "c"), ("c", "n"), ("c", "half"), ("n", "add"), ("n", "add"), ("add", "flat")),
        *(("n", "avg"), ("avg", "relu"), ("relu", "f"), ("f", "end"), ("f", "end")),
    )
    edges += (("flat", "last"), ("end", "other"), ("half", "rest"))
    found = Sweep.flows(attrs.evolve(Sweep(scnn(), 0), network=Loose(layers, edges)), 0.2)
    assert found["n"] == found["input"]
    assert (found["half"].share, found["half"].mean, found["half"].binary) == (0.2, 0.1, False)
    assert (found["flat"].share, found["flat"].mean, found["flat"].binary) == (0.4, 0.4, False)
    assert found["avg"] == found["relu"] == found["f"] == found["c"]
    assert found["avg"].share == 1


@attrs.frozen
class Loose:
    """Layers and edges that need not make one network."""

    layers: tuple
    edges: tuple
    mode: str = "sequence"

    def inputs(self, name):
        return tuple(a for a, b in self.edges if b == name)


def test_the_command(document, tmp_path, capsys):
    table, figure = tmp_path / "made" / "sweep.csv", tmp_path / "sweep.svg"
    options = ["--rates", "0.5,0.01,0.1", "--timesteps", "2,4", "--bits", "8,16"]
    files = ["--csv", str(table), "--svg", str(figure)]
    assert sweep.main([str(document), *options, *files]) == 0
    said = capsys.readouterr().out
    assert "8 bits" in said
    assert "16 bits" in said
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 2
    for row in rows:
        energies = float(row["spiking_nj"]), float(row["formal_nj"])
        assert float(row["ratio"]) == energies[0] / energies[1]
    assert {(r["rate"], r["timesteps"], r["bits"]) for r in rows} == {
        (r, t, b) for r in ("0.01", "0.1", "0.5") for t in ("2", "4") for b in ("8", "16")
    }
    root = ET.fromstring(figure.read_text())
    cells = [g for g in root.iter(f"{NAMESPACE}g") if g.find(f"{NAMESPACE}rect") is not None]
    assert len(cells) == len(rows)
    shown = sorted(cell.find(f"{NAMESPACE}text").text for cell in cells)
    assert shown == sorted(f"{float(row['ratio']):.3g}" for row in rows)
    _, _, width, height = map(float, root.get("viewBox").split())
    for place in root.iter(f"{NAMESPACE}rect"):
        assert float(place.get("x", 0)) + float(place.get("width")) <= width
        assert float(place.get("y", 0)) + float(place.get("height")) <= height


def test_colours_tell_who_wins(tmp_path):
    document, figure = tmp_path / "scnn.network", tmp_path / "sweep.svg"
    document.write_bytes(scnn("sequence").pack())
    options = ["--rates", "0.001,1", "--timesteps", "4", "--bits", "8", "--svg", str(figure)]
    assert sweep.main([str(document), *options]) == 0
    fills = [r.get("fill") for r in ET.fromstring(figure.read_text()).iter(f"{NAMESPACE}rect")]
    red, green = (tuple(bytes.fromhex(fill[1:])) for fill in fills[1:])
    assert red[0] > red[1]
    assert green[1] > green[0]


def test_the_screen_says_to_which_rate_it_wins(document, capsys):
    found = Sweep(scnn(), 64)
    options = ["--timesteps", "1,4,1000", "--bits", "8", "--rates", "0", "--sram", "new"]
    assert sweep.main([str(document), *options]) == 0
    *_, line = capsys.readouterr().out.splitlines()
    costs = Costs(8, "new", 0.03, 0.2)
    bounds = [found.threshold(t, costs) for t in (1, 4, 1000)]
    words = ["never" if b <= 0 else "any rate" if b >= 1 else f"{b:.3g}" for b in bounds]
    assert " ".join(line.split()) == " ".join(["wins to", *words])
    assert words[-1] == "never"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--bits", "4", "--ops", "linear"], "energy of -0.283 pJ at 4 bits"),
        (["--fifo-size", "-1"], "'fifo_size' must be >= 0"),
        (["--bits", "64"], "'saturation' knows no 'add' wider than 32 bits"),
    ],
)
def test_wrong_costs(document, capsys, options, text):
    assert sweep.main([str(document), *options]) == 1
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--rates", "1.5"], ["--rates", "nan"], ["--timesteps", "0"], ["--bits", "x"]]
)
def test_wrong_options(document, capsys, options):
    with pytest.raises(SystemExit):
        sweep.main([str(document), *options])
    assert f"argument {options[0]}: " in capsys.readouterr().err


def test_wrong_documents(tmp_path, document, capsys):
    whole = document.read_bytes()
    formal = Network(
        (Linear("fc", np.ones((2, 3), np.float32), None),), (("input", "fc"),), (3,), 1
    )
    bare = Network((Neuron("n", 1.0),), (("input", "n"),), (3,), 1)
    for data, text in (
        (whole[:-9], "not a network document"),
        (b"", "not a network document"),
        (formal.pack(), "is a formal network"),
        (bare.pack(), "has no weights"),
    ):
        path = tmp_path / "broken.network"
        path.write_bytes(data)
        assert sweep.main([str(path)]) == 1
        assert text in capsys.readouterr().err
    assert sweep.main([str(tmp_path / "absent")]) == 1
    assert "absent: cannot be read" in capsys.readouterr().err
    assert sweep.main([str(tmp_path)]) == 1


def test_files_that_cannot_be_written(document, tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert sweep.main([str(document), "--csv", str(tmp_path / "taken" / "sweep.csv")]) == 1
    assert "cannot be written" in capsys.readouterr().err
