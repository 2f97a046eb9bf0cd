"""The two postprocessings as a user meets them: config, tables, measures, errors."""

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points

import attrs
import numpy as np
import pytest

from snn_energy import plugin
from snn_energy.counter import OperationCounter
from snn_energy.elementary import Costs
from snn_energy.metric import EnergyEstimationMetric, OperationEstimation, SramParams
from snn_kernel import RunError
from snn_kernel.config import Checker
from snn_kernel.network import Conv, Linear, Neuron

GUIDE = """
[params]
mem_width = 8
fifo_size = 64
total_spikerate_exclude_nonbinary = true
[params.op_estimation_type]
add = "ICONIP"
mul = "saturation"
params.sram_estimation_type = "new"
"""


class Voice:
    def __init__(self):
        self.said = []

    def warn(self, text):
        self.said.append(text)


def table(rows):
    """A table as {row name: {column: cell}}."""
    return {row[0]: dict(zip(rows.columns, row, strict=True)) for row in rows.rows}


@pytest.fixture
def model(processed):
    layers = [
        Conv("conv", np.ones((2, 1, 3), np.float32), None, (1,), (1,)),
        Neuron("lif", 1.0, decay=0.5, gain=0.5),
        Conv("gap", np.ones((1, 2, 4), np.float32), np.zeros(1, np.float32), (1,), (0,)),
    ]
    return processed(layers, (1, 4), 2, {"input": (32, 9.5), "lif": 24}, samples=4)


def test_offered_by_name():
    (entry,) = entry_points(group="snn_kernel", name="energy")
    assert entry.load() is plugin
    kinds = {k.name: k.config for k in plugin.snnk_postprocessings()}
    assert kinds == {c.__name__: c for c in (EnergyEstimationMetric, OperationCounter)}


def test_import_is_light():
    code = (
        "import sys, snn_energy.plugin as p; [k.config for k in p.snnk_postprocessings()];"
        "print(*sys.modules)"
    )
    run = [sys.executable, "-c", code]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert "snn_energy.metric" in loaded
    assert not {"snn_energy.layers", "torch", "spikingjelly", "matplotlib"} & set(loaded)


def test_the_documented_file_is_understood():
    checker = Checker(None)
    config = checker.table(EnergyEstimationMetric, tomllib.loads(GUIDE)["params"], "[params]")
    assert not checker.faults
    assert config.costs == Costs(8, "new", 0.1, 0.2)


def test_defaults_are_the_published_ones():
    assert EnergyEstimationMetric(8).costs == Costs(8, "old", 0.1, 3.1)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, "missing key 'mem_width'"),
        ({"mem_width": 0}, "'mem_width' must be >= 1: 0"),
        ({"mem_width": True}, "'mem_width' must be an integer"),
        ({"mem_width": 8, "fifo_size": -1}, "'fifo_size' must be >= 0: -1"),
        ({"mem_width": 8, "sram_estimation_type": "typo"}, "'sram_estimation_type' must be one of"),
        ({"mem_width": 8, "op_estimation_type": {"add": "cubic"}}, "'add' must be one of"),
        ({"mem_width": 8, "op_estimation_type": {"ad": "linear"}}, "did you mean 'add'"),
        ({"mem_width": 4, "op_estimation_type": {"mul": "linear"}}, "mem_width = 4: .*-0.283 pJ"),
        ({"mem_width": 33, "op_estimation_type": {"add": "saturation"}}, "wider than 32 bits"),
        ({"mem_width": 65, "sram_estimation_type": "new"}, "65 bits do not fit"),
    ],
)
def test_wrong_configs_say_what_is_wrong(params, text):
    checker = Checker(None)
    checker.table(EnergyEstimationMetric, params, "[params]")
    (fault,) = checker.faults
    with pytest.raises(RunError, match=text):
        raise RunError(fault)


def test_everything_wrong_with_a_width_is_said_at_once():
    both = OperationEstimation("saturation", "saturation")
    with pytest.raises(ValueError, match=r"mem_width = 65: .*'add'.*'mul'.*'new'"):
        EnergyEstimationMetric(65, op_estimation_type=both, sram_estimation_type="new")


def test_sram_in_two_places_must_agree():
    inner = OperationEstimation(params=SramParams("old"))
    assert EnergyEstimationMetric(8, 1, True, inner, "old").costs.sram == "old"
    with pytest.raises(ValueError, match="is 'new', but 'old' in op_estimation_type"):
        EnergyEstimationMetric(8, 1, True, inner, "new")


def test_energy_outcome(model):
    voice = Voice()
    outcome = EnergyEstimationMetric(8, 64).apply(model, None, None, voice)
    (energies,) = outcome.tables
    assert (energies.name, energies.unit) == ("energy", "pJ")
    assert energies.columns == (
        *("name", "mem_pot", "mem_weights", "mem_bias", "mem_io", "mem_total", "ops", "addr"),
        *("opsaddr", "total", "input_spikerate", "output_spikerate", "input_count"),
        *("output_count", "input_is_binary", "output_is_binary", "is_sj"),
    )
    rows = table(energies)
    assert list(rows) == ["conv", "gap", "Total"]
    assert [rows[r]["is_sj"] for r in rows] == ["Hybrid", True, True]
    assert (rows["conv"]["input_spikerate"], rows["conv"]["output_spikerate"]) == (1.0, 0.375)
    assert (rows["conv"]["input_count"], rows["conv"]["output_count"]) == (8.0, 6.0)
    for column in energies.columns[1:10]:
        parts = rows["conv"][column] + rows["gap"][column]
        assert rows["Total"][column] == pytest.approx(parts, rel=1e-12)
    assert {m.name: m.value for m in outcome.measures} == pytest.approx(
        {
            "energy": rows["Total"]["total"] / 1000,
            "energy_memory": rows["Total"]["mem_total"] / 1000,
            "energy_operations": rows["Total"]["ops"] / 1000,
            "energy_addressing": rows["Total"]["addr"] / 1000,
        },
        rel=1e-12,
    )
    assert {(m.unit, m.how, m.per, m.source) for m in outcome.measures} == {
        ("nJ", "estimated", "sample", "EnergyEstimationMetric")
    }
    assert "8-bit memory (old), FIFOs of 64, add 0.1 pJ (ICONIP)" in energies.source
    assert "'net', from its activity on 4 test samples in 2 timesteps each" in energies.source
    assert outcome.model is None
    assert voice.said == []


def test_operations_outcome(model):
    outcome = OperationCounter().apply(model, None, None, Voice())
    (operations,) = outcome.tables
    assert (operations.name, operations.unit) == ("operations", "operations")
    assert operations.columns == (
        *("name", "syn_acc", "syn_mac", "addr_acc", "addr_mac", "total_acc", "total_mac"),
        *("mem_write", "mem_read", "input_spikerate", "output_spikerate", "input_count"),
        *("output_count", "input_is_binary", "output_is_binary", "is_sj"),
    )
    rows = table(operations)
    numbers = {name: [row[c] for c in operations.columns[1:9]] for name, row in rows.items()}
    assert numbers == {
        # 4 numbers in per timestep, 8 neurons with leak, 24 products, 6 spikes out
        "conv": [14, 32, 24, 8, 38, 40, 70, 92],
        # 6 spikes, each to the 4 weights of the one output, in 2 timesteps
        "gap": [24 + 2, 0, 24, 12, 50, 12, 26, 6 + 24 + 2 + 26],
        "Total": [40, 32, 48, 20, 88, 52, 96, 150],
    }
    assert {m.name: (m.value, m.unit) for m in outcome.measures} == {
        "synaptic_operations": (72, "operations"),
        "accumulates": (88, "operations"),
        "multiply_accumulates": (52, "operations"),
        "memory_reads": (150, "accesses"),
        "memory_writes": (96, "accesses"),
    }


@pytest.mark.parametrize("kind", [OperationCounter, lambda x: EnergyEstimationMetric(8, 64, x)])
def test_total_rates_count_every_tensor_once(model, kind):
    def total(exclude):
        (rows,) = kind(exclude).apply(model, None, None, Voice()).tables
        return [table(rows)["Total"][c] for c in rows.columns[-7:]]

    # binary: the 6 spikes of `lif` in 16 places; not binary: all of 8 pixels and of 2 outputs
    assert total(True) == [6 / 16, 6 / 16, 6.0, 6.0, False, False, True]
    assert total(False) == [14 / 24, 8 / 18, 14.0, 8.0, False, False, True]


def test_total_rates_where_nothing_is_binary(processed):
    layers = [Linear("fc", np.ones((2, 3), np.float32), None), Neuron("n", 1.0, payload=0.5)]
    model = processed(layers, (3,), 1, {"n": (1, 0.5)})
    (rows,) = OperationCounter().apply(model, None, None, Voice()).tables
    assert table(rows)["Total"]["input_spikerate"] is None
    assert table(rows)["Total"]["input_count"] == 0


def test_formal_networks_have_no_spike_rates(processed):
    model = processed([Linear("fc", np.ones((2, 3), np.float32), None)], (3,))
    (rows,) = EnergyEstimationMetric(8).apply(model, None, None, voice := Voice()).tables
    assert [row[10:] for row in rows.rows] == [(None,) * 4 + (False,) * 3] * 2
    assert voice.said == []


def test_fifos_of_no_size_are_warned_of(model):
    EnergyEstimationMetric(8).apply(model, None, None, voice := Voice())
    assert len(voice.said) == 1
    assert "fifo_size is 0" in voice.said[0]
    EnergyEstimationMetric(8, sram_estimation_type="new").apply(model, None, None, voice)
    assert len(voice.said) == 1


@pytest.mark.parametrize("nonzeros", [-5, float("nan"), float("inf")])
def test_negative_and_undefined_energies_are_errors(model, nonzeros):
    first, second, third = model.activity
    broken = attrs.evolve(third, input=attrs.evolve(third.input, nonzeros=nonzeros))
    model = attrs.evolve(model, activity=(first, second, broken))
    with pytest.raises(RunError, match="EnergyEstimationMetric, layer 'gap': negative or undef"):
        EnergyEstimationMetric(8, 64).apply(model, None, None, Voice())
