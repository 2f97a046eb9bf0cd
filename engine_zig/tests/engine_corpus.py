"""Good messages, of which the fuzzers make bad ones: small networks, all of input [1, 4, 4]."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from attrs import evolve

from snn_kernel.network import (
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

SHAPE = (1, 4, 4)


def rich() -> Network:
    """Every kind of layer and a branch."""
    weight, vector = np.ones((2, 1, 3, 3), np.float32), np.ones(2, np.float32)
    layers = (
        Conv("c", weight, vector, (1, 1), (1, 1)),
        BatchNorm("b", vector, vector),
        Neuron("n", 1.0),
        Pool("p", "max", (2, 2), (1, 1), (1, 1)),
        Pool("q", "avg", (2, 2), (1, 1), (0, 0), "float64", Format(25, 20)),
        Add("a"),
        Flatten("f"),
        Linear("l", np.ones((3, 32), np.float32), None),
        Relu("r", Format(12, -3, "floor")),
    )
    names = ("input", "c", "b", "n", "p", "q", "a", "f", "l", "r")
    edges = [*itertools.pairwise(names), ("n", "a")]
    return Network(layers, tuple(edges), SHAPE, 2, "static", Format(8, 4))


def whole() -> Network:
    """The same quantised."""
    wide = Format(8, 3)
    more = {"accumulator": "int64", "weight_format": wide}
    weight, vector = np.full((2, 1, 3, 3), -7, np.int8), np.array([5, 120], np.int8)
    layers = (
        Conv("c", weight, vector, (1, 1), (1, 1), **more, format=Format(12, 5)),
        BatchNorm("b", vector, vector.astype(np.int16), **more, bias_format=Format(16, 9)),
        Neuron("n", 1.0, charge="lif", leak=0.25, state_format=wide, input_formats=(wide,)),
        Pool("p", "max", (2, 2), (1, 1), (1, 1), "int32"),
        Pool("q", "avg", (2, 2), (1, 1), (0, 0), "int64", Format(20, 14)),
        Add("a", None, (None, Format(9, -2, "ceil"))),
        Flatten("f"),
        Linear("l", np.full((3, 32), 99, np.int32), None, **more, input_formats=(wide,)),
        Relu("r", Format(12, -3, "floor")),
    )
    return Network(layers, rich().edges, SHAPE, 2, "static", Format(8, 4))


def chain(*layers: Layer, **more: Any) -> Network:
    """One layer after another."""
    names = ("input", *(layer.name for layer in layers))
    return Network(layers, tuple(itertools.pairwise(names)), SHAPE, 3, **more)


def sequential(**neuron: Any) -> Network:
    """What event execution runs: weights, neurons, pooling, stride and padding, groups."""
    rng = np.random.default_rng(0)
    first = rng.normal(0.3, 0.5, (4, 1, 3, 3)).astype(np.float32)
    second = rng.normal(0.3, 0.5, (6, 2, 2, 2)).astype(np.float32)
    return chain(
        Conv("c", first, None, (1, 1), (1, 1)),
        Neuron("n", 1.0, **neuron),
        Pool("p", "avg", (2, 2), (2, 2), (0, 0)),
        Conv("d", second, None, (2, 1), (1, 0), 2),
        Neuron("m", 0.5, **neuron),
        Flatten("f"),
        Linear("l", rng.normal(0.2, 0.5, (3, 12)).astype(np.float32), None),
        Neuron("o", 1.0, **neuron),
    )


def leaky() -> Network:
    """The same with a leak and a bias, as functions of time."""
    plain = sequential(charge="lif", tau=4.0)
    biased = evolve(plain.layers[0], bias=np.array([0.1, 0, -0.1, 0.2], np.float32))
    return evolve(plain, layers=(biased, *plain.layers[1:]))


def integers() -> Network:
    """A quantised sequential network."""
    wide, state, spike = Format(8, 4), Format(12, 4), Format(2, 0)
    more = {"accumulator": "int32", "weight_format": wide}
    rng = np.random.default_rng(1)

    def weight(*shape: int) -> Any:
        return rng.integers(-40, 90, shape).astype(np.int8)

    return chain(
        Conv("c", weight(4, 1, 3, 3), None, (1, 1), (1, 1), **more),
        Neuron("n", 1.0, state_format=state, format=spike),
        Pool("p", "sum", (2, 2), (2, 2), (0, 0), "int32"),
        Flatten("f"),
        Linear("l", weight(3, 16), None, **more),
        Neuron("o", 1.0, state_format=state, format=spike),
        input_format=Format(8, 0),
    )


def formal() -> Network:
    """A network without neurons, over its positions."""
    return chain(
        Conv("c", np.ones((2, 1, 2, 2), np.float32), None, (1, 1), (0, 0)),
        Relu("r"),
        GlobalSum("g", "float64"),
        mode="sequence",
    )


EXECUTIONS = (
    {"kind": "clocked"},
    {"kind": "event", "dt_us": 100},
    {"kind": "event", "order": "chw", "floor": None, "single_spike": True, "dt_us": 1},
)


def loads() -> Iterator[dict[str, Any]]:
    """Every network, in every execution that it has."""
    for network in (rich(), whole(), formal()):
        yield {"op": "load", "network": msgpack.unpackb(network.pack())}
    for network in (sequential(), leaky(), integers()):
        document = msgpack.unpackb(network.pack())
        for how in EXECUTIONS:
            yield {"op": "load", "network": document, "execution": how}
        yield {"op": "load", "network": document, "cpu": "baseline", "execution": EXECUTIONS[1]}


def messages() -> Iterator[dict[str, Any]]:
    """Requests of every kind."""
    yield from loads()
    for samples, threads, spikes in [(1, 1, False), (2, 2, True), (3, 1, True)]:
        for steps in (1, 3):
            frames = np.resize(np.array([0, 1, 0, -1, 2], "<i4"), samples * steps * 16).tobytes()
            run = {"op": "run", "samples": samples, "threads": threads, "spikes": spikes}
            yield {**run, "frames": frames, "counters": spikes}
            yield {**run, "raw": spikes, "frames": None}
    for count, monitor in [(1, []), (40, ["n"]), (200, ["n", "o"])]:
        records = np.zeros((count, 4), "<u4")
        records[:, 0] = np.arange(count) % 4
        records[:, 1] = np.arange(count) // 3 % 4
        records[:, 2] = 7 * np.arange(count)
        events = {"op": "events", "records": records.tobytes(), "t0_us": 0}
        yield {**events, "sorted": False, "monitor": monitor}
        yield events
    for layer in ("n", "m", "o"):
        yield {"op": "state", "layer": layer}
    offsets = np.array([0, 40, 40, 120], "<u8").tobytes()
    batch = {"op": "samples", "records": records[:120].tobytes(), "offsets": offsets}
    yield {**batch, "threads": 2, "sorted": True}
    yield {"op": "counters"}
    yield {"op": "reset"}
    yield {"op": "unload"}


def write(folder: Path) -> None:
    """One file per message."""
    for i, message in enumerate(messages()):
        (folder / f"{i:03}-{message['op']}.msgpack").write_bytes(msgpack.packb(message))
