"""The formal twin: what it costs by hand, where the spiking network loses, what is said."""

import numpy as np
import pytest

from snn_energy.metric import EnergyEstimationMetric
from snn_kernel.config import Checker
from snn_kernel.network import Add, Conv, Flatten, Linear, Neuron, Pool, Relu


class Voice:
    def __init__(self):
        self.said = []

    def warn(self, text):
        self.said.append(text)


def layers(neuron):
    """[2, 4, 4] → convolution [4, 4, 4], neuron, pooling [4, 2, 2] → fully connected [3]."""
    return [
        Conv("conv", np.ones((4, 2, 3, 3), np.float32), np.zeros(4), (1, 1), (1, 1)),
        *([neuron] if neuron else []),
        Pool("pool", "max", (2, 2), (2, 2), (0, 0)),
        Flatten("flat"),
        Linear("fc", np.ones((3, 16), np.float32), None),
    ]


@pytest.fixture
def spiking(processed):
    def make(spikes, timesteps=4):
        counts = dict.fromkeys(("input", "n", "pool", "flat"), spikes)
        return processed(layers(Neuron("n", 1.0)), (2, 4, 4), timesteps, counts)

    return make


def outcome(model, voice=None, **params):
    metric = EnergyEstimationMetric(8, 64, sram_estimation_type="new", twin=True, **params)
    made = metric.apply(model, None, None, voice or Voice())
    return made, {m.name: m for m in made.measures}


def twins(made):
    (table,) = (t for t in made.tables if t.name == "twin")
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_by_hand(spiking):
    """8 bits in packed memory: 1.25 pJ an access, 0.1 an addition, 3.1 a multiplication."""
    made, measures = outcome(spiking(5))
    rows = twins(made)
    assert list(rows) == ["conv", "fc", "Total"]  # pooling costs neither of them anything
    products = 2 * 64 * 9
    conv = (2 * products + 64 + 64) * 1.25 + products * 3.2 + (64 + 32 + 64 + 4 * 9) * 0.1
    fc = (16 + 48 + 3) * 1.25 + 48 * 3.2 + (3 + 48) * 0.1
    assert rows["conv"]["formal_nj"] == pytest.approx(conv / 1000, rel=1e-12)
    assert rows["fc"]["formal_nj"] == pytest.approx(fc / 1000, rel=1e-12)
    assert rows["Total"]["formal_nj"] == pytest.approx((conv + fc) / 1000, rel=1e-12)
    for row in rows.values():
        assert row["ratio"] == row["spiking_nj"] / row["formal_nj"]
    assert measures["energy_twin"].value == rows["Total"]["formal_nj"]
    assert measures["energy_ratio"].value == rows["Total"]["ratio"]
    assert measures["energy"].value == rows["Total"]["spiking_nj"]
    assert {m.how for m in made.measures} == {"estimated"}
    assert {m.source for m in made.measures} == {"EnergyEstimationMetric"}


def test_a_spiking_network_wins_or_loses(spiking):
    few, many = (outcome(spiking(spikes))[1]["energy_ratio"].value for spikes in (1, 60))
    assert few < 1 < many
    rows = twins(outcome(spiking(1, timesteps=100))[0])
    assert rows["Total"]["ratio"] > 1
    assert rows["fc"]["ratio"] > 1


def test_the_twin_is_that_network_with_relu_for_neurons(spiking, processed):
    model = processed(layers(Relu("n")), (2, 4, 4))
    metric = EnergyEstimationMetric(8, 64, sram_estimation_type="new")
    (table,) = metric.apply(model, None, None, Voice()).tables
    totals = {row[0]: row[table.columns.index("total")] for row in table.rows}
    for name, row in twins(outcome(spiking(7))[0]).items():
        assert 1000 * row["formal_nj"] == pytest.approx(totals[name], rel=1e-12)


def test_an_addition_costs_the_twin_alone(processed):
    edges = [("input", "a"), ("a", "n"), ("n", "add"), ("input", "add")]
    first = Conv("a", np.ones((2, 2, 1, 1), np.float32), None, (1, 1), (0, 0))
    model = processed([first, Neuron("n", 1.0), Add("add")], (2, 4, 4), 2, edges=edges)
    row = twins(outcome(model)[0])["add"]
    assert (row["spiking_nj"], row["ratio"]) == (0, 0)
    assert row["formal_nj"] > 0


def test_a_formal_network_has_no_twin(processed):
    made, measures = outcome(processed(layers(None), (2, 4, 4)), voice := Voice())
    assert [t.name for t in made.tables] == ["energy"]
    assert "energy_ratio" not in measures
    assert voice.said == ["EnergyEstimationMetric: twin = true, but 'net' is a formal network"]


def test_nothing_else_changes(spiking):
    metric = EnergyEstimationMetric(8, 64, sram_estimation_type="new")
    alone = metric.apply(spiking(5), None, None, Voice())
    made, _ = outcome(spiking(5))
    assert made.tables[0] == alone.tables[0]
    assert made.measures[: len(alone.measures)] == alone.measures
    assert [t.name for t in made.tables] == ["energy", "twin"]


def test_the_recorded_system_knows_no_twin():
    checker = Checker(None)
    params = {"mem_width": 8, "twin": True, "compat": "qualia-2.6"}
    checker.table(EnergyEstimationMetric, params, "[params]")
    assert "knows no formal twin" in str(checker.faults[0])
