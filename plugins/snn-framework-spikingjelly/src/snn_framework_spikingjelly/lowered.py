"""A model computing with the numbers of its own network document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from snn_framework_spikingjelly.forwards import Forward, replaced
from snn_framework_spikingjelly.lowering import Lowered
from snn_kernel.network import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Format,
    GlobalSum,
    Layer,
    Linear,
    Network,
    Pool,
    Relu,
)

ROUND = {"floor": torch.floor, "ceil": torch.ceil, "nearest": lambda x: torch.floor(x + 0.5)}


class Laws(fx.Interpreter):
    """Runs the graph of a lowered model; nodes that are no modules compute what the document says.

    `laws` are their functions, by the names of the nodes.
    """

    def __init__(self, found: Lowered) -> None:
        super().__init__(found.graph)
        self.laws: Mapping[str, Callable[..., Tensor]] = {
            found.nodes[layer.name]: law
            for layer in found.network.layers
            if layer.name in found.functional and (law := _law(layer, found.network))
        }

    def run_node(self, n: fx.Node) -> Any:
        """The value of one node."""
        if n.name not in self.laws:
            return super().run_node(n)
        args, _ = self.fetch_args_kwargs_from_env(n)
        return self.laws[n.name](*args)


@contextmanager
def lowered(model: nn.Module, found: Lowered) -> Iterator[None]:
    """Within, every layer of `model` computes as the document says; those that quantise do anyway.

    Only `forward` of modules is replaced, for as long as the context lasts; parameters, buffers
    and the float model are never touched. NNPACK, whose convolutions are Winograd transforms and so
    do not add plain products, is off meanwhile (oneDNN, which torch prefers, is asked for direct
    convolutions by torch itself).
    """
    network, forwards = found.network, dict[nn.Module, Any]()
    for name in found.folded:
        forwards[model.get_submodule(name)] = _identity
    for layer in network.layers:
        if layer.name in found.functional or network.quantised:
            continue
        forward = _forward(layer, model, network)
        if forward is not None:
            static = network.mode == "static" and network.inputs(layer.name) == (INPUT,)
            module = model.get_submodule(layer.name)
            forwards[module] = _remembering(forward) if static else forward
    if (functions := Laws(found)).laws:
        forwards[model] = functions.run
    with replaced(forwards), torch.backends.nnpack.flags(enabled=False):
        yield


def _identity(x: Tensor) -> Tensor:
    return x


def _remembering(forward: Forward) -> Forward:
    """Compute once what is shown at every timestep."""
    last: list[Tensor | None] = [None, None]

    def remembered(x: Tensor) -> Tensor:
        if x is not last[0]:
            last[:] = x, forward(x)
        assert last[1] is not None
        return last[1]

    return remembered


def _forward(layer: Layer, model: nn.Module, network: Network) -> Callable[..., Tensor] | None:
    """What the module behind `layer` computes, None if it is to compute what it does anyway."""
    if not isinstance(layer, Conv | Linear | BatchNorm):
        return _law(layer, network)
    module = model.get_submodule(layer.name)
    if hasattr(module, "lower"):
        return None
    if isinstance(layer, BatchNorm):
        return _normalise(layer, getattr(module, "step_mode", "s") == "m")
    dtype = _dtype(layer)
    weight = torch.tensor(layer.weight, dtype=dtype)
    bias = None if layer.bias is None else torch.tensor(layer.bias, dtype=dtype)
    if isinstance(layer, Linear):
        return lambda x: functional.linear(x.to(dtype), weight, bias).float()
    return _convolve(layer, weight, bias)


def _law(layer: Layer, network: Network) -> Callable[..., Tensor] | None:
    """What a layer without arrays computes, None if every way of computing it is the same."""
    match layer:
        case Relu(format=Format() as layout):
            return lambda x, *_: _put(x.relu(), layout)
        case Add(format=Format() as layout):
            return lambda *inputs: _put(sum(inputs[1:], inputs[0]), layout)
        case GlobalSum(format=layout) if layout or layer.accumulator != "float32":
            axes = tuple(range(1 - len(network.shapes[network.inputs(layer.name)[0]]), 0))
            dtype = _dtype(layer)
            return lambda x: _put(x.to(dtype).sum(axes).float(), layout)
        case Pool(how="avg" | "sum") if layer.format or layer.accumulator != "float32":
            return _pool(layer)
    return None


def _dtype(layer: Conv | Linear | Pool | GlobalSum) -> torch.dtype:
    return torch.float64 if layer.accumulator == "float64" else torch.float32


def _put(x: Tensor, layout: Format | None) -> Tensor:
    """`x` on the grid `layout`, as Format.apply does it."""
    if layout is None:
        return x
    high = 2.0 ** (layout.bits - 1)
    whole = ROUND[layout.rounding](x.double() * 2.0**layout.fraction)
    return (whole.clamp(-high, high - 1) * 2.0**-layout.fraction).float()


def _batched(axes: int, compute: Forward) -> Forward:
    """`compute`, which takes [N, …] with `axes` after N, for [T, N, …] as well."""

    def forward(x: Tensor) -> Tensor:
        if x.ndim != axes + 2:
            return compute(x)
        if x.stride(0) == 0:  # one input shown at every timestep
            y = compute(x[0])
            return y.expand(len(x), *y.shape)
        return compute(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    return forward


def _convolve(layer: Conv, weight: Tensor, bias: Tensor | None) -> Forward:
    convolve = functional.conv1d if weight.ndim == 3 else functional.conv2d
    sizes = (layer.stride, layer.padding, 1, layer.groups)
    return _batched(
        weight.ndim - 1, lambda x: convolve(x.to(weight.dtype), weight, bias, *sizes).float()
    )


def _pool(layer: Pool) -> Forward:
    """Average and sum over windows; one axis is pooled as the second of two."""
    flat, dtype = len(layer.size) == 1, _dtype(layer)
    size, stride = ((1,) * flat + n for n in (layer.size, layer.stride))
    padding = (0,) * flat + layer.padding
    divisor = 1 if layer.how == "sum" else None

    def compute(x: Tensor) -> Tensor:
        x = x.to(dtype).unsqueeze(-2) if flat else x.to(dtype)
        y = functional.avg_pool2d(x, size, stride, padding, divisor_override=divisor)
        return _put((y.squeeze(-2) if flat else y).float(), layer.format)

    return _batched(len(layer.size) + 1, compute)


def _normalise(layer: BatchNorm, multi_step: bool) -> Forward:
    scale, shift = torch.tensor(layer.scale), torch.tensor(layer.shift)

    def forward(x: Tensor) -> Tensor:
        form = (-1, *[1] * (x.ndim - (3 if multi_step else 2)))
        return x * scale.reshape(form) + shift.reshape(form)

    return forward
