"""What of a network NIR leaves open, so that it stands in metadata alone."""

from __future__ import annotations

from collections.abc import Iterator

from snn_kernel.network import Add, Conv, GlobalSum, Layer, Linear, Network, Neuron, Pool
from snn_nir.grids import told

NODES = {"Linear": "Affine", "GlobalSum": "SumPool2d, Flatten", "Add": "(edges that meet)"}


def rows(network: Network) -> Iterator[tuple[str, str, str, str]]:
    """Per layer: its name, its nodes, the shape that it puts out, what NIR leaves open."""
    for layer in network.layers:
        shape = network.shapes[layer.name]
        yield layer.name, _node(layer, shape), " × ".join(map(str, shape)), ", ".join(_open(layer))


def _node(layer: Layer, shape: tuple[int, ...]) -> str:
    match layer:
        case Linear(bias=None):
            return "Linear"
        case Conv():
            return f"Conv{layer.weight.ndim - 2}d"
        case Pool():
            return "AvgPool2d" if layer.how == "avg" else "SumPool2d"
        case Neuron():
            leaky = layer.charge != "normal" or layer.decay != 1
            return ("LIF" if leaky else "IF") + (", Scale" if layer.payload != 1 else "")
    kind = type(layer).__name__
    return NODES.get(kind, kind)


def _open(layer: Layer) -> Iterator[str]:
    if isinstance(layer, Neuron):
        if layer.reset == "subtract":
            yield "reset by subtraction"
        if layer.start:
            yield f"starts at {layer.start:g}"
    if isinstance(layer, Add):
        yield "order of the terms"
    if isinstance(layer, Add | Pool | GlobalSum) and layer.format is not None:
        yield f"grid {told(layer.format)}"
    if isinstance(layer, Conv | Linear | Pool | GlobalSum) and layer.accumulator != "float32":
        yield f"sums in {layer.accumulator}"
