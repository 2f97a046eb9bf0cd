"""Quantised networks: the engine against the law as a program, every logit and every spike."""

import contextlib
import itertools
import math

import msgpack
import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine_law import levels

from quantised_documents import runs
from snn_engine import Engine, EngineError
from snn_engine.engine import answer
from snn_kernel.network import (
    Add,
    BatchNorm,
    Conv,
    Flatten,
    Format,
    GlobalSum,
    Linear,
    Network,
    NetworkError,
    Neuron,
    Pool,
    Relu,
)
from snn_network.reference import Reference

ROUNDINGS = ("nearest", "floor", "ceil")


def agree(network, x, **options):
    """Run both; what the engine gave."""
    logits, spikes = Reference(network).run(x)
    for threads in (1, 2):
        with Engine.load(network, **options) as engine:
            run = engine.run(x, spikes=True, threads=threads)
        np.testing.assert_array_equal(run.logits, logits.reshape(len(x), -1))
        assert run.logits.dtype == np.float32
        assert run.spikes.keys() == spikes.keys()
        for name, fired in spikes.items():
            np.testing.assert_array_equal(run.spikes[name], np.packbits(fired, axis=2), name)
            assert run.counts[name]["spikes"] == fired.sum()
    return run


def chain(*layers, shape, timesteps=1, mode="static", layout=None):
    names = ["input", *(layer.name for layer in layers)]
    layout = layout or Format(8, 0)
    edges = tuple(itertools.pairwise(names))
    return Network(tuple(layers), edges, shape, timesteps, mode, layout)


def linear(weight, bits=8, fraction=0, **fields):
    fields = {"bias": None, "accumulator": "int64"} | fields
    return Linear("l", np.asarray(weight), weight_format=Format(bits, fraction), **fields)


@pytest.mark.parametrize("cpu", list(levels()))
@given(run=runs())
@settings(max_examples=150, deadline=None)
def test_logits_and_spikes_are_those_of_the_law(cpu, run):
    agree(*run, cpu=cpu)


@given(
    rounding=st.sampled_from(ROUNDINGS),
    bits=st.integers(2, 16),
    fraction=st.integers(-12, 12),
    scale=st.integers(-6, 9),
    relu=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_every_rounding_of_numbers_of_both_signs(rounding, bits, fraction, scale, relu):
    """Each integer of 8 bits through one weight into a format, halves and saturation among them."""
    x = np.ldexp(np.arange(-128, 128, dtype=np.float32), 2)[:, None]
    made = Format(bits, fraction, rounding)
    layers = [linear([[3]], fraction=scale, format=None if relu else made)]
    layers += [Relu("r", made)] if relu else []
    agree(chain(*layers, shape=(1,), layout=Format(8, -2)), x)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("fraction", [-60, -31, -3, 3, 31, 60])
@pytest.mark.parametrize("scale", [-60, -20, 0, 29])
def test_shifts_up_to_their_limits(rounding, fraction, scale):
    """What is shifted beyond 64 bits saturates: computed here with Python's own integers."""
    x = np.array([-128, -3, -1, 0, 1, 2, 127])
    put = Format(16, fraction, rounding)
    by = scale - fraction
    layers = (linear([[1]], fraction=scale, format=put),)
    if abs(by) > 60:
        with pytest.raises(NetworkError, match="further than 60 bits"):
            chain(*layers, shape=(1,))
        return
    with Engine.load(chain(*layers, shape=(1,))) as engine:
        run = engine.run(x.astype(np.float32)[:, None])
    offset = {"nearest": 2**by // 2, "floor": 0, "ceil": 2**by - 1}[rounding] if by > 0 else 0
    moved = [(int(n) + offset) >> by if by > 0 else int(n) << -by for n in x]
    expected = [math.ldexp(min(max(n, -(2**15)), 2**15 - 1), -fraction) for n in moved]
    np.testing.assert_array_equal(run.logits[:, 0], np.array(expected).astype(np.float32))


@pytest.mark.parametrize("inputs", [(127, -128), (-128, -128), (127, 127)])
@pytest.mark.parametrize("more", [0, 1])
def test_sums_at_the_edge_of_int32(inputs, more):
    """A bound of 2^31 - 1 is formed in 32 bits and one of 2^31 in 64: both are exact."""
    weight = np.array([[2**23, 2**23 - 1]], np.int32)  # times 128: 2^31 - 128
    bias = np.array([127 + more], np.int32)
    layer = linear(weight, bits=32, bias=bias, bias_format=Format(32, 0))
    network = chain(layer, Neuron("n", 1.0, state_format=Format(32, 0)), shape=(2,), timesteps=3)
    assert network.bounds["l"].sum == 2**31 - 1 + more
    agree(network, np.array([inputs], np.float32))
    evolved = evolve(layer, accumulator="int32")
    if more:
        with pytest.raises(NetworkError, match="beyond its int32"):
            chain(evolved, shape=(2,))
    else:
        agree(chain(evolved, shape=(2,)), np.array([inputs], np.float32))


@pytest.mark.parametrize("bits", [8, 16, 17, 32])
@pytest.mark.parametrize("x_bits", [2, 8, 16, 20])
def test_weights_and_inputs_of_every_width_at_their_extremes(bits, x_bits):
    low = -(2 ** (bits - 1))
    weight = np.array([[low, low, low], [low, -low - 1, 1]], np.int32)
    x = np.array([[1, 1, 1], [-1, -1, -1], [-1, 1, 0]], np.float32) * 2.0 ** (x_bits - 1)
    agree(chain(linear(weight, bits), shape=(3,), timesteps=5, layout=Format(x_bits, 0)), x)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dims", [1, 2])
def test_convolutions_of_numbers_then_of_spikes(groups, stride, padding, dims):
    """The second one sees spikes worth 1.25, which its input format makes 1.5 or 1."""
    rng = np.random.default_rng(5)
    size, wide = (3,) * dims, Format(8, 6)
    more = {"groups": groups, "accumulator": "int32", "weight_format": wide}
    geometry = ((stride,) * dims, (padding,) * dims)

    def weight(out, share):
        return rng.integers(-128, 128, (out, share, *size)).astype(np.int8)

    bias = rng.integers(-128, 128, 36).astype(np.int8)
    state = Format(12, 5, "floor")
    for put in (None, Format(6, 1, "nearest"), Format(6, 0, "floor"), Format(4, 3)):
        layers = (
            Conv("c", weight(36, 4 // groups), bias, *geometry, **more),
            Neuron("n", 1.25, payload=1.25, state_format=state),
            Pool("p", "max", (2,) * dims, (1,) * dims, (1,) * dims, "int32"),
            Conv("d", weight(40, 36 // groups), None, *geometry, **more, input_formats=(put,)),
            Neuron("m", 2.0, charge="lif", leak=0.375, state_format=state, reset="value"),
            GlobalSum("g", "int32", format=Format(9, 2)),
        )
        network = chain(*layers, shape=(4, *(9,) * dims), timesteps=3, layout=Format(8, 6))
        x = rng.uniform(-1, 2.5, (3, *network.input_shape)).astype(np.float32)
        run = agree(network, x)
        for name, neurons in run.neurons.items():
            share = run.counts[name]["spikes"] / (len(x) * 3 * neurons)
            assert 0.01 < share < 0.99, (name, share)
        assert run.counts["d"]["inputs"] > 0


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize("density", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("bits", [4, 8, 16, 24])
def test_both_kernels_give_one_answer(cpu, density, bits):
    """Sums in 16, 32 and 64 bits, of numbers and of spikes, scattered and dense."""
    rng = np.random.default_rng(3)
    high = 2 ** (bits - 1)
    weight = rng.integers(-high, high, (61, 5, 3, 3)).astype(np.int32)
    conv = Conv("c", weight, None, (1, 1), (1, 1), 1, "int64", Format(bits, bits - 1))
    spiking = Neuron("n", 1.0, reset="value", state_format=Format(4, 0))
    x = (rng.random((2, 5, 9, 11)) < density) * rng.integers(1, 7, (2, 5, 9, 11))
    for layers in ((conv,), (spiking, conv)):
        run = agree(chain(*layers, shape=(5, 9, 11)), x.astype(np.float32), cpu=cpu)
        assert run.counts["c"]["inputs"] == np.count_nonzero(x)


def test_a_branch_whose_ends_want_different_formats():
    put = Format(5, 3, "ceil")
    layers = (
        Relu("r", None, (put,)),
        BatchNorm(
            "b",
            np.array([-7, 5], np.int8),
            np.array([9, -3], np.int8),
            "int32",
            Format(4, 2),
            Format(8, 7),
            Format(10, 1, "floor"),
            (Format(7, -1),),
        ),
        Add("a", Format(12, 0), (None, Format(9, 2), put)),
        Pool("p", "avg", (3,), (2,), (1,), "int32", Format(14, 9, "floor")),
        Flatten("f"),
        linear(np.arange(8).reshape(1, 8).astype(np.int8)),
    )
    edges = [("input", "r"), ("input", "b"), ("r", "a"), ("b", "a"), ("input", "a")]
    edges += [("a", "p"), ("p", "f"), ("f", "l")]
    x = np.random.default_rng(2).normal(0, 30, (9, 3, 2, 7)).astype(np.float32)
    agree(Network(layers, tuple(edges), (2, 7), 3, "sequence", Format(8, 1)), x)


@pytest.mark.parametrize("payload", [0.0, 0.125, -2.0])
def test_spikes_that_are_worth_nothing_or_less(payload):
    """Put into a format of whole numbers, an eighth is no spike any more."""
    neuron = Neuron("n", 1.0, payload=payload, state_format=Format(8, 0), format=Format(4, 0))
    weight = np.array([[3, -5], [7, 1]], np.int8)
    network = chain(neuron, linear(weight), shape=(2,), timesteps=4)
    run = agree(network, np.array([[1, 0], [5, 3]], np.float32))
    assert bool(run.counts["n"]["spikes"]) == (payload == -2)


def test_frames_are_integers_of_the_input_format():
    """Whoever hands in others is told so: every bound rests on them."""
    network = chain(linear([[1]]), shape=(1,), layout=Format(4, 1))
    with Engine.load(network) as engine:
        np.testing.assert_array_equal(
            engine.run(np.array([[0.25], [99.0], [-99.0]], np.float32)).logits,
            [[0.5], [3.5], [-4.0]],
        )
        assert engine.run(np.empty((0, 1), np.float32)).logits.shape == (0, 1)
        with pytest.raises(EngineError, match="frames hold a NaN"):
            engine.run(np.array([[math.nan]], np.float32))
        request = {"op": "run", "samples": 1, "threads": 1, "spikes": False}
        request["frames"] = np.array([[8]], "<i4").tobytes()
        with pytest.raises(
            EngineError, match="inputs from 0 to 8 do not fit into 4 bits"
        ) as caught:
            answer(engine._handle.call(msgpack.packb(request)))
    assert caught.value.code == "frames"


def test_nothing_of_one_run_is_left_in_the_next():
    """Runs of one size share a request's memory, also after one that was refused."""
    network = chain(linear([[1]]), shape=(1,), layout=Format(4, 1))
    frames = np.array([[3.0], [0.5], [-0.0]], np.float32)
    with Engine.load(network) as engine:
        first = engine.run(frames).logits
        with pytest.raises(EngineError, match="frames hold a NaN"):
            engine.run(np.array([[1], [math.nan], [1]], np.float32))
        np.testing.assert_array_equal(engine.run(-frames).logits, -frames)
        np.testing.assert_array_equal(engine.run(frames).logits, first)


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinite_inputs_saturate(value):
    with Engine.load(chain(linear([[1]]), shape=(1,))) as engine:
        (logit,) = engine.run(np.array([[value]], np.float32)).logits.ravel()
    assert logit == (127 if value > 0 else -128)


@given(runs(samples=1), st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_documents_are_refused_or_run_as_the_law_says(run, data):
    """Whatever still is a document gives the law's answer; no other one brings the engine down."""
    network, x = run
    document = bytearray(network.pack())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(document) - 1))
        document[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NetworkError, EngineError):
        damaged = Network.unpack(bytes(document))
        fits = damaged.input_shape == network.input_shape and damaged.mode == network.mode
        steps = damaged.mode == "static" or damaged.timesteps == network.timesteps
        with Engine.load(damaged) as engine:
            if fits and steps and damaged.quantised and engine._work < 1e6:
                agree(damaged, x)
