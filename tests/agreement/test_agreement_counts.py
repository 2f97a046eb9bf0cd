"""Counted operations beside those of the equations, on networks that are known by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_deploy_engine.counter import EventCounter
from snn_energy.counter import OperationCounter
from snn_energy.counts import Counts, count
from snn_energy.events import counted
from snn_energy.layers import describe
from snn_energy.metric import EnergyEstimationMetric
from snn_engine import Engine
from snn_kernel import Activity, Context, Processed, Samples, Splits, Tally, Trained
from snn_kernel.network import INPUT, Conv, Flatten, Linear, Network, Neuron

NEURONS = (
    Neuron("", 1.0),
    Neuron("", 0.5, decay=0.5, gain=0.5),
    Neuron("", 0.75, charge="lif", tau=2.0, reset="value"),
)


@st.composite
def stacks(draw: Any, every_tap_lands: bool) -> Network:
    """Convolutions (none, if the input has one dimension), then linear layers, a neuron after each
    of them but the last."""
    dims = draw(st.integers(0, 2))
    shape = (draw(st.sampled_from([1, 2, 4])), *(draw(st.integers(3, 6)) for _ in range(dims)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def weight(*size: int) -> Any:
        return (rng.integers(-16, 33, size) / 32).astype(np.float32)

    layers: list[Any] = []
    channels, sides = shape[0], shape[1:]
    for i in range(draw(st.integers(1, 2)) if dims else 0):
        groups = draw(st.sampled_from([g for g in (1, 2) if channels % g == 0]))
        out = groups * draw(st.integers(1, 3))
        size = tuple(draw(st.integers(1, min(3, n))) for n in sides)
        stride, padding = (1,) * dims, tuple(k - 1 for k in size)
        if not every_tap_lands:
            stride = tuple(draw(st.integers(1, 3)) for _ in sides)
            padding = tuple(draw(st.integers(0, k - 1)) for k in size)
        bias = weight(out) if draw(st.booleans()) else None
        kernel = weight(out, channels // groups, *size)
        layers.append(Conv(f"conv{i}", kernel, bias, stride, padding, groups))
        layers.append(attrs.evolve(draw(st.sampled_from(NEURONS)), name=f"neuron{i}"))
        channels = out
        pairs = zip(sides, size, stride, padding, strict=True)
        sides = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in pairs)
    if dims:
        layers.append(Flatten("flat"))
    inner = channels * math.prod(sides)
    for i, out in enumerate((draw(st.integers(1, 5)), 3)):
        bias = weight(out) if draw(st.booleans()) else None
        layers.append(Linear(f"fc{i}", weight(out, inner), bias))
        inner = out
        if i == 0:
            layers.append(attrs.evolve(draw(st.sampled_from(NEURONS)), name="last"))
    edges = tuple(itertools.pairwise([INPUT, *(lay.name for lay in layers)]))
    mode = draw(st.sampled_from(["static", "sequence"]))
    return Network(tuple(layers), edges, shape, draw(st.sampled_from([1, 2, 4])), mode)


def pictures(network: Network, seed: int, samples: int, binary: bool = True) -> Samples:
    """Sparse samples, channels last, of spikes or of numbers."""
    rng = np.random.default_rng(seed)
    timed = (network.timesteps,) if network.mode == "sequence" else ()
    shape = (samples, *timed, *network.input_shape[1:], network.input_shape[0])
    x = (rng.random(shape) < rng.choice([0.1, 0.5, 1.0])).astype(np.float32)
    if not binary:
        x *= rng.integers(1, 9, shape) / np.float32(4)
    layout = "N" + "T" * len(timed) + ("C", "LC", "HWC")[len(network.input_shape) - 1]
    return Samples(x, np.zeros(samples, np.int64), layout)


def seen(network: Network, samples: Samples) -> Processed:
    """The network with its activity, read off its input and its spikes."""
    with Engine.load(network) as engine:
        spikes = engine.run(samples.channels_first(), spikes=True).spikes
    n, steps = len(samples), network.timesteps
    shown = samples.x if network.mode == "sequence" else np.repeat(samples.x[:, None], steps, 1)
    tallies, last = {}, INPUT
    for name, shape in network.shapes.items():
        elements = math.prod(shape)
        if name == INPUT:
            found = np.count_nonzero(shown), bool(np.isin(shown, (0, 1)).all())
        elif name in spikes:
            found = int(np.bitwise_count(spikes[name]).sum()), True
        elif name == "flat":
            found = tallies[last].nonzeros, True
        else:
            found = elements * n * steps, False
        tallies[name], last = Tally(elements, found[0], float(found[0]), found[1]), name
    activity = tuple(
        Activity(lay.name, tallies[network.inputs(lay.name)[0]], tallies[lay.name], n, steps)
        for lay in network.layers
    )
    return Processed("net", None, Trained(None), network=network, activity=activity)


SILENT = Context(0, Path())


def applied(samples: Samples) -> tuple[Splits, None, Context]:
    """What a postprocessing is lent beside the model."""
    return Splits(samples, None, samples, 2), None, SILENT


def both(network: Network, samples: Samples) -> dict[str, tuple[Any, Counts, Counts]]:
    """Each layer with weights: described, its counts estimated and counted."""
    processed = seen(network, samples)
    outcome = EventCounter(threads=1).apply(processed, *applied(samples))
    layers, counts = counted(processed.fold(outcome))
    assert layers == describe(processed)
    rows = zip(layers, map(count, layers), counts, strict=True)
    return {lay.name: (lay, *found) for lay, *found in rows if lay.synapses}


@settings(deadline=None, max_examples=150)
@given(stacks(every_tap_lands=True), st.integers(0, 2**32), st.sampled_from([1, 2, 4]))
def test_where_every_tap_lands_the_equations_are_exact(
    network: Network, seed: int, samples: int
) -> None:
    """Fully connected layers, and convolutions of stride 1 with padding k - 1: not only synaptic
    operations but every count is that of the equations, without rounding."""
    for layer, estimated, found in both(network, pictures(network, seed, samples)).values():
        assert found == estimated, layer.name


@settings(deadline=None, max_examples=150)
@given(stacks(every_tap_lands=False), st.integers(0, 2**32), st.booleans())
def test_elsewhere_the_equations_never_undercount_synapses(
    network: Network, seed: int, binary: bool
) -> None:
    """Numbers that change from timestep to timestep aside, for which they take one timestep."""
    found = both(network, pictures(network, seed, 2, binary))
    for layer, estimated, events in found.values():
        if layer.hybrid and network.mode == "sequence":
            continue
        assert events.input_reads == estimated.input_reads
        assert events.output_writes == estimated.output_writes
        assert events.bias_reads == estimated.bias_reads
        for name in ("weight_reads", "potential_reads", "potential_writes", "addr_accs"):
            assert getattr(events, name) <= getattr(estimated, name), (layer.name, name)


@settings(deadline=None, max_examples=40)
@given(stacks(every_tap_lands=True), st.integers(0, 2**32))
def test_numbers_that_are_shown_again_are_weighted_once(network: Network, seed: int) -> None:
    """As the equations have it, synapse for synapse; the neuron acts at every timestep."""
    network = attrs.evolve(network, mode="static")
    first, *_ = both(network, pictures(network, seed, 2, binary=False)).values()
    layer, estimated, found = first
    if not layer.hybrid:  # by chance all of them were 1
        return
    for name in ("input_reads", "weight_reads", "addr_macs", "addr_accs", "potential_reads"):
        assert getattr(found, name) == getattr(estimated, name), name
    conv, taps = layer.synapses.kind == "conv", found.weight_reads
    assert found.macs == taps
    if not conv:
        assert found.macs == pytest.approx(estimated.macs, rel=1e-12)
    updates = layer.timesteps * layer.elements_out
    assert found.accs == updates + layer.spikes_out
    assert found.muls == (updates if layer.leak else 0)


@settings(deadline=None, max_examples=40)
@given(stacks(every_tap_lands=False), st.integers(0, 2**32))
def test_how_samples_are_batched_changes_no_figure(network: Network, seed: int) -> None:
    """Energy of five samples at once is the mean of theirs one by one; sums are sums."""
    samples = pictures(network, seed, 5)
    metric = EnergyEstimationMetric(32, 64, source="both")

    def outcome(some: Samples) -> Any:
        processed = seen(network, some)
        made = EventCounter(threads=2).apply(processed, *applied(some))
        return metric.apply(processed.fold(made), None, None, SILENT)

    whole = outcome(samples)
    single = [outcome(samples.take(slice(i, i + 1))) for i in range(5)]
    for name in ("energy", "energy_counted"):
        (table,) = (t for t in whole.tables if t.name == name)
        alone = [next(t for t in made.tables if t.name == name) for made in single]
        last = table.columns.index("total") + 1
        for r, row in enumerate(table.rows):
            for c in range(1, last):
                mean = sum(t.rows[r][c] for t in alone) / 5
                assert row[c] == pytest.approx(mean, rel=1e-9)
        for c in range(1, last):
            assert table.rows[-1][c] == pytest.approx(sum(row[c] for row in table.rows[:-1]))


def test_by_hand() -> None:
    """Two spikes, one in a corner, into a 3×3 kernel with a stride of 2 and a padding of 1."""
    network = Network(
        (
            Conv(
                "conv", np.ones((2, 1, 3, 3), np.float32), np.zeros(2, np.float32), (2, 2), (1, 1)
            ),
            Neuron("n", 1.0, decay=0.5),
            Flatten("flat"),
            Linear("fc", np.ones((3, 8), np.float32), None),
        ),
        (("input", "conv"), ("conv", "n"), ("n", "flat"), ("flat", "fc")),
        (1, 4, 4),
        1,
    )
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 0, 0] = x[0, 1, 1] = 1  # the corner is seen by 1 output of 2×2, the other one by all 4
    found = both(network, Samples(x, np.zeros(1, np.int64), "NHWC"))
    _, estimated, events = found["conv"]
    spikes = 2 * 4  # all neurons fire: every output sees the second spike
    assert events == Counts(
        input_reads=2,
        weight_reads=2 * (1 + 4),
        bias_reads=8,
        potential_reads=10 + 8,
        potential_writes=10 + 8,
        output_writes=spikes,
        macs=8,
        accs=10 + 8 + spikes,
        addr_macs=4,
        addr_accs=10,
    )
    assert estimated.weight_reads == 2 * 2 * 9
    assert estimated.accs == 2 * 2 * 4 + 8 + spikes
    _, same, readout = found["fc"]
    assert readout == same
    assert readout.weight_reads == 8 * 3
    assert readout.potential_reads == 8 * 3 + 3


def test_both_tools_show_both_sides() -> None:
    network = Network(
        (Linear("fc", np.ones((2, 4), np.float32), None), Neuron("n", 1.0)),
        (("input", "fc"), ("fc", "n")),
        (4,),
        2,
    )
    samples = Samples(np.eye(4, dtype=np.float32), np.zeros(4, np.int64), "NC")
    processed = seen(network, samples)
    made = EventCounter().apply(processed, *applied(samples))
    assert [t.name for t in made.tables] == ["counts", "spread"]
    assert {m.name: m.value for m in made.measures} == {"events_in": 2.0, "weight_reads": 4.0}
    processed = processed.fold(made)
    for tool, name, unit in (
        (EnergyEstimationMetric(32, 64, source="both"), "energy", "nj"),
        (OperationCounter(source="both"), "operations", "operations"),
    ):
        outcome = tool.apply(processed, None, None, SILENT)
        assert [t.name for t in outcome.tables] == [name, f"{name}_counted", f"{name}_by_source"]
        *_, sides = outcome.tables
        assert sides.columns == ("name", f"estimated_{unit}", f"counted_{unit}", "ratio")
        assert [row[0] for row in sides.rows] == ["fc", "Total"]
        assert all(row[1] == row[2] and row[3] == 1 for row in sides.rows)
        alone = attrs.evolve(tool, source="counted").apply(processed, None, None, SILENT)
        assert [t.name for t in alone.tables] == [name]
        assert alone.tables[0].rows == outcome.tables[1].rows
        assert {m.how for m in alone.measures} == {"counted"}
        assert {(m.name, m.source) for m in outcome.measures} >= {
            (m.name, m.source) for m in alone.measures
        }
