"""The engine against torch and SpikingJelly, bit for bit."""

import itertools

import numpy as np
import pytest

from snn_engine import Engine
from snn_kernel.network import (
    Add,
    BatchNorm,
    Conv,
    Flatten,
    GlobalSum,
    Linear,
    Network,
    Neuron,
    Pool,
)

torch = pytest.importorskip("torch")
sj = pytest.importorskip("spikingjelly.activation_based.neuron")
functional = pytest.importorskip("spikingjelly.activation_based.functional")
nn = torch.nn


def weights(rng, *shape):
    """On a grid of 1/64: sums are exact in any order."""
    return (rng.integers(-64, 65, shape) / 64).astype(np.float32)


def frames(rng, *shape):
    return (rng.integers(-8, 17, shape) / 16).astype(np.float32)


def put(module, weight, bias=None):
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight))
        if bias is not None:
            module.bias.copy_(torch.from_numpy(bias))
    return module


def watch(model, x, timesteps, populations):
    """Logits, and the spikes of the modules `populations`, as a framework computes them."""
    functional.reset_net(model)
    seen = {name: [] for name in populations}
    hooks = [
        module.register_forward_hook(lambda _, __, y, name=name: seen[name].append(y))
        for name, module in populations.items()
    ]
    with torch.no_grad():
        total = model(torch.from_numpy(x))
        for _ in range(timesteps - 1):
            total = total + model(torch.from_numpy(x))
    for hook in hooks:
        hook.remove()
    spikes = {
        name: np.packbits(torch.stack(y, 1).flatten(2).numpy() != 0, axis=2)
        for name, y in seen.items()
    }
    return (total / timesteps).flatten(1).numpy(), spikes


def chain(*layers):
    names = ("input", *(layer.name for layer in layers))
    return layers, tuple(itertools.pairwise(names))


def agree(network, model, x, populations):
    logits, spikes = watch(model.eval(), x, network.timesteps, populations)
    with Engine.load(network) as engine:
        run = engine.run(x, spikes=True, threads=2)
    np.testing.assert_array_equal(run.logits, logits)
    assert run.spikes.keys() == spikes.keys()
    for name, bits in spikes.items():
        np.testing.assert_array_equal(run.spikes[name], bits, err_msg=name)
        share = np.bitwise_count(bits).sum() / (bits.shape[0] * bits.shape[1] * run.neurons[name])
        assert 0.005 < share < 0.995, (name, share)


def populate(name, threshold, reset, tau, decay_input):
    """The document's neuron and SpikingJelly's."""
    rest = 0.0 if reset is None else reset
    reset_fields = {
        "reset": "subtract" if reset is None else "value",
        "value": rest,
        "start": rest,
    }
    if tau is None:
        layer = Neuron(name, threshold, **reset_fields)
        return layer, sj.IFNode(v_threshold=threshold, v_reset=reset)
    charge = "lif" if decay_input else "lif_undecayed"
    layer = Neuron(name, threshold, charge=charge, tau=tau, rest=rest, **reset_fields)
    node = sj.LIFNode(tau=tau, decay_input=decay_input, v_threshold=threshold, v_reset=reset)
    return layer, node


@pytest.mark.parametrize("threshold", [1.0, 0.7])
@pytest.mark.parametrize("reset", [None, 0.0, -0.3])
@pytest.mark.parametrize(
    ("tau", "decay_input"), [(None, True), (2.0, True), (2.0, False), (3.7, True), (3.7, False)]
)
@pytest.mark.parametrize("timesteps", [1, 3, 8])
def test_neurons(threshold, reset, tau, decay_input, timesteps):
    rng = np.random.default_rng(7)
    w1, b1, w2 = weights(rng, 40, 12), weights(rng, 40), weights(rng, 5, 40)
    first, node = populate("n", threshold, reset, tau, decay_input)
    layers = (Linear("a", 2 * w1, b1), first, Linear("b", w2, None))
    model = nn.Sequential(
        put(nn.Linear(12, 40), 2 * w1, b1), node, put(nn.Linear(40, 5, bias=False), w2)
    )
    network = Network(*chain(*layers), (12,), timesteps)
    agree(network, model, frames(rng, 9, 12), {"n": node})


@pytest.mark.parametrize(
    ("how", "size", "stride", "padding"),
    [
        *(("max", 2, 2, 0), ("max", 3, 2, 1), ("max", 3, 1, 1), ("max", (2, 3), (1, 2), (1, 0))),
        *(("avg", 2, 2, 0), ("avg", 3, 2, 1), ("avg", 3, 1, 0), ("avg", (3, 1), (2, 1), (1, 0))),
    ],
)
def test_pools_before_and_after_neurons(how, size, stride, padding):
    rng = np.random.default_rng(8)
    weight = weights(rng, 20, 3, 3, 3)
    pair = [v if isinstance(v, tuple) else (v, v) for v in (size, stride, padding)]
    pool = (nn.MaxPool2d if how == "max" else nn.AvgPool2d)(size, stride, padding)
    (n, node), (m, other) = (populate(*x, None, 2.0, True) for x in (("n", 0.7), ("m", 0.2)))
    layers = (Conv("c", weight, None, (1, 1), (1, 1)), Pool("p", how, *pair), n)
    layers += (Pool("q", how, *pair), m, Flatten("f"))
    conv = put(nn.Conv2d(3, 20, 3, padding=1, bias=False), weight)
    model = nn.Sequential(conv, pool, node, pool, other, nn.Flatten())
    network = Network(*chain(*layers), (3, 11, 13), 5)
    agree(network, model, frames(rng, 4, 3, 11, 13), {"n": node, "m": other})


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_grouped_and_strided_convolutions(groups, stride, padding):
    """Dense input first, sparse input second."""
    rng = np.random.default_rng(9)
    w1, w2 = weights(rng, 24, 4 // groups, 3, 3), weights(rng, 12, 24 // groups, 3, 3)
    b1 = weights(rng, 24)
    n, node = populate("n", 1.0, 0.0, 2.0, True)
    strides, paddings = (stride, stride), (padding, padding)
    layers = (
        Conv("c", w1, b1, strides, paddings, groups),
        n,
        Conv("d", w2, None, strides, paddings, groups),
    )
    model = nn.Sequential(
        put(nn.Conv2d(4, 24, 3, stride, padding, groups=groups), w1, b1),
        node,
        put(nn.Conv2d(24, 12, 3, stride, padding, groups=groups, bias=False), w2),
    )
    network = Network(*chain(*layers), (4, 12, 15), 4)
    agree(network, model, frames(rng, 3, 4, 12, 15), {"n": node})


def test_one_dimension():
    rng = np.random.default_rng(10)
    w1, w2 = weights(rng, 16, 3, 5), weights(rng, 4, 16 * 7)
    n, node = populate("n", 1.0, None, None, True)
    layers = (
        Conv("c", w1, None, (2,), (2,)),
        n,
        Pool("p", "max", (2,), (2,), (0,)),
        Flatten("f"),
        Linear("l", w2, None),
    )
    model = nn.Sequential(
        put(nn.Conv1d(3, 16, 5, 2, 2, bias=False), w1),
        node,
        nn.MaxPool1d(2),
        nn.Flatten(),
        put(nn.Linear(16 * 7, 4, bias=False), w2),
    )
    agree(Network(*chain(*layers), (3, 28), 6), model, frames(rng, 5, 3, 28), {"n": node})


class Residual(nn.Module):
    """A convolution and its population beside the way; the sum is 0, 1 or 2."""

    def __init__(self, rng, weight, scale, shift):
        super().__init__()
        self.conv = put(nn.Conv2d(2, 8, 3, padding=1, bias=False), weight[0])
        self.again = put(nn.Conv2d(8, 8, 3, padding=1, bias=False), weight[1])
        self.scale, self.shift = (torch.from_numpy(v).view(-1, 1, 1) for v in (scale, shift))
        self.n, self.m = sj.IFNode(v_reset=None), sj.IFNode(v_reset=None)

    def forward(self, x):
        y = self.n(self.conv(x) * self.scale + self.shift)
        return (y + self.m(self.again(y))).sum((2, 3))


@pytest.mark.parametrize("accumulator", ["float32", "float64"])
def test_residual_with_batch_norm_and_global_sum(accumulator):
    rng = np.random.default_rng(11)
    weight = weights(rng, 8, 2, 3, 3), weights(rng, 8, 8, 3, 3)
    scale, shift = rng.random((2, 8), np.float32)
    layers, edges = chain(
        Conv("c", weight[0], None, (1, 1), (1, 1), accumulator=accumulator),
        BatchNorm("b", scale, shift),
        Neuron("n", 1.0),
        Conv("d", weight[1], None, (1, 1), (1, 1), accumulator=accumulator),
        Neuron("m", 1.0),
        Add("a"),
        GlobalSum("g"),
    )
    edges = (*(e for e in edges if e != ("m", "a")), ("n", "a"), ("m", "a"))
    model = Residual(rng, weight, scale, shift)
    network = Network(layers, edges, (2, 9, 9), 6)
    agree(network, model, frames(rng, 4, 2, 9, 9), {"n": model.n, "m": model.m})
