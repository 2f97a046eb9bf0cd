"""Every place where Qualia 2.6 is corrected: the documented formula by hand on a two-layer network,
and beside it what `compat = "qualia-2.6"` reproduces."""

from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from snn_energy.counter import OperationCounter
from snn_energy.elementary import Costs
from snn_energy.metric import EnergyEstimationMetric, OperationEstimation
from snn_kernel import RunError, Training
from snn_kernel.config import Checker
from snn_kernel.network import Add, BatchNorm, Conv, Flatten, Linear, Neuron, Pool, Relu

COMPAT = "qualia-2.6"
VOICE = SimpleNamespace(warn=lambda _: None)
IF, LIF = Neuron("n", 1.0), Neuron("n", 1.0, charge="lif", tau=2.0)


def conv(name="conv", inner=2, out=4, bias=True):
    weight = np.ones((out, inner, 3, 3), np.float32)
    return Conv(name, weight, np.zeros(out) if bias else None, (1, 1), (1, 1))


def fc(inner=64, bias=True):
    return Linear("fc", np.ones((3, inner), np.float32), np.zeros(3) if bias else None)


def both(tool, model, session=None):
    """The rows of the documented equations and of Qualia 2.6, by name and column."""
    for compat in (None, COMPAT):
        made = attrs.evolve(tool, compat=compat).apply(model, None, session, VOICE)
        (table,) = made.tables
        yield {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


@pytest.fixture
def spiking(processed):
    """[2, 4, 4] → convolution, neuron [4, 4, 4] → fully connected [3]; 3 timesteps, 2 samples; in
    one inference 5 spikes go into the convolution and 7 into the fully connected layer."""

    def make(*between, pixels=10, bias=True, neuron=IF):
        layers = [conv(bias=bias), *between, neuron, Flatten("flat"), fc(bias=bias)]
        return processed(layers, (2, 4, 4), 3, {"input": pixels, "n": 14, "flat": 14}, samples=2)

    return make


def test_addressing_of_convolutions_has_the_factor_cout(spiking):
    ours, theirs = both(OperationCounter(), spiking())
    assert ours["conv"]["addr_acc"] == 5 * 4 * 9
    assert theirs["convn"]["addr_acc"] == 5 * 9
    assert ours["conv"]["addr_mac"] == theirs["convn"]["addr_mac"] == 10


def test_addressing_of_fully_connected_layers_counts_spikes_not_a_rate(spiking):
    ours, theirs = both(OperationCounter(), spiking())
    assert ours["fc"]["addr_acc"] == 7 * 3
    assert theirs["fc"]["addr_acc"] == pytest.approx(7 / (64 * 3) * 3 * 3)


@pytest.mark.parametrize(
    "between",
    [BatchNorm("norm", np.ones(4), np.zeros(4)), Pool("pool", "max", (1, 1), (1, 1), (0, 0))],
    ids=["batch norm", "pooling"],
)
def test_what_stands_between_takes_no_spikes_and_no_leak(spiking, between):
    ours, theirs = both(OperationCounter(), spiking(between, neuron=LIF))
    potentials = 5 * 4 * 9 + 3 * 64
    assert ours["conv"]["syn_mac"] == 3 * 64
    assert ours["conv"]["syn_acc"] == potentials + 7
    assert ours["conv"]["mem_write"] == potentials + 7
    assert theirs["conv"]["syn_mac"] == 0
    assert theirs["conv"]["syn_acc"] == theirs["conv"]["mem_write"] == potentials
    assert theirs[f"{between.name}n"]["output_count"] == ours["conv"]["output_count"] == 7


def test_numbers_are_weighted_once(spiking):
    """60 non-zeros in 2 samples: 10 per timestep."""
    ours, theirs = both(OperationCounter(), spiking(pixels=(60, 3.5)))
    potentials, biases = 30 * 4 * 9 + 3 * 64, 3 * 64
    assert ours["conv"]["mem_read"] == 10 + 10 * 36 + biases + potentials
    assert theirs["convn"]["mem_read"] == 10 + 30 * 36 + biases + potentials
    ours, theirs = both(EnergyEstimationMetric(8, 1), spiking(pixels=(60, 3.5)))
    assert ours["conv"]["mem_weights"] == theirs["convn"]["mem_weights"]


def test_formal_layers_without_bias_read_none(processed):
    model = processed([conv(bias=False), Relu("relu"), Flatten("flat"), fc(bias=False)], (2, 4, 4))
    ours, theirs = both(OperationCounter(), model)
    products = 2 * 64 * 9
    assert ours["conv"]["mem_read"] == 2 * products
    assert theirs["conv"]["mem_read"] == 2 * products + 64
    assert ours["fc"]["mem_read"] == 64 + 192
    assert theirs["fc"]["mem_read"] == 64 + 192 + 3
    ours, theirs = both(EnergyEstimationMetric(8), model)
    assert ours["conv"]["mem_bias"] == theirs["conv"]["mem_bias"] == 0


def test_formal_additions_have_as_many_elements_as_there_are(processed):
    edges = [("input", "a"), ("a", "b"), ("a", "add"), ("b", "add")]
    model = processed([conv("a"), conv("b", 4), Add("add")], (2, 4, 4), edges=edges)
    ours, theirs = both(OperationCounter(), model)
    assert [ours["add"][c] for c in ADDED] == [64, 64, 128, 64]
    assert [theirs["add"][c] for c in ADDED] == [12, 12, 24, 4]
    ours, theirs = both(EnergyEstimationMetric(8), model)
    access = 13.2 + 1.09e-5 * 64 * 8  # the memory holds all elements in both
    assert ours["add"]["mem_io"] == pytest.approx((128 + 64) * access)
    assert theirs["add"]["mem_io"] == pytest.approx((24 + 4) * access)


ADDED = ("syn_acc", "addr_acc", "mem_read", "mem_write")


def test_total_rates_count_every_tensor_once(spiking):
    """Spikes of the neuron: out of the convolution and of flattening; Qualia counts the neuron, the
    convolution under its joint name and flattening. Input: the model counts as well."""
    ours, theirs = both(OperationCounter(), spiking())
    assert ours["Total"]["output_count"] == 7 + 7
    assert theirs["Total"]["output_count"] == 7 + 7 + 7
    assert ours["Total"]["input_count"] == 5 + 7 + 7
    assert theirs["Total"]["input_count"] == 5 + 5 + 5 + 7 + 7
    assert ours["Total"]["input_spikerate"] == (5 + 7 + 7) / (3 * (32 + 64 + 64))
    assert theirs["Total"]["input_spikerate"] == 29 / (3 * (3 * 32 + 2 * 64))


def test_no_count_grows_with_the_batch(processed):
    """A block that modules of a list make up is called once per batch with all timesteps."""
    block = [conv("blocks.0.conv", 2, 2), attrs.evolve(IF, name="blocks.0.n")]
    layers = [*block, conv("conv", 2, 2)]
    model = processed(layers, (2, 4, 4), 3, {"input": 12, "blocks.0.n": 8}, samples=4)

    def counts(batch, multi_step):
        training = attrs.evolve(model, training=Training(1, batch))
        session = SimpleNamespace(multi_step=multi_step)
        for rows in both(OperationCounter(), training, session):
            yield rows["Total"]["input_count"], rows["Total"]["output_count"]

    assert list(counts(1, True)) == [(3 + 2, 2), (3 + 2 + 3 + 3 + 3, 2 + 2 + 2)]
    # of 4 samples, 2 to a call: the block counts twice as much as it saw
    assert list(counts(2, True)) == [(3 + 2, 2), (3 + 2 + 3 + 3 + 6, 2 + 2 + 4)]
    assert list(counts(3, True)) == list(counts(2, True))
    assert list(counts(2, False)) == list(counts(1, True))


def test_types_left_out_are_those_of_the_paper():
    assert EnergyEstimationMetric(8).costs == Costs(8, "old", 0.1, 3.1)
    assert EnergyEstimationMetric(8, compat=COMPAT).costs == Costs(8, "old", 0.03, 0.2)
    for bits in (4, 16, 32):
        costs = EnergyEstimationMetric(bits, compat=COMPAT).costs
        assert costs == EnergyEstimationMetric(bits).costs
    told = OperationEstimation("ICONIP", "ICONIP")
    assert EnergyEstimationMetric(8, op_estimation_type=told, compat=COMPAT).costs.mul_pj == 3.1


def test_negative_multiplications(spiking):
    table = {"mem_width": 4, "op_estimation_type": {"add": "linear", "mul": "linear"}}
    checker = Checker(None)
    checker.table(EnergyEstimationMetric, table, "[params]")
    assert "-0.283 pJ at 4 bits" in str(checker.faults[0])
    metric = checker.table(EnergyEstimationMetric, table | {"compat": COMPAT}, "[params]")
    (table,) = metric.apply(spiking(pixels=(60, 3.5)), None, None, VOICE).tables
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    add, mul = 0.03 - 4 * 0.07 / 24, 0.2 - 4 * 2.9 / 24
    assert rows["convn"]["ops"] == pytest.approx(2 * 64 * 9 * 10 / 32 * (add + mul) + 71 * add)
    assert rows["convn"]["ops"] < 0


def test_undefined_energies_are_errors_in_both(spiking):
    model = spiking()
    first, *rest = model.activity
    broken = attrs.evolve(first, input=attrs.evolve(first.input, nonzeros=float("nan")))
    model = attrs.evolve(model, activity=(broken, *rest))
    for compat in (None, COMPAT):
        with pytest.raises(RunError, match=r"layer .conv.*undefined energy"):
            EnergyEstimationMetric(8, 1, compat=compat).apply(model, None, None, VOICE)


@pytest.mark.parametrize("value", ["qualia-2.5", "2.6", True])
def test_an_unknown_system_is_refused(value):
    for kind, params in ((EnergyEstimationMetric, {"mem_width": 8}), (OperationCounter, {})):
        checker = Checker(None)
        checker.table(kind, params | {"compat": value}, "[params]")
        assert "'compat'" in str(checker.faults[0])


def test_tables_and_measures_say_whose_figures_they_are(spiking):
    for tool in (EnergyEstimationMetric(8, 1), OperationCounter()):
        outcomes = [
            attrs.evolve(tool, compat=compat).apply(spiking(), None, None, VOICE)
            for compat in (None, COMPAT)
        ]
        said = ["as qualia-2.6 reports it" in made.tables[0].source for made in outcomes]
        assert said == [False, True]
        kind = type(tool).__name__
        assert [{m.source for m in made.measures} for made in outcomes] == [
            {kind},
            {f"{kind}, qualia-2.6"},
        ]
