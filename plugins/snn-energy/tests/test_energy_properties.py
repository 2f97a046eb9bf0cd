"""What must hold for every network, whatever its layers."""

import math
from itertools import pairwise
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_energy.counter import OperationCounter
from snn_energy.elementary import Sram
from snn_energy.energy import ENERGY
from snn_energy.metric import EnergyEstimationMetric, OperationEstimation
from snn_kernel import Context, Training
from snn_kernel.network import (
    INPUT,
    BatchNorm,
    Conv,
    Flatten,
    GlobalSum,
    Linear,
    Network,
    Neuron,
    Pool,
    Relu,
)

NEURONS = (
    Neuron("", 1.0),
    Neuron("", 1.0, decay=0.5, gain=0.5),
    Neuron("", 1.0, charge="lif", tau=2.0),
)
POOLS = ("none", "max", "sum")


CONTEXT = Context(0, Path())


@st.composite
def stacks(draw):
    """Layers of a random spiking network, shape of its input, timesteps, samples."""
    dims, channels = draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 4]))
    shape, layers = (channels, *[draw(st.integers(4, 9)) for _ in range(dims)]), []
    for i in range(draw(st.integers(0, 3))):
        groups = draw(st.sampled_from([1, channels]))
        out = groups * draw(st.integers(1, 3))
        kernel = tuple(draw(st.integers(1, 3)) for _ in range(dims))
        stride = tuple(draw(st.integers(1, 2)) for _ in range(dims))
        bias = draw(st.sampled_from([None, np.zeros(out)]))
        weight = np.ones((out, channels // groups, *kernel))
        layers.append(Conv(f"conv{i}", weight, bias, stride, (1,) * dims, groups))
        if draw(st.booleans()):
            layers.append(BatchNorm(f"norm{i}", np.ones(out), np.ones(out)))
        layers.append(attrs.evolve(draw(st.sampled_from(NEURONS)), name=f"neuron{i}"))
        if (how := draw(st.sampled_from(POOLS))) != "none":
            layers.append(Pool(f"pool{i}", how, (1,) * dims, (2,) * dims, (0,) * dims))
        channels = out
    layers.append(draw(st.sampled_from([Flatten, GlobalSum]))("flat"))
    names = [layer.name for layer in layers]
    edges = tuple(pairwise([INPUT, *names]))
    (n,) = Network(tuple(layers), edges, shape, 1).shapes["flat"]
    if draw(st.booleans()):
        layers += [Linear("hidden", np.ones((5, n)), np.ones(5)), Neuron("neuron", 1.0)]
        n = 5
    layers.append(Linear("readout", np.ones((3, n)), draw(st.sampled_from([None, np.ones(3)]))))
    if not any(isinstance(layer, Neuron) for layer in layers):
        layers.append(Neuron("last", 1.0))
    return layers, shape, draw(st.integers(1, 4)), draw(st.integers(1, 3))


@st.composite
def models(draw, processed):
    """A random network with a random activity: spikes where neurons are, or numbers."""
    layers, shape, timesteps, samples = draw(stacks())
    full = processed(layers, shape, timesteps)
    counts = {}
    for name, size in full.network.shapes.items():
        nonzeros = draw(st.integers(0, math.prod(size) * timesteps * samples))
        neuron = name.startswith("neuron") or name == "last"
        binary = neuron or draw(st.booleans())
        counts[name] = nonzeros if binary else (nonzeros, 0.5)
    return processed(layers, shape, timesteps, counts, samples=samples)


METRICS = st.builds(
    EnergyEstimationMetric,
    mem_width=st.integers(7, 32),
    fifo_size=st.integers(0, 256),
    total_spikerate_exclude_nonbinary=st.booleans(),
    op_estimation_type=st.builds(
        OperationEstimation,
        st.sampled_from(["ICONIP", "saturation", "linear", "quadratic"]),
        st.sampled_from(["ICONIP", "saturation", "linear", "quadratic"]),
    ),
    sram_estimation_type=st.sampled_from([None, *Sram.__args__]),
)


def rows(kind, model):
    outcome = kind.apply(model, None, None, CONTEXT)
    (table,) = outcome.tables
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return found, outcome.measures


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_totals_are_sums_and_nothing_is_negative(processed, data):
    model, metric = data.draw(models(processed)), data.draw(METRICS)
    for kind in (metric, OperationCounter(metric.total_spikerate_exclude_nonbinary)):
        (*layers, total), measures = rows(kind, model)
        assert total["name"] == "Total"
        assert len(layers) == len(model.network.layers) - len(model.network.only(Neuron))
        names = list(total)
        for column in names[1 : names.index("input_spikerate")]:
            cells = [row[column] for row in layers]
            assert all(math.isfinite(c) and c >= 0 for c in cells)
            assert total[column] == pytest.approx(math.fsum(cells), rel=1e-9)
        for side in ("input", "output"):
            kept = [
                row
                for row in layers
                if row[f"{side}_is_binary"] or not kind.total_spikerate_exclude_nonbinary
            ]
            counted = math.fsum(row[f"{side}_count"] for row in kept)
            assert total[f"{side}_count"] == pytest.approx(counted, rel=1e-9)
            rate = total[f"{side}_spikerate"]
            assert rate is None if not kept else 0 <= rate <= 1
        assert all(m.value >= 0 and m.how == "estimated" for m in measures)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_parts_make_up_each_row(processed, data):
    model, metric = data.draw(models(processed)), data.draw(METRICS)
    for row in rows(metric, model)[0]:
        memory = row["mem_pot"] + row["mem_weights"] + row["mem_bias"] + row["mem_io"]
        assert row["mem_total"] == pytest.approx(memory, rel=1e-9)
        assert row["opsaddr"] == pytest.approx(row["ops"] + row["addr"], rel=1e-9)
        assert row["total"] == pytest.approx(row["mem_total"] + row["opsaddr"], rel=1e-9)
    for row in rows(OperationCounter(), model)[0]:
        assert row["total_acc"] == pytest.approx(row["syn_acc"] + row["addr_acc"], rel=1e-9)
        assert row["total_mac"] == pytest.approx(row["syn_mac"] + row["addr_mac"], rel=1e-9)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_one_more_spike_costs_more_where_it_goes(processed, data):
    """Somewhere one more spike (or number) comes in: its layer costs more, no layer costs less."""
    model, metric = data.draw(models(processed)), data.draw(METRICS)
    synaptic = [lay.name for lay in model.network.layers if isinstance(lay, Conv | Linear)]
    name = data.draw(st.sampled_from(synaptic))
    more = tuple(
        attrs.evolve(a, input=attrs.evolve(a.input, nonzeros=a.input.nonzeros + 1))
        if a.layer == name
        else a
        for a in model.activity
    )
    before, after = rows(metric, model)[0], rows(metric, attrs.evolve(model, activity=more))[0]
    for old, new in zip(before, after, strict=True):
        if old["name"] in (name, "Total"):
            assert new["total"] > old["total"]
        else:
            assert new["total"] == old["total"]


@settings(deadline=None, max_examples=50)
@given(st.data(), st.integers(2, 5))
def test_the_number_of_samples_cancels_out(processed, data, times):
    """The same activity seen `times` as often is the same energy per inference."""
    model, metric = data.draw(models(processed)), data.draw(METRICS)

    def often(tally):
        return attrs.evolve(tally, nonzeros=tally.nonzeros * times, total=tally.total * times)

    again = tuple(
        attrs.evolve(a, input=often(a.input), output=often(a.output), samples=a.samples * times)
        for a in model.activity
    )
    before, after = rows(metric, model)[0], rows(metric, attrs.evolve(model, activity=again))[0]
    for old, new in zip(before, after, strict=True):
        for column in (*ENERGY, "input_count", "output_count"):
            assert new[column] == pytest.approx(old[column], rel=1e-9)


@settings(deadline=None, max_examples=100)
@given(st.data(), st.booleans(), st.integers(1, 4))
def test_recorded_totals_are_sums_as_well(processed, data, multi_step, batch):
    model, metric = data.draw(models(processed)), data.draw(METRICS)
    model = attrs.evolve(model, training=Training(1, batch))
    session, excluded = Lent(multi_step), metric.total_spikerate_exclude_nonbinary
    for kind in (
        attrs.evolve(metric, compat="qualia-2.6"),
        OperationCounter(excluded, "qualia-2.6"),
    ):
        (table,) = kind.apply(model, None, session, CONTEXT).tables
        *layers, total = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
        assert len({row["name"] for row in layers}) == len(layers)
        names = list(total)
        for column in names[1 : names.index("input_spikerate")]:
            cells = math.fsum(row[column] for row in layers)
            assert total[column] == pytest.approx(cells, rel=1e-9, abs=1e-9)


@attrs.frozen
class Lent:
    """A session as far as it is asked."""

    multi_step: bool


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_the_twin_is_the_same_document_without_neurons(processed, data):
    model, metric = data.draw(models(processed)), data.draw(METRICS)
    own, twin = attrs.evolve(metric, twin=True).apply(model, None, None, CONTEXT).tables
    layers = [Relu(lay.name) if isinstance(lay, Neuron) else lay for lay in model.network.layers]
    formal = processed(layers, model.network.input_shape)
    (expected,) = metric.apply(formal, None, None, CONTEXT).tables
    totals = {row[0]: row[expected.columns.index("total")] for row in expected.rows}
    for name, spiking_nj, formal_nj, ratio in twin.rows:
        assert 1000 * formal_nj == pytest.approx(totals[name], rel=1e-9)
        assert ratio is None if not formal_nj else ratio == spiking_nj / formal_nj
    assert own == metric.apply(model, None, None, CONTEXT).tables[0]
