"""Random quantised networks, for whoever executes them by the integer law."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
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
    NetworkError,
    Neuron,
    Pool,
)
from snn_network.layers import shape

ROUNDINGS = ("nearest", "floor", "ceil")


def formats(low: int = 2, high: int = 16) -> Any:
    """Formats of up to `high` bits, their numbers not far from 1."""
    return st.integers(low, high).flatmap(
        lambda bits: st.builds(
            Format,
            bits=st.just(bits),
            fraction=st.integers(-1, bits + 1),
            rounding=st.sampled_from(ROUNDINGS),
        )
    )


def maybe(strategy: Any) -> Any:
    """`strategy`, or None."""
    return st.none() | strategy


@st.composite
def integers(draw: Any, shape: tuple[int, ...], format: Format) -> Any:
    """An array of integers of `format`, its largest magnitudes among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    high = 1 << (format.bits - 1)
    reach = draw(st.sampled_from([high, max(high // 4, 1), 1]))
    array = rng.integers(-reach, reach, shape, endpoint=True)
    kind = np.int8 if format.bits <= 8 else np.int16 if format.bits <= 16 else np.int32
    return np.clip(array, -high, high - 1).astype(kind)


@st.composite
def neurons(draw: Any, name: str) -> Neuron:
    """IF, LIF, ATIF, or the normal form of somebody's own, every parameter on its grid."""
    state = draw(formats(3))
    unit, high = 2.0**-state.fraction, 1 << (state.bits - 1)

    def on_grid(low: int) -> Any:
        return unit * draw(st.integers(low, high - 1))

    soft = draw(st.booleans())
    rest = 0.0 if soft else on_grid(-high)
    charge = draw(st.sampled_from(["normal", "lif", "lif_undecayed", "own"]))
    fine = draw(st.integers(1, 10))
    own = {
        "decay": draw(st.integers(0, 1 << fine)) / (1 << fine),
        "gain": draw(st.integers(-(1 << fine), 1 << fine)) / (1 << fine),
        "bias": on_grid(-high) / 4,
    }
    threshold = on_grid(1)
    return Neuron(
        name,
        threshold,
        **(own if charge == "own" else {}),
        charge="normal" if charge == "own" else charge,
        leak=draw(st.integers(1, 1 << fine)) / (1 << fine),
        reset="subtract" if soft else "value",
        value=rest,
        start=rest,
        rest=rest,
        payload=draw(st.sampled_from([1.0, threshold])),
        state_format=state,
        input_formats=draw(st.sampled_from([(), (draw(formats()),)])),
        format=draw(maybe(formats())),
    )


@st.composite
def weighted(draw: Any, kind: str, name: str, shape: tuple[int, ...]) -> Layer:
    """A convolution, linear layer or batch normalisation of inputs of `shape`."""
    weight_format, bias_format = draw(formats()), draw(maybe(formats()))
    out = draw(st.integers(1, 4))
    more = {
        "weight_format": weight_format,
        "bias_format": bias_format,
        "input_formats": draw(st.sampled_from([(), (draw(formats()),)])),
        "format": draw(maybe(formats())),
        "accumulator": "int64",
    }
    if kind == "norm":
        out = shape[0]
    biased = kind == "norm" or draw(st.booleans())
    bias = draw(integers((out,), bias_format or weight_format)) if biased else None
    if kind == "norm":
        return BatchNorm(name, draw(integers((out,), weight_format)), bias, **more)
    if kind == "linear":
        return Linear(name, draw(integers((out, *shape), weight_format)), bias, **more)
    size = tuple(draw(st.integers(1, min(3, n))) for n in shape[1:])
    stride = tuple(draw(st.integers(1, 2)) for _ in size)
    padding = tuple(draw(st.integers(0, k - 1)) for k in size)
    groups = shape[0] if draw(st.booleans()) else 1
    out *= groups
    weight = draw(integers((out, shape[0] // groups, *size), weight_format))
    bias = draw(integers((out,), bias_format or weight_format)) if biased else None
    return Conv(name, weight, bias, stride, padding, groups, **more)


@st.composite
def pools(draw: Any, name: str, shape: tuple[int, ...]) -> Pool:
    """A pool that fits `shape`."""
    size = tuple(draw(st.integers(1, min(3, n))) for n in shape[1:])
    stride = tuple(draw(st.integers(1, 2)) for _ in size)
    padding = tuple(draw(st.integers(0, k // 2)) for k in size)
    how = draw(st.sampled_from(["max", "avg", "sum"]))
    inputs = draw(st.sampled_from([(), (draw(formats()),)]))
    return Pool(name, how, size, stride, padding, "int64", draw(maybe(formats())), inputs)


@st.composite
def networks(draw: Any) -> Network:
    """A chain of two to eight layers with now and then a shortcut, one or two dimensions, and a
    linear readout; accumulators as its bounds ask."""
    dims = draw(st.integers(1, 2))
    input_shape = (draw(st.integers(1, 3)), *(draw(st.integers(3, 6)) for _ in range(dims)))
    layers, edges, last = list[Layer](), list[tuple[str, str]](), INPUT
    here, seen = input_shape, {INPUT: input_shape}
    for i in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(["conv", "conv", "neuron", "neuron", "pool", "norm", "add"]))
        name, sources = f"{kind}{i}", [last]
        if kind == "conv":
            layer = draw(weighted("conv", name, here))
        elif kind == "neuron":
            layer = draw(neurons(name))
        elif kind == "pool":
            layer = draw(pools(name, here))
        elif kind == "norm":
            layer = draw(weighted("norm", name, here))
        elif others := [n for n, s in seen.items() if s == here and n != last]:
            sources = [last, draw(st.sampled_from(others))]
            two = st.tuples(maybe(formats()), maybe(formats()))
            layer = Add(name, draw(maybe(formats())), draw(st.just(()) | two))
        else:
            continue
        layers.append(layer)
        edges += [(s, name) for s in sources]
        last = name
        here = _last_shape(layers, edges, input_shape)
        seen[name] = here
    end = draw(st.sampled_from(["flatten", "global"]))
    layers.append(Flatten("end") if end == "flatten" else GlobalSum("end", "int64"))
    edges.append((last, "end"))
    inner = _last_shape(layers, edges, input_shape)
    layers.append(draw(weighted("linear", "readout", inner)))
    edges.append(("end", "readout"))
    timesteps = draw(st.integers(1, 8))
    mode = draw(st.sampled_from(["static", "sequence"]))
    layout = draw(formats(2, 12))
    return Network(tuple(layers), tuple(edges), input_shape, timesteps, mode, layout)


def _last_shape(layers: Any, edges: Any, input_shape: Any) -> tuple[int, ...]:
    shapes = {INPUT: input_shape}
    for layer in layers:
        sources = [shapes[a] for a, b in edges if b == layer.name]
        made = shape(layer, *sources)
        assert made is not None
        shapes[layer.name] = made
    return shapes[layers[-1].name]


@st.composite
def runs(draw: Any, samples: int = 2) -> tuple[Network, Any]:
    """A network and inputs for it, some beyond the range of its input's format."""
    try:
        network = draw(networks())
    except NetworkError as error:  # sums beyond 53 bits, which is refused as it should be
        assume("in which they are exact" not in str(error))
        raise
    timed = (network.timesteps,) if network.mode == "sequence" else ()
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    assert network.input_format is not None
    reach = 1.2 * 2.0 ** (network.input_format.bits - 1 - network.input_format.fraction)
    x = rng.uniform(-reach, reach, (samples, *timed, *network.input_shape))
    return network, x.astype(np.float32)
