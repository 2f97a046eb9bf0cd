"""Random small networks, and a slow reference that runs them by the letter of the document."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from snn_kernel.network import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Flatten,
    Format,
    GlobalSum,
    Layer,
    Linear,
    Network,
    Neuron,
    Pool,
    Relu,
)

F = np.float32


def windows(x: Any, size: Any, stride: Any, padding: Any, fill: float) -> Any:
    """Per tap, in order, the inputs [C, *n'] that it meets."""
    pads = [(0, 0), *((p, p) for p in padding)]
    padded = np.pad(x, pads, constant_values=F(fill))
    out = [(n - k) // s + 1 for n, k, s in zip(padded.shape[1:], size, stride, strict=True)]
    for tap in np.ndindex(*size):
        cut = [slice(t, t + s * (n - 1) + 1, s) for t, s, n in zip(tap, stride, out, strict=True)]
        yield tap, padded[(slice(None), *cut)]


def convolve(layer: Conv, x: Any) -> Any:
    kind = np.dtype(layer.accumulator).type
    outputs, share = layer.weight.shape[:2]
    taps = list(windows(x, layer.weight.shape[2:], layer.stride, layer.padding, 0))
    y = np.zeros((outputs, *taps[0][1].shape[1:]), kind)
    for o in range(outputs):
        first = o // (outputs // layer.groups) * share
        for tap, seen in taps:
            for i in range(share):
                y[o] += kind(layer.weight[(o, i, *tap)]) * seen[first + i].astype(kind)
        y[o] += kind(0 if layer.bias is None else layer.bias[o])
    return y.astype(F)


def connect(layer: Linear, x: Any) -> Any:
    kind = np.dtype(layer.accumulator).type
    y = np.zeros(len(layer.weight), kind)
    for i, value in enumerate(x):
        y += layer.weight[:, i].astype(kind) * kind(value)
    return (y if layer.bias is None else y + layer.bias.astype(kind)).astype(F)


def pool(layer: Pool, x: Any) -> Any:
    fill = -math.inf if layer.how == "max" else 0
    kind = np.dtype(layer.accumulator).type
    seen = [s for _, s in windows(x, layer.size, layer.stride, layer.padding, fill)]
    y = seen[0].astype(kind)
    for s in seen[1:]:
        y = np.maximum(y, s) if layer.how == "max" else y + s.astype(kind)
    return (y / kind(math.prod(layer.size)) if layer.how == "avg" else y).astype(F)


def charged(layer: Neuron, v: Any, x: Any) -> Any:
    tau, rest = F(layer.tau), F(layer.rest)
    match layer.charge:
        case "lif":
            return v + (x - (v - rest)) / tau
        case "lif_undecayed":
            return (v - (v - rest) / tau) + x
    return (F(layer.decay) * v + F(layer.gain) * x) + F(layer.bias)


def stateless(layer: Layer, x: list[Any]) -> Any:
    """What any layer but a Neuron puts out, grid aside."""
    match layer:
        case Conv():
            return convolve(layer, x[0])
        case Linear():
            return connect(layer, x[0])
        case Pool():
            return pool(layer, x[0])
        case GlobalSum():
            return x[0].reshape(len(x[0]), -1).sum(axis=1, dtype=layer.accumulator).astype(F)
        case BatchNorm():
            axes = (-1, *(1,) * (x[0].ndim - 1))
            return layer.scale.reshape(axes) * x[0] + layer.shift.reshape(axes)
        case Flatten():
            return x[0].reshape(-1)
        case Add():
            return functools.reduce(np.add, x)
        case Relu():
            return np.maximum(x[0], F(0))
    raise TypeError(layer)


def timesteps(network: Network, sample: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """At each timestep, what the layers put out for one sample, in float32, and who fired."""
    potentials = {n.name: np.full(network.shapes[n.name], n.start, F) for n in network.only(Neuron)}
    for t in range(network.timesteps):
        values = {INPUT: sample[t] if network.mode == "sequence" else sample}
        spikes = {}
        for layer in network.layers:
            x = [values[name] for name in network.inputs(layer.name)]
            if isinstance(layer, Neuron):
                u = charged(layer, potentials[layer.name], x[0])
                fired = u >= F(layer.threshold)
                after = u - F(layer.threshold) if layer.reset == "subtract" else F(layer.value)
                potentials[layer.name] = np.where(fired, after, u)
                spikes[layer.name] = fired.reshape(-1)
                y = np.where(fired, F(layer.payload), F(0))
            else:
                y = stateless(layer, x)
            if getattr(layer, "format", None) is not None:
                y = layer.format.apply(y)
            assert y.dtype == F, layer
            values[layer.name] = y
        yield values, spikes


def reference(network: Network, sample: Any) -> tuple[Any, dict[str, Any]]:
    """Logits [K] and spikes {layer: bool [T, neurons]} of one sample, in float32."""
    spikes: dict[str, list[Any]] = {n.name: [] for n in network.only(Neuron)}
    total = None
    for values, fired in timesteps(network, sample):
        for name, found in fired.items():
            spikes[name].append(found)
        y = values[network.layers[-1].name]
        total = y.reshape(-1) if total is None else total + y.reshape(-1)
    return total / F(network.timesteps), {n: np.array(s) for n, s in spikes.items()}


def grid(rng: np.random.Generator, shape: Any, steps: int, size: int) -> Any:
    """float32 multiples of 1/size up to steps/size."""
    return (rng.integers(-steps, steps + 1, shape) / size).astype(F)


class Draft:
    """A network as it grows. `bits`: how many the values in the last layer need at most; None if
    they lie on no grid, so that no sum of them is exact."""

    def __init__(self, draw: Any, shape: tuple[int, ...]) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        self.layers: list[Layer] = []
        self.edges: list[tuple[str, str]] = []
        self.last, self.shape, self.bits = INPUT, shape, 6

    def add(self, layer: Layer, *sources: str) -> None:
        self.edges += [(s, layer.name) for s in sources or (self.last,)]
        if not sources:  # what is added keeps its shape
            alone = Network((layer,), ((INPUT, layer.name),), self.shape, 1)
            self.shape = alone.shapes[layer.name]
        self.layers.append(layer)
        self.last = layer.name

    def name(self, kind: str) -> str:
        return f"{kind}{len(self.layers)}"

    def small(self, low: int, high: int) -> tuple[int, ...]:
        return tuple(self.draw(st.integers(low, high)) for _ in self.shape[1:])

    def synapses(self, fan_in: int) -> str:
        """The accumulator for a layer of weights of 7 bits."""
        return self.accumulator(8 + fan_in.bit_length())

    def accumulator(self, bits: int) -> str:
        """The accumulator for sums that take `bits` more than their terms."""
        assert self.bits is not None
        self.bits += bits
        return "float64" if self.bits > 24 or self.draw(st.booleans()) else "float32"

    def format(self) -> Format | None:
        """A grid, or none; the bits of what is put on it are set."""
        if self.draw(st.booleans()):
            return None
        bits, fraction = self.draw(st.integers(4, 12)), self.draw(st.integers(2, 11))
        self.bits = max(bits, fraction + 1)
        return Format(bits, fraction, self.draw(st.sampled_from(["nearest", "floor", "ceil"])))

    def relu(self) -> None:
        self.add(Relu(self.name("relu"), self.format()))

    def conv(self) -> None:
        channels = self.shape[0]
        groups = self.draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
        outputs = groups * self.draw(st.integers(1, 9))
        size = tuple(min(k, n) for k, n in zip(self.small(1, 3), self.shape[1:], strict=True))
        shape = (outputs, channels // groups, *size)
        accumulator = self.synapses(math.prod(shape[1:]))
        bias = grid(self.rng, outputs, 64, 64) if self.draw(st.booleans()) else None
        weight, stride, padding = grid(self.rng, shape, 64, 64), self.small(1, 3), self.small(0, 2)
        self.add(Conv(self.name("conv"), weight, bias, stride, padding, groups, accumulator))

    def linear(self) -> None:
        outputs = self.draw(st.integers(1, 21))
        accumulator = self.synapses(self.shape[0])
        bias = grid(self.rng, outputs, 64, 64) if self.draw(st.booleans()) else None
        weight = grid(self.rng, (outputs, self.shape[0]), 64, 64)
        self.add(Linear(self.name("linear"), weight, bias, accumulator))

    def pool(self) -> None:
        how = self.draw(st.sampled_from(["max", "avg", "sum"]))
        size = tuple(min(k, n) for k, n in zip(self.small(1, 3), self.shape[1:], strict=True))
        padding = tuple(k // 2 * self.draw(st.integers(0, 1)) for k in size)
        sizes = (size, self.small(1, 3), padding)
        kind = "float32" if how == "max" else self.accumulator(4)
        if how == "avg" and math.prod(size) not in (1, 2, 4):
            self.bits = None
        self.add(Pool(self.name("pool"), how, *sizes, kind, self.format()))

    def norm(self) -> None:
        c = self.shape[0]
        scale, shift = grid(self.rng, c, 24, 8), grid(self.rng, c, 24, 8)
        self.add(BatchNorm(self.name("norm"), scale, shift))
        self.bits = self.bits + 9 if self.bits + 9 <= 24 else None

    def neuron(self) -> None:
        reset = self.draw(st.sampled_from(["subtract", "value"]))
        value = self.draw(st.sampled_from([0.0, -0.3])) if reset == "value" else 0.0
        layer = Neuron(
            self.name("neuron"),
            threshold=self.draw(st.sampled_from([1.0, 0.7, 0.25])),
            decay=self.draw(st.sampled_from([1.0, 0.9])),
            gain=self.draw(st.sampled_from([1.0, 0.3])),
            bias=self.draw(st.sampled_from([0.0, 0.1])),
            reset=reset,
            value=value,
            start=value,
            payload=self.draw(st.sampled_from([1.0, 0.75, 0.0])),
            charge=self.draw(st.sampled_from(["normal", "lif", "lif_undecayed"])),
            tau=self.draw(st.sampled_from([2.0, 3.7])),
            rest=value,
        )
        self.add(layer)
        self.bits = 2

    def residual(self) -> None:
        """A population beside the way, added to what it comes from."""
        source, bits = self.last, self.bits
        self.neuron()
        self.bits = bits + 2 if bits is not None and bits + 2 <= 24 else None
        self.add(Add(self.name("add"), self.format()), source, self.last)


@st.composite
def networks(draw: Any) -> Network:
    """A network of up to nine layers, all of whose sums are exact in their accumulators."""
    axes = draw(st.integers(0, 2))
    shape = (draw(st.integers(1, 6)), *(draw(st.integers(2, 7)) for _ in range(axes)))
    draft = Draft(draw, shape)
    for _ in range(draw(st.integers(1, 6))):
        steps = [draft.neuron, draft.residual, draft.relu]
        if draft.bits is not None:
            steps += [draft.norm]
            if draft.bits + 20 <= 53:
                steps += [draft.linear] if len(draft.shape) == 1 else [draft.conv, draft.conv]
            if len(draft.shape) > 1 and draft.bits + 4 <= 53:
                steps += [draft.pool]
        draw(st.sampled_from(steps))()
        if draft.bits is not None and draft.bits > 40:
            draft.neuron()
    if len(draft.shape) > 1 and draw(st.booleans()):
        if draw(st.booleans()) and draft.bits is not None:
            kind = draft.accumulator(6)
            draft.add(GlobalSum(draft.name("sum"), kind, draft.format()))
        else:
            draft.add(Flatten(draft.name("flatten")))
    return Network(
        tuple(draft.layers),
        tuple(draft.edges),
        shape,
        draw(st.integers(1, 8)),
        draw(st.sampled_from(["static", "sequence"])),
    )


def frames(network: Network, count: int, seed: int) -> Any:
    """Samples on a grid of 1/16, sparse, half full or nearly full."""
    rng = np.random.default_rng(seed)
    steps = (network.timesteps,) if network.mode == "sequence" else ()
    shape = (count, *steps, *network.input_shape)
    return grid(rng, shape, 16, 16) * (rng.random(shape) < rng.choice([0.05, 0.4, 0.9])).astype(F)
