"""A network document executed in numpy, written from the docstrings of snn_kernel.network.

Sums are formed in the accumulator that the document names and in an order drawn at random, so that
agreement with torch means that the order does not matter.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from snn_kernel.network import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Flatten,
    GlobalSum,
    Linear,
    Neuron,
    Pool,
    Relu,
)

sys.path.insert(0, str(Path(__file__).parent))  # trained_networks.py, in every import mode
F = np.float32


@pytest.fixture
def execute():
    """The function run(network, x, rng)."""
    return run


def run(network, x, rng):
    """Logits [N, K] and spikes {layer: bool [N, T, neurons]} for x [N, C, …] or [N, T, C, …]."""
    if network.input_format is not None:
        x = network.input_format.apply(x)
    states, spikes, total = {}, {n.name: [] for n in network.only(Neuron)}, None
    for t in range(network.timesteps):
        values = {INPUT: x if network.mode == "static" else x[:, t]}
        for layer in network.layers:
            inputs = [values[s] for s in network.inputs(layer.name)]
            out = step(layer, inputs, states, rng)
            if getattr(layer, "format", None) is not None:
                out = layer.format.apply(out)
            assert out.dtype == F, layer.name
            values[layer.name] = out
            if isinstance(layer, Neuron):
                spikes[layer.name].append((out != 0).reshape(len(out), -1))
        total = out if total is None else total + out
    logits = total / F(network.timesteps)
    return logits, {name: np.stack(steps, axis=1) for name, steps in spikes.items()}


def step(layer, inputs, states, rng):
    x = inputs[0]
    match layer:
        case Conv():
            return convolve(layer, x, rng)
        case Linear():
            return weigh(x, layer.weight, layer.bias, layer.accumulator, rng)
        case Pool():
            return pool(layer, x)
        case GlobalSum():
            flat = x.reshape(*x.shape[:2], -1)[:, :, ::-1]
            return flat.sum(axis=2, dtype=layer.accumulator).astype(F)
        case Relu():
            return np.maximum(x, F(0))
        case BatchNorm():
            form = (-1, *[1] * (x.ndim - 2))
            return x * layer.scale.astype(F).reshape(form) + layer.shift.astype(F).reshape(form)
        case Flatten():
            return x.reshape(len(x), -1)
        case Add():
            total = x
            for other in inputs[1:]:
                total = total + other
            return total
        case Neuron():
            return neuron(layer, x, states)


def weigh(x, weight, bias, accumulator, rng):
    """Σ w·x + b over the last axis of x, in a random order, in the accumulator."""
    kind = np.dtype(accumulator)
    terms = [x[..., i : i + 1].astype(kind) * weight[:, i].astype(kind) for i in range(x.shape[-1])]
    if bias is not None:
        terms.append(bias.astype(kind))
    total = np.zeros((*x.shape[:-1], len(weight)), kind)
    for i in rng.permutation(len(terms)):
        total = total + terms[i]
    return total.astype(F)


def windows(x, size, stride, padding, fill):
    """[N, C, *n] → [N, C, *n', *size]."""
    axes = tuple(range(2, x.ndim))
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]], constant_values=F(fill))
    view = np.lib.stride_tricks.sliding_window_view(x, size, axes)
    return view[(slice(None), slice(None), *[slice(None, None, s) for s in stride])]


def convolve(layer, x, rng):
    size = layer.weight.shape[2:]
    view = windows(x, size, layer.stride, layer.padding, 0)
    dims, groups = len(size), layer.groups
    view = np.moveaxis(view, 1, 1 + dims)  # [N, *n', C, *size]
    parts = []
    for g in range(groups):
        cin, cout = x.shape[1] // groups, len(layer.weight) // groups
        patch = view[(..., slice(g * cin, (g + 1) * cin), *[slice(None)] * dims)]
        patch = patch.reshape(*view.shape[: 1 + dims], -1)
        weight = layer.weight[g * cout : (g + 1) * cout].reshape(cout, -1)
        bias = None if layer.bias is None else layer.bias[g * cout : (g + 1) * cout]
        parts.append(weigh(patch, weight, bias, layer.accumulator, rng))
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, 1)


def pool(layer, x):
    fill = -np.inf if layer.how == "max" else 0
    view = windows(x, layer.size, layer.stride, layer.padding, fill)
    view = view.reshape(*x.shape[:2], *view.shape[2 : x.ndim], -1)
    if layer.how == "max":
        return view.max(axis=-1)
    kind = np.dtype(layer.accumulator).type
    total = view[..., ::-1].sum(axis=-1, dtype=kind)
    return (total / kind(view.shape[-1]) if layer.how == "avg" else total).astype(F)


def neuron(layer, x, states):
    v = states.get(layer.name, np.full_like(x, layer.start))
    tau, rest = F(layer.tau), F(layer.rest)
    if layer.charge == "lif":
        u = v + (x - (v - rest)) / tau
    elif layer.charge == "lif_undecayed":
        u = (v - (v - rest) / tau) + x
    else:
        u = (F(layer.decay) * v + F(layer.gain) * x) + F(layer.bias)
    fired = u >= F(layer.threshold)
    after = u - F(layer.threshold) if layer.reset == "subtract" else F(layer.value)
    states[layer.name] = np.where(fired, after, u).astype(F)
    return fired * F(layer.payload)
