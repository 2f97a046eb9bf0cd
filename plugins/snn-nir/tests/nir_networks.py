"""Random small spiking networks that NIR can express, all of whose numbers float32 has exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from snn_kernel.network import (
    INPUT,
    Add,
    Conv,
    Flatten,
    Format,
    GlobalSum,
    Layer,
    Linear,
    Network,
    Neuron,
    Pool,
)

F = np.float32
LAWS = (
    {},
    {"gain": 0.5},
    {"charge": "lif", "tau": 2.0},
    {"charge": "lif", "tau": 1.0},
    {"charge": "lif_undecayed", "tau": 4.0},
    {"decay": 0.5, "gain": 0.5, "bias": 0.25},
    {"decay": 0.75, "gain": 0.5},
    {"decay": 0.0},
)


def quarters(rng: np.random.Generator, shape: Any) -> Any:
    """Multiples of 1/4 in -1 … 1."""
    return (rng.integers(-4, 5, shape) / 4).astype(F)


class Growth:
    """A network as it grows, spikes after each layer of weights."""

    def __init__(self, draw: Any, shape: tuple[int, ...]) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        self.layers: list[Layer] = []
        self.edges: list[tuple[str, str]] = []
        self.last, self.shape = INPUT, shape

    def add(self, layer: Layer, *sources: str) -> None:
        self.edges += [(s, layer.name) for s in sources or (self.last,)]
        if not sources:
            alone = Network((layer,), ((INPUT, layer.name),), self.shape, 1)
            self.shape = alone.shapes[layer.name]
        self.layers.append(layer)
        self.last = layer.name

    def name(self, kind: str) -> str:
        return f"{kind}{len(self.layers)}"

    def one(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def bias(self, outputs: int) -> Any:
        return quarters(self.rng, outputs) if self.one(True, False) else None

    def weights(self) -> None:
        kind = self.one("float32", "float64")
        if len(self.shape) == 1:
            weight = quarters(self.rng, (self.one(1, 3, 10), self.shape[0]))
            self.add(Linear(self.name("linear"), weight, self.bias(len(weight)), kind))
        else:
            channels, *axes = self.shape
            groups = self.one(*(g for g in (1, 2, 3) if channels % g == 0))
            size = tuple(min(self.one(1, 2, 3), n) for n in axes)
            shape = (groups * self.one(1, 2), channels // groups, *size)
            weight = quarters(self.rng, shape)
            ways = (tuple(self.one(*choice) for _ in axes) for choice in ((1, 2), (0, 1)))
            bias = self.bias(len(weight))
            self.add(Conv(self.name("conv"), weight, bias, *ways, groups, kind))
        self.neuron()

    def pool(self) -> None:
        size = tuple(min(self.one(1, 2), n) for n in self.shape[1:])
        padding = tuple(k // 2 * self.one(0, 1) for k in size)
        self.add(
            Pool(self.name("pool"), self.one("avg", "sum"), size, size, padding, format=self.grid())
        )

    def grid(self) -> Format | None:
        """None, or one that all the numbers here are on."""
        return self.one(None, Format(24, 14), Format(23, 13, "floor"))

    def neuron(self) -> None:
        reset = self.one("subtract", "value")
        value = self.one(0.0, -0.25) if reset == "value" else 0.0
        law = self.one(*LAWS)
        rest = {"rest": self.one(0.0, value)} if "charge" in law else {}
        threshold, payload = self.one(1.0, 0.5, 0.25), self.one(1.0, 1.0, 0.75)
        common = {"reset": reset, "value": value, "start": value, "payload": payload}
        self.add(Neuron(self.name("neuron"), threshold, **common, **law, **rest))

    def residual(self) -> None:
        """A population beside the way, added to what it comes from; in either order."""
        source = self.last
        self.neuron()
        ends = (source, self.last) if self.one(True, False) else (self.last, source)
        self.add(Add(self.name("add"), self.grid()), *ends)


@st.composite
def networks(draw: Any) -> Network:
    """A network of up to a dozen layers."""
    axes = draw(st.integers(0, 2))
    shape = (draw(st.integers(1, 4)), *(draw(st.integers(2, 6)) for _ in range(axes)))
    growth = Growth(draw, shape)
    for _ in range(draw(st.integers(1, 4))):
        steps = [growth.weights, growth.weights, growth.residual]
        if len(growth.shape) == 3:
            steps += [growth.pool]
        growth.one(*steps)()
    if len(growth.shape) == 3 and growth.one(True, False):
        growth.add(GlobalSum(growth.name("sum"), growth.one("float32", "float64")))
    elif len(growth.shape) > 1:
        growth.add(Flatten(growth.name("flatten")))
    if growth.one(True, False):
        growth.weights()
    mode = growth.one("static", "sequence")
    return Network(
        tuple(growth.layers), tuple(growth.edges), shape, growth.one(1, 2, 4), mode, growth.grid()
    )


def frames(network: Network, count: int, seed: int) -> Any:
    """Samples in quarters, some of them sparse."""
    rng = np.random.default_rng(seed)
    steps = (network.timesteps,) if network.mode == "sequence" else ()
    shape = (count, *steps, *network.input_shape)
    return quarters(rng, shape) * (rng.random(shape) < rng.choice([0.2, 0.6, 1.0])).astype(F)
