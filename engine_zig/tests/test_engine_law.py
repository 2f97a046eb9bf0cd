"""The engine against the reference, bit for bit, on networks whose sums are exact."""

import contextlib

import numpy as np
import pytest
from attrs import evolve
from engine_networks import charged, frames, networks, reference
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_engine import Engine, EngineError
from snn_kernel.network import Conv, Format, GlobalSum, Linear, Network, Neuron, Pool, Relu


def levels():
    """The kernels that this processor can run."""
    tiny = Network((Linear("l", np.ones((1, 1), np.float32), None),), (("input", "l"),), (1,), 1)
    yield "baseline"
    for level in ("x86_64_v2", "x86_64_v3", "x86_64_v4"):
        with contextlib.suppress(EngineError), Engine.load(tiny, cpu=level) as engine:
            assert engine.cpu == level
            yield level


@pytest.mark.parametrize("cpu", list(levels()))
@given(network=networks(), seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None)
def test_logits_spikes_and_counts_are_the_references(cpu, network, seed):
    x = frames(network, 2, seed)
    with Engine.load(network, cpu=cpu) as engine:
        run = engine.run(x, spikes=True)
    counts = dict.fromkeys(run.spikes, 0)
    for i, sample in enumerate(x):
        logits, spikes = reference(network, sample)
        np.testing.assert_array_equal(run.logits[i], logits)
        assert run.logits.dtype == logits.dtype == np.float32
        assert spikes.keys() == run.spikes.keys()
        for name, expected in spikes.items():
            np.testing.assert_array_equal(run.spikes[name][i], np.packbits(expected, axis=1))
            counts[name] += int(expected.sum())
    assert counts == {n: run.counts[n]["spikes"] for n in counts}
    relus = {layer.name for layer in network.only(Relu)}
    assert relus == {n for n, c in run.counts.items() if "outputs" in c}


@given(
    charge=st.sampled_from(["normal", "lif", "lif_undecayed"]),
    tau=st.sampled_from([2.0, 3.7, 20.0]),
    rest=st.sampled_from([0.0, -0.3, 0.1]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_potentials_are_exact_to_the_last_bit(charge, tau, rest, seed):
    """A threshold at the highest potential of one neuron fires it once, the next float does not."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1, 6, 21)).astype(np.float32)
    neuron = Neuron(
        "n", 1.0, decay=0.9, gain=0.3, bias=rest, start=rest, charge=charge, tau=tau, rest=rest
    )
    potentials = [np.full(21, rest, np.float32)]
    for t in range(6):
        potentials.append(charged(neuron, potentials[-1], x[0, t]))
    chosen = int(rng.integers(21))
    highest = np.max(potentials[1:], axis=0)[chosen]
    for threshold, spikes in ((highest, 1), (np.nextafter(highest, np.float32(np.inf)), 0)):
        layer = evolve(neuron, threshold=float(threshold), reset="value", value=-1e9)
        with Engine.load(Network((layer,), (("input", "n"),), (21,), 6, "sequence")) as engine:
            run = engine.run(x, spikes=True)
        assert np.unpackbits(run.spikes["n"][0], axis=1)[:, chosen].sum() == spikes


@given(
    st.integers(2, 25),
    st.integers(-103, 149),
    st.sampled_from(["nearest", "floor", "ceil"]),
    st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_grids_are_those_of_the_document(bits, fraction, rounding, seed):
    """Around the grid's unit and its reach, halves among them, and anywhere."""
    rng = np.random.default_rng(seed)
    units = np.concatenate([rng.integers(-9, 9, 20) / 2, rng.normal(0, 2.0**bits, 20)])
    with np.errstate(over="ignore"):
        x = np.ldexp(units, -fraction).astype(np.float32)
    x = np.concatenate([x, rng.standard_normal(9), [np.nan]]).astype(np.float32)[None]
    layer = Relu("r", Format(bits, fraction, rounding))
    with Engine.load(Network((layer,), (("input", "r"),), x.shape[1:], 1)) as engine:
        run = engine.run(x)
    expected = layer.format.apply(np.maximum(x, np.float32(0)))
    np.testing.assert_array_equal(run.logits, expected)
    assert run.counts["r"]["outputs"] == np.count_nonzero(expected)


@pytest.mark.parametrize("how", ["avg", "sum"])
def test_sums_beyond_float32_are_exact_in_float64(how):
    """1 + 2^-30 - 1: float32 has no room for the middle one."""
    x = np.array([[[1, 2.0**-30, -1, 2.0**-30]]], np.float32)
    for layer in (Pool("p", how, (4,), (4,), (0,), "float64"), GlobalSum("g", "float64")):
        with Engine.load(Network((layer,), (("input", layer.name),), (1, 4), 1)) as engine:
            (logit,) = engine.run(x).logits.ravel()
        assert logit == 2.0**-29 / (4 if how == "avg" and layer.name == "p" else 1)


@given(network=networks(), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_threads_change_nothing(network, seed):
    x = frames(network, 7, seed)
    with Engine.load(network) as engine:
        one = engine.run(x, spikes=True, threads=1)
        for threads in (2, 5):
            many = engine.run(x, spikes=True, threads=threads)
            assert many == one
            for name, bits in one.spikes.items():
                np.testing.assert_array_equal(many.spikes[name], bits)


@given(network=networks(), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_a_static_input_is_a_sequence_of_equal_ones(network, seed):
    parts = (network.layers, network.edges, network.input_shape, network.timesteps)
    static, sequence = Network(*parts, "static"), Network(*parts, "sequence")
    x = frames(static, 2, seed)
    repeated = np.repeat(x[:, None], network.timesteps, axis=1)
    with Engine.load(static) as one, Engine.load(sequence) as other:
        first, second = one.run(x, spikes=True), other.run(repeated, spikes=True)
    assert first == second
    for name, bits in first.spikes.items():
        np.testing.assert_array_equal(bits, second.spikes[name])


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize("density", [0.0, 0.02, 0.15, 0.25, 1.0])
@pytest.mark.parametrize("accumulator", ["float32", "float64"])
def test_both_kernels_give_one_answer_at_every_density(cpu, density, accumulator):
    """Wide enough for every width of tile, around the density at which the kernel changes."""
    rng = np.random.default_rng(3)
    weight = (rng.integers(-64, 65, (61, 5, 3, 3)) / 64).astype(np.float32)
    conv = Conv("c", weight, None, (1, 1), (1, 1), accumulator=accumulator)
    network = Network((conv,), (("input", "c"),), (5, 9, 11), 1)
    x = (rng.random((3, 5, 9, 11)) < density).astype(np.float32)
    with Engine.load(network, cpu=cpu) as engine:
        run = engine.run(x)
    expected = [reference(network, sample)[0] for sample in x]
    np.testing.assert_array_equal(run.logits, expected)
    assert run.counts["c"]["inputs"] == np.count_nonzero(x)
