"""Wide layers, at every share of spikes: whichever kernel is chosen, the sums are the same."""

import itertools

import numpy as np
import pytest
from attrs import evolve
from test_engine_law import levels

from snn_engine import Engine
from snn_kernel.network import Conv, Flatten, Format, Linear, Network, Neuron
from snn_network.reference import Reference

STEPS = 20  # more than are done at a time
RATES = (0.004, 0.05, 0.3, 1.0)


def drawn(rng, *shape):
    """Small integers: sums of them are exact in every accumulator."""
    return rng.integers(-8, 9, shape).astype(np.float32)


def frames(rng, rate, peak, *shape):
    values = rng.integers(1, peak + 1, shape) * (rng.random(shape) < rate)
    return values.astype(np.float32)


def convolved(layer, x):
    """In float64, of frames [N, T, C, H, W]."""
    pads = [(0, 0)] * 3 + [(p, p) for p in layer.padding]
    x = np.pad(x.astype(np.float64), pads)
    size, share = layer.weight.shape[2:], layer.weight.shape[1]
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axis=(3, 4))
    seen = seen[:, :, :, :: layer.stride[0], :: layer.stride[1]]
    parts = [
        np.einsum("ntcyxij,ocij->ntoyx", seen[:, :, g * share : (g + 1) * share], w)
        for g, w in enumerate(np.split(layer.weight.astype(np.float64), layer.groups))
    ]
    return np.concatenate(parts, axis=2) + layer.bias[:, None, None]


SHAPES = [  # channels, outputs, kernel, stride, padding, groups
    (1, 20, 5, 1, 0, 1),
    (2, 16, 5, 2, 2, 1),
    (33, 70, 3, 1, 1, 1),
    (130, 32, 3, 2, 1, 1),
    (256, 10, 1, 1, 0, 1),
    (12, 24, 3, 1, 1, 4),
]


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize("accumulator", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_convolutions_of_floats(shape, accumulator, cpu):
    channels, outputs, size, stride, padding, groups = shape
    rng = np.random.default_rng(0)
    weight = drawn(rng, outputs, channels // groups, size, size)
    sides = ((stride, stride), (padding, padding), groups, accumulator)
    layer = Conv("conv", weight, drawn(rng, outputs), *sides)
    network = Network((layer,), (("input", "conv"),), (channels, 9, 8), STEPS, "sequence")
    with Engine.load(network, cpu) as engine:
        for rate, peak in itertools.product(RATES, (1, 3)):
            x = frames(rng, rate, peak, 2, STEPS, channels, 9, 8)
            run = engine.run(x, threads=2)
            logits = convolved(layer, x).sum(axis=1).astype(np.float32) / np.float32(STEPS)
            np.testing.assert_array_equal(run.logits, logits.reshape(2, -1))
            assert run.counts["conv"]["inputs"] == np.count_nonzero(x)


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize("accumulator", ["float32", "float64"])
@pytest.mark.parametrize(("inputs", "outputs"), [(784, 100), (509, 33), (1, 3), (2048, 1)])
def test_linear_layers_of_floats(inputs, outputs, accumulator, cpu):
    rng = np.random.default_rng(1)
    layer = Linear("linear", drawn(rng, outputs, inputs), drawn(rng, outputs), accumulator)
    network = Network((layer,), (("input", "linear"),), (inputs,), STEPS, "sequence")
    with Engine.load(network, cpu) as engine:
        for rate, peak in itertools.product(RATES, (1, 3)):
            x = frames(rng, rate, peak, 3, STEPS, inputs)
            sums = (x.astype(np.float64) @ layer.weight.T + layer.bias).sum(axis=1)
            logits = sums.astype(np.float32) / np.float32(STEPS)
            np.testing.assert_array_equal(engine.run(x).logits, logits)


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("rate", RATES)
def test_integers(rate, bits, cpu):
    """Spikes, and numbers, into sums of 16, 32 and 64 bits, against the law."""
    rng = np.random.default_rng(2)
    high = 2 ** (bits - 1)

    def weight(*shape):
        return rng.integers(-high, high, shape).astype(np.int16)

    layout = Format(bits, 0)
    fields = {"weight_format": layout, "accumulator": "int64"}
    layers = (
        Conv("a", weight(40, 3, 3, 3), None, (1, 1), (1, 1), **fields),
        Neuron("b", threshold=float(high), state_format=Format(24, 0), format=Format(2, 0)),
        Conv("c", weight(33, 40, 3, 3), weight(33), (2, 2), (1, 1), **fields),
        Neuron("d", threshold=float(4 * high), state_format=Format(24, 0), format=Format(2, 0)),
        Flatten("e"),
        Linear("f", weight(10, 33 * 9), None, **fields),
    )
    names = ["input", *(layer.name for layer in layers)]
    edges = tuple(itertools.pairwise(names))
    network = Network(layers, edges, (3, 6, 6), STEPS, "sequence", Format(4, 0))
    x = frames(rng, rate, 7, 1, STEPS, 3, 6, 6)
    logits, spikes = Reference(network).run(x)
    with Engine.load(network, cpu) as engine:
        run = engine.run(x, spikes=True)
    np.testing.assert_array_equal(run.logits, logits.reshape(1, -1))
    for name, fired in spikes.items():
        np.testing.assert_array_equal(run.spikes[name], np.packbits(fired, axis=2), name)
    narrow = evolve(network, timesteps=1)  # as many as are at hand, not as a layer could take
    with Engine.load(narrow, cpu) as engine:
        first = engine.run(x[:, :1], spikes=True)
    for name in spikes:
        np.testing.assert_array_equal(first.spikes[name], run.spikes[name][:, :1], name)
