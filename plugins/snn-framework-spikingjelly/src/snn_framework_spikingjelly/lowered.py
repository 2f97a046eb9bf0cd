"""A model computing with the numbers of its own network document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from snn_framework_spikingjelly.lowering import Lowered
from snn_kernel.network import INPUT, BatchNorm, Conv, Layer, Linear

Forward = Callable[[Tensor], Tensor]


@contextmanager
def lowered(model: nn.Module, found: Lowered) -> Iterator[None]:
    """Within, every layer of `model` uses the arrays and the accumulator of the document.

    Only the modules' `forward` is replaced, for as long as the context lasts; parameters, buffers
    and the float model are never touched. NNPACK, whose convolutions are Winograd transforms and so
    do not add plain products, is off meanwhile (oneDNN, which torch prefers, is asked for direct
    convolutions by torch itself).
    """
    network, forwards = found.network, dict[str, Forward]()
    for name in found.folded:
        forwards[name] = _identity
    for layer in network.layers:
        forward = _forward(layer, model)
        if forward is not None:
            static = network.mode == "static" and network.inputs(layer.name) == (INPUT,)
            forwards[layer.name] = _remembering(forward) if static else forward
    modules = {name: model.get_submodule(name) for name in forwards}
    kept = {name: module.__dict__.get("forward") for name, module in modules.items()}
    try:
        for name, module in modules.items():
            module.__dict__["forward"] = forwards[name]
        with torch.backends.nnpack.flags(enabled=False):
            yield
    finally:
        for name, module in modules.items():
            if kept[name] is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = kept[name]


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


def _forward(layer: Layer, model: nn.Module) -> Forward | None:
    """What the module behind `layer` computes, None if it is to compute what it does anyway."""
    if not isinstance(layer, Conv | Linear | BatchNorm):
        return None
    module = model.get_submodule(layer.name)
    if hasattr(module, "lower"):
        return None
    if isinstance(layer, BatchNorm):
        return _normalise(layer, getattr(module, "step_mode", "s") == "m")
    dtype = torch.float64 if layer.accumulator == "float64" else torch.float32
    weight = torch.tensor(layer.weight, dtype=dtype)
    bias = None if layer.bias is None else torch.tensor(layer.bias, dtype=dtype)
    if isinstance(layer, Linear):
        return lambda x: functional.linear(x.to(dtype), weight, bias).float()
    return _convolve(layer, weight, bias)


def _convolve(layer: Conv, weight: Tensor, bias: Tensor | None) -> Forward:
    convolve = functional.conv1d if weight.ndim == 3 else functional.conv2d

    def forward(x: Tensor) -> Tensor:
        lead = x.shape[: 1 - weight.ndim]
        if len(lead) == 2 and x.stride(0) == 0:  # one input shown at every timestep
            return forward(x[0]).expand(len(x), *[-1] * (x.ndim - 1))
        flat = x.flatten(0, 1) if len(lead) == 2 else x
        sizes = (layer.stride, layer.padding, 1, layer.groups)
        y = convolve(flat.to(weight.dtype), weight, bias, *sizes)
        return y.float().reshape(*lead, *y.shape[1:])

    return forward


def _normalise(layer: BatchNorm, multi_step: bool) -> Forward:
    scale, shift = torch.tensor(layer.scale), torch.tensor(layer.shift)

    def forward(x: Tensor) -> Tensor:
        form = (-1, *[1] * (x.ndim - (3 if multi_step else 2)))
        return x * scale.reshape(form) + shift.reshape(form)

    return forward
