"""A network document as a graph of NIR."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from snn_kernel import Fault, RunError
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
    Shape,
)
from snn_nir.about import About
from snn_nir.dynamics import Dynamics, obstacles
from snn_nir.record import FLOATS, KEY, PART, kept
from snn_nir.sums import dissolved, unused

if TYPE_CHECKING:
    import nir

DT_S = 1e-4  # of a timestep, as in the experiments of NIR's paper
OUTPUT = "output"


def graph(network: Network, dt: float = DT_S) -> nir.NIRGraph:
    """The graph whose nodes, in steps of `dt` seconds, compute what `network` does.

    A layer becomes the node of its name, and a sum (Add) edges that meet. GlobalSum becomes a
    SumPool2d over the whole map and a Flatten; neurons whose spikes are not 1 are followed by a
    Scale. What NIR cannot say stands in the metadata under "snn_kernel".

    Raises RunError with everything that NIR cannot say at all.
    """
    import nir

    if found := list(faults(network, dt)):
        raise RunError(*found)
    shapes = network.shapes
    nodes: dict[str, Any] = {INPUT: nir.Input({"input": np.array(network.input_shape)})}
    taken = {layer.name for layer in network.layers}
    ends = {INPUT: INPUT}  # the node that puts out what a layer does
    inner: list[tuple[str, str]] = []
    for layer in network.layers:
        if isinstance(layer, Add):
            continue
        source = shapes[network.inputs(layer.name)[0]]
        first, *rest = nodes_of(layer, source, shapes[layer.name], dt)
        first.metadata = {KEY: dict(kept(layer))}
        nodes[layer.name], end = first, layer.name
        for node in rest:
            node.metadata = {KEY: {PART: layer.name}}
            part = unused(f"{layer.name}.{type(node).__name__.lower()}", taken)
            taken.add(part)
            nodes[part] = node
            inner.append((end, part))
            end = part
        ends[layer.name] = end
    output = unused(OUTPUT, taken)
    last = network.layers[-1].name
    nodes[output] = nir.Output({"output": np.array(shapes[last])})
    edges = [(ends[a], b) for a, b in _edges(network, output)]
    about = About.of(network, dt).metadata()
    # The package's own check knows neither groups nor windows that are not square.
    return nir.NIRGraph(nodes, inner + edges, metadata=about, type_check=False)


def faults(network: Network, dt: float = DT_S) -> Iterator[Fault]:
    """All that NIR cannot say of `network`."""
    if network.quantised:
        hint = "deploy the model as it was before it was quantised"
        yield Fault("network", "computes in fixed point, and NIR has no number formats", "", hint)
    for layer in network.layers:
        where, source = f"layer '{layer.name}'", network.shapes[network.inputs(layer.name)[0]]
        if not layer.name.strip(".") or set(layer.name) & set("/\0"):
            yield Fault(where, "its name cannot be that of a node ('/' divides names in the file)")
        if not network.quantised and _on_a_grid(layer):
            yield Fault(where, "puts values on a grid, and NIR has no number formats")
        for what, hint in _unsaid(layer, source, dt):
            yield Fault(where, what, "", hint)
    try:
        _edges(network, OUTPUT)
    except ValueError as error:
        yield Fault("network", f"{error}, and NIR's edges are a set")


def _unsaid(layer: Layer, source: Shape, dt: float) -> Iterator[tuple[str, str]]:
    """What NIR cannot say of a layer with such an input, and a hint each."""
    match layer:
        case Relu():
            yield "is a rectifier, and NIR has none", "NIR is for spiking networks"
        case BatchNorm():
            hint = "fuse it first: a [[postprocessing]] of kind FuseBatchNorm"
            yield "is a batch normalisation, and NIR has none", hint
        case Pool(how="max"):
            yield "is a max-pool, and NIR has none", "average pooling, or strides"
        case Pool() | GlobalSum() if len(source) != 3:
            yield f"pools over {len(source) - 1} axes, and NIR over two", ""
        case Conv(weight=weight) if weight.ndim not in (3, 4):
            yield f"is a convolution over {weight.ndim - 2} axes, and NIR has one and two", ""
        case Neuron():
            yield from ((what, "") for what in _neuron(layer, dt))
    for name in ("weight", "bias"):
        array = getattr(layer, name, None)
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.dtype.itemsize != 4:
            yield f"its {name} is {array.dtype}, and graphs have float32", ""


def _neuron(layer: Neuron, dt: float) -> Iterator[str]:
    infinite = [name for name in FLOATS if not math.isfinite(getattr(layer, name))]
    yield from (f"its {name} is {getattr(layer, name)}" for name in infinite)
    if infinite:
        return
    yield from (found := list(obstacles(layer)))
    if not found:
        yield from (f"as NIR has it, {what}" for what in Dynamics.of(layer, dt).faults(dt))


def _on_a_grid(layer: Layer) -> bool:
    """Where metadata have no place for it."""
    kept_of = ("format",) if isinstance(layer, Pool | GlobalSum | Add) else ()
    values = attrs.asdict(layer, filter=lambda a, _: a.name not in kept_of, recurse=False).values()
    return any(
        isinstance(part, Format)
        for value in values
        for part in (value if isinstance(value, tuple) else (value,))
    )


def _edges(network: Network, output: str) -> list[tuple[str, str]]:
    """Edges from layer to layer, to `output` in the end, without the sums."""
    names = [layer.name for layer in network.layers]
    ends = [*network.edges, (names[-1], output)]
    sums = frozenset(layer.name for layer in network.only(Add))
    return dissolved([*names, output], ends, sums)


def nodes_of(layer: Layer, source: Shape, made: Shape, dt: float) -> list[Any]:
    """The nodes, one after the other, that a layer becomes; shapes of its input and output."""
    import nir

    match layer:
        case Conv():
            return [_convolution(layer, source)]
        case Linear(bias=None):
            return [nir.Linear(layer.weight)]
        case Linear():
            return [nir.Affine(layer.weight, layer.bias)]
        case Pool():
            kind = nir.AvgPool2d if layer.how == "avg" else nir.SumPool2d
            return [kind(*map(np.array, (layer.size, layer.stride, layer.padding)))]
        case GlobalSum():
            window = np.array(source[1:])
            return [nir.SumPool2d(window, window, np.zeros(2, np.int64)), _flatten((*made, 1, 1))]
        case Flatten():
            return [_flatten(source)]
        case Neuron():
            dynamics = Dynamics.of(layer, dt)
            kind = nir.IF if dynamics.tau is None else nir.LIF
            node = kind(**dynamics.arrays(made))
            payload = [nir.Scale(np.full(made, layer.payload, np.float32))]
            return [node, *(payload if layer.payload != 1 else [])]
    raise AssertionError(layer)  # `faults` has refused the others, and sums are no nodes


def _convolution(layer: Conv, source: Shape) -> Any:
    import nir

    bias: NDArray[Any] | None = layer.bias
    if bias is None:
        bias = np.zeros(len(layer.weight), layer.weight.dtype)
    common = {"weight": layer.weight, "groups": layer.groups, "bias": bias}
    if len(source) == 2:
        sizes = {"stride": layer.stride[0], "padding": layer.padding[0], "dilation": 1}
        return nir.Conv1d(input_shape=source[1], **sizes, **common)
    pairs = {"stride": layer.stride, "padding": layer.padding, "dilation": (1, 1)}
    return nir.Conv2d(input_shape=source[1:], **pairs, **common)


def _flatten(source: Shape) -> Any:
    import nir

    return nir.Flatten({"input": np.array(source)}, start_dim=0, end_dim=-1)
