"""Counts of small networks, worked out by hand from the equations."""

import attrs
import numpy as np
import pytest

from snn_energy.counts import Counts, count
from snn_energy.elementary import Costs
from snn_energy.energy import Energy, energy
from snn_energy.layers import describe
from snn_kernel.network import Add, BatchNorm, Conv, Flatten, Linear, Neuron

LIF = Neuron("n", 1.0, charge="lif", tau=2.0)


def conv(inner=2, out=4, groups=1, bias=True):
    weight = np.ones((out, inner // groups, 3, 3), np.float32)
    return Conv("conv", weight, np.zeros(out) if bias else None, (2, 2), (1, 1), groups)


def fc(bias=True):
    return Linear("fc", np.ones((3, 16), np.float32), np.zeros(3) if bias else None)


def two_layers(processed, neuron, pixels, bias=True):
    """[2, 4, 4] → convolution, batch norm, neuron [4, 2, 2] → fully connected [3]; 3 timesteps,
    2 samples, 7 spikes between the two layers in one inference."""
    norm = BatchNorm("norm", np.ones(4), np.zeros(4))
    layers = [conv(bias=bias), norm, neuron, Flatten("flat"), fc(bias)]
    counts = {"input": pixels, "n": 14, "flat": 14}
    return describe(processed(layers, (2, 4, 4), 3, counts, samples=2))


BINARY = Counts(
    input_reads=5,
    weight_reads=5 * 4 * 9,
    bias_reads=3 * 16,
    potential_reads=180 + 48,
    potential_writes=180 + 48,
    output_writes=7,
    macs=0,
    accs=5 * 4 * 4 + 48 + 7,
    addr_macs=10,
    addr_accs=180,
)
READOUT = Counts(
    input_reads=7,
    weight_reads=21,
    bias_reads=9,
    potential_reads=30,
    potential_writes=30,
    accs=30,
    addr_accs=21,
)


def test_spikes_through_batch_norm_to_integrating_neurons(processed):
    first, norm, flat, last = two_layers(processed, Neuron("n", 1.0), pixels=10)
    assert count(first) == BINARY
    assert count(norm) == count(flat) == Counts()
    assert count(last) == READOUT


def test_leak_multiplies_at_every_neuron_and_timestep(processed):
    first, *_, last = two_layers(processed, LIF, pixels=10)
    assert count(first) == attrs.evolve(BINARY, macs=48)
    assert count(last) == READOUT


def test_a_fully_connected_layer_leaks_likewise(processed):
    layers = [fc(), attrs.evolve(LIF, name="n")]
    (layer,) = describe(processed(layers, (16,), 3, {"input": 14, "n": 4}, samples=2))
    leaking = attrs.evolve(READOUT, output_writes=2, accs=32, macs=9)
    assert count(layer) == leaking


def test_without_bias_only_its_reads_are_gone(processed):
    first, *_, last = two_layers(processed, LIF, pixels=10, bias=False)
    assert count(first) == attrs.evolve(BINARY, macs=48, bias_reads=0)
    assert count(last) == attrs.evolve(READOUT, bias_reads=0)


def test_numbers_for_spikes_multiply_once(processed):
    """90 non-zeros in 2 samples: 15 per timestep, a rate of 15 / 32."""
    first, *_ = two_layers(processed, LIF, pixels=(90, 12.5))
    assert first.hybrid
    assert count(first) == Counts(
        input_reads=15,
        weight_reads=15 * 36,
        bias_reads=48,
        potential_reads=45 * 36 + 48,
        potential_writes=45 * 36 + 48,
        output_writes=7,
        macs=2 * 16 * 9 * 15 / 32,
        muls=16,
        accs=16 + 7,
        addr_macs=30,
        addr_accs=540,
    )


def test_numbers_into_a_fully_connected_layer(processed):
    layers = [fc(), Neuron("n", 1.0)]
    (layer,) = describe(processed(layers, (16,), 4, {"input": (48, 3.5), "n": 5}))
    assert count(layer) == Counts(
        input_reads=12,
        weight_reads=36,
        bias_reads=12,
        potential_reads=48 * 3 + 12,
        potential_writes=48 * 3 + 12,
        output_writes=5,
        macs=48 * 0.75,
        accs=3 + 5,
        addr_accs=36,
    )


def test_a_spike_reaches_only_the_channels_of_its_group(processed):
    layers = [conv(4, 8, groups=4), Neuron("n", 1.0)]
    (layer,) = describe(processed(layers, (4, 4, 4), 1, {"input": 5, "n": 0}))
    counts = count(layer)
    assert counts.weight_reads == counts.addr_accs == 5 * 2 * 9
    assert counts.accs == 5 * 4 * 2 + 32


def test_formal_layers(processed):
    first, flat, last = describe(processed([conv(), Flatten("flat"), fc()], (2, 4, 4)))
    assert count(first) == Counts(
        input_reads=288,
        weight_reads=288,
        bias_reads=16,
        output_writes=16,
        macs=288,
        accs=16,
        addr_accs=32 + 16 + 36,
    )
    assert count(flat) == Counts()
    assert count(last) == Counts(
        input_reads=16,
        weight_reads=48,
        bias_reads=3,
        output_writes=3,
        macs=48,
        accs=3,
        addr_accs=48,
    )


def test_additions_cost_where_no_neurons_are(processed):
    layers = [attrs.evolve(conv(), name=n) for n in "ab"]
    edges = [("input", "a"), ("input", "b"), ("a", "add"), ("b", "add")]
    formal = Counts(input_reads=32, output_writes=16, accs=16, addr_accs=16)
    *_, add = describe(processed([*layers, Add("add")], (2, 4, 4), edges=edges))
    assert count(add) == formal
    three = [*edges, ("a", "add")]
    *_, add = describe(processed([*layers, Add("add")], (2, 4, 4), edges=three))
    assert count(add) == attrs.evolve(formal, input_reads=48, accs=32)
    edges = [("input", "a"), ("a", "n"), ("input", "b"), ("n", "add"), ("b", "add")]
    layers = [*layers, Neuron("n", 1.0), Add("add")]
    *_, add = describe(processed(layers, (2, 4, 4), edges=edges))
    assert count(add) == Counts()


@pytest.mark.parametrize(("neuron", "ops"), [(Neuron("n", 1.0), 4.05), (LIF, 15.09)])
def test_energy_in_pj(processed, neuron, ops):
    """8 bits: E(n) = 8.72e-5·n + 13.2, an addition 0.03, a multiplication 0.2; FIFOs of 64."""
    first, norm, _, last = two_layers(processed, neuron, pixels=10)
    costs = Costs(8, "old", 0.03, 0.2)
    spent = energy(first, count(first), costs, 64)
    assert attrs.astuple(spent) == pytest.approx(
        (6019.8362112, 2377.130112, 633.6167424, 158.4669696, ops, 7.7), rel=1e-12
    )
    assert spent.mem_total == pytest.approx(9189.0500352, rel=1e-12)
    assert spent.opsaddr == pytest.approx(ops + 7.7, rel=1e-12)
    assert spent.total == pytest.approx(9196.7500352 + ops, rel=1e-12)
    assert energy(norm, count(norm), costs, 64) == Energy()
    assert attrs.astuple(energy(last, count(last), costs, 64)) == pytest.approx(
        (792.015696, 277.2878976, 118.8023544, 92.4390656, 0.9, 0.63), rel=1e-12
    )


def test_energy_of_packed_memory_and_of_multiplications_alone(processed):
    first, *_ = two_layers(processed, LIF, pixels=(90, 12.5))
    spent = energy(first, count(first), Costs(16, "new", 1.0, 10.0), 64)
    assert attrs.astuple(spent) == (
        2 * 1668 * 2.5,
        540 * 2.5,
        48 * 2.5,
        22 * 2.5,
        135 * 11 + 16 * 10 + 23,
        30 * 11 + 540,
    )


def test_formal_inputs_and_outputs_lie_in_memories_that_hold_them(processed):
    first, *_ = describe(processed([conv()], (2, 4, 4)))
    spent = energy(first, count(first), Costs(8, "old", 0.1, 3.1), fifo_size=4096)
    reads, writes = 288 * (13.2 + 8.72e-5 * 32), 16 * (13.2 + 8.72e-5 * 16)
    assert spent.mem_io == pytest.approx(reads + writes, rel=1e-12)
    assert spent.mem_pot == 0
