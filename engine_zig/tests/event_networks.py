"""Sequential networks for event execution, random ones and such as are documented, and events."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from attrs import evolve

from snn_kernel.network import (
    INPUT,
    Conv,
    Flatten,
    Format,
    Layer,
    Linear,
    Network,
    Neuron,
    Pool,
)
from snn_kernel.signals import EVENT

F = np.float32


def chain(layers: Any, shape: tuple[int, ...], **more: Any) -> Network:
    """A network of layers one after another."""
    names = [INPUT, *(layer.name for layer in layers)]
    edges = tuple(pairwise(names))
    return Network(tuple(layers), edges, shape, 1, **more)


def events(network: Network, count: int, seed: int, span: int = 10) -> Any:
    """`count` events anywhere on the input, `span` µs apart on average."""
    rng = np.random.default_rng(seed)
    channels, height, width = (*network.input_shape, 1, 1)[:3]
    records = np.zeros(count, EVENT)
    records["x"], records["y"] = rng.integers(0, width, count), rng.integers(0, height, count)
    records["p"] = rng.integers(0, channels, count)
    records["t"] = np.sort(rng.integers(0, span * count + 1, count))
    return records


def drawn(seed: int, size: int = 9) -> Network:
    """A random network: convolutions with stride, padding and groups, pools, a Linear at the end;
    neurons with and without leak and bias."""
    rng = np.random.default_rng(seed)
    shape: tuple[int, ...] = (int(rng.integers(1, 5)), *map(int, rng.integers(4, size + 1, 2)))
    first, layers = shape, []

    def add(layer: Layer) -> None:
        nonlocal shape
        layers.append(layer)
        shape = chain([layer], shape).shapes[layer.name]

    for i in range(rng.integers(1, 4)):
        groups = int(rng.choice([g for g in (1, 2, 3) if shape[0] % g == 0]))
        outputs, kernel = groups * int(rng.integers(1, 40 // groups)), rng.integers(1, 5, 2)
        kernel = np.minimum(kernel, shape[1:])
        bias = rng.normal(0, 0.02, outputs).astype(F) if rng.random() < 0.3 else None
        fan_in = shape[0] // groups * int(np.prod(kernel))
        weight = rng.normal(0.1, 1 / np.sqrt(fan_in), (outputs, shape[0] // groups, *kernel))
        sizes = [tuple(map(int, rng.integers(low, high, 2))) for low, high in ((1, 4), (0, 3))]
        add(Conv(f"conv{i}", weight.astype(F), bias, *sizes, groups))
        add(population(rng, f"spikes{i}"))
        if min(shape[1:]) >= 2 and rng.random() < 0.6:
            size_ = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
            how = str(rng.choice(["avg", "sum"]))
            add(Pool(f"pool{i}", how, size_, size_, (0, 0)))
    add(Flatten("flatten"))
    weight = rng.normal(0.1, 1 / np.sqrt(shape[0]), (int(rng.integers(1, 70)), shape[0]))
    add(Linear("linear", weight.astype(F), None))
    add(population(rng, "out"))
    return chain(layers, first)


def population(rng: np.random.Generator, name: str) -> Neuron:
    """Mostly integrate-and-fire, otherwise anything."""
    if rng.random() < 0.5:
        return Neuron(name, 1.0)
    reset = str(rng.choice(["subtract", "value"]))
    value = float(rng.choice([0.0, -0.25])) if reset == "value" else 0.0
    return Neuron(
        name,
        threshold=float(rng.choice([1.0, 0.7, 0.25])),
        decay=float(rng.choice([1.0, 0.9])),
        gain=float(rng.choice([1.0, 0.3])),
        bias=float(rng.choice([0.0, 0.01])),
        reset=reset,
        value=value,
        start=value,
        payload=float(rng.choice([1.0, 0.75])),
        charge=str(rng.choice(["normal", "lif", "lif_undecayed"])),
        tau=float(rng.choice([2.0, 3.7])),
        rest=value,
    )


def quantised(network: Network, bits: int = 8, state: int = 16, leak: float = 0.125) -> Network:
    """The same with weights of `bits` bits and potentials of `state`, everything rounded to where
    integers are; averages over other than 2^p elements become sums."""
    layers: list[Layer] = []
    for layer in network.layers:
        match layer:
            case Conv() | Linear():
                format = Format(bits, bits - 1 - int(np.frexp(np.abs(layer.weight).max())[1]))
                kind = np.dtype(f"i{1 if bits <= 8 else 2}")
                whole = format.quantise(layer.weight).astype(kind)
                bias = None if layer.bias is None else format.quantise(layer.bias).astype(kind)
                more = {"accumulator": "int64", "weight_format": format}
                layers.append(evolve(layer, weight=whole, bias=bias, **more))
            case Neuron():
                fraction = state - 4
                grid = Format(state, fraction, "floor")

                def put(x: float, grid: Format = grid) -> float:
                    return float(grid.apply(np.array([x]))[0])

                own = {k: put(getattr(layer, k)) for k in ("threshold", "value", "start", "rest")}
                own |= {k: round(getattr(layer, k) * 8) / 8 for k in ("gain", "decay", "payload")}
                own["bias"] = round(layer.bias * 64) / 64
                layers.append(evolve(layer, leak=leak, state_format=grid, **own))
            case Pool() if layer.how == "avg" and np.prod(layer.size) not in (1, 2, 4):
                layers.append(evolve(layer, how="sum", accumulator="int64"))
            case Pool():
                layers.append(evolve(layer, accumulator="int64"))
            case _:
                layers.append(layer)
    return chain(layers, network.input_shape, input_format=Format(2, 0))


DOCUMENTED = ("mlp", "sensor", "wide")


def documented(name: str, weights: Any = ()) -> Network:
    """The networks that speed and equality are shown on; `weights`: in order, else random."""
    given = iter(weights)
    rng = np.random.default_rng(7)

    def weight(shape: tuple[int, ...], stride: int = 1, count: int = 1) -> Any:
        """Given, or such that an event makes some two neurons fire, also behind a pool."""
        if (found := next(given, None)) is not None:
            return found
        reached = np.prod(shape) / shape[1] / stride**2
        large = 1.2 * count * (rng.random(shape) < 2 / reached)
        return (large + rng.normal(0, 0.1, shape)).astype(F)

    def conv(name: str, o: int, i: int, k: int, s: int = 1, p: int = 0, count: int = 1) -> Any:
        yield Conv(name, weight((o, i, k, k), s, count), None, (s, s), (p, p))
        yield Neuron(f"{name}_spikes", 1.0)

    def linear(name: str, o: int, i: int, count: int = 1) -> Any:
        yield Linear(name, weight((o, i), 1, count), None)
        yield Neuron(f"{name}_spikes", 1.0)

    def pool(name: str) -> Any:
        yield Pool(name, "avg", (2, 2), (2, 2), (0, 0))

    flat = [Flatten("flatten")]
    match name:
        case "mnist":
            shape, first = (1, 28, 28), [*conv("c1", 20, 1, 5), *pool("p1")]
            middle = [*conv("c2", 32, 20, 5), *pool("p2"), *conv("c3", 128, 32, 3), *pool("p3")]
            last = [*linear("l1", 500, 128), *linear("l2", 10, 500)]
        case "mlp":
            shape, first, middle = (1, 28, 28), [], []
            last = [*linear("l1", 300, 784), *linear("l2", 10, 300)]
        case "sensor":
            shape, first = (2, 128, 128), [*conv("c1", 8, 2, 5, 2, 2), *pool("p1")]
            middle = [*conv("c2", 16, 8, 3, 2, 1, 4), *conv("c3", 24, 16, 3, 2, 1), *pool("p2")]
            last = linear("l1", 11, 24 * 16, 4)
        case "wide":
            shape, first = (3, 32, 32), [*conv("c1", 64, 3, 3, 1, 1), *conv("c2", 128, 64, 3, 2, 1)]
            middle = [*pool("p1"), *conv("c3", 256, 128, 3, 1, 1, 4), *pool("p2")]
            last = linear("l1", 10, 256 * 16, 4)
    return chain([*first, *middle, *flat, *last], shape)
