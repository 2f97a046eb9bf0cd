"""Folding batch normalisation into convolutions and linear layers of a torch module."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from attrs import frozen
from spikingjelly.activation_based import base
from spikingjelly.activation_based import layer as sj
from torch import fx, nn

from snn_kernel import RunError

# By exact type: a subclass may compute something else.
WEIGHTED = {
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear),
    *(sj.Conv1d, sj.Conv2d, sj.Conv3d, sj.Linear),
}
NORMS = {
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
    *(sj.BatchNorm1d, sj.BatchNorm2d, sj.BatchNorm3d),
}


@frozen
class Fusion:
    """The fused copy of a model; the names of the normalisations folded, and of those left."""

    model: Any
    folded: tuple[str, ...]
    left: tuple[str, ...]


def fused(model: Any) -> Fusion:
    """A copy of `model` that in evaluation computes the same, with nn.Identity in place of the
    normalisations that could be folded; RunError where it is no torch module, or its forward cannot
    be traced."""
    if not isinstance(model, nn.Module):
        raise RunError(
            f"FuseBatchNorm changes torch modules; this framework's model is a "
            f"{type(model).__name__} (leave the postprocessing out)"
        )
    made = copy.deepcopy(model)
    pairs = dict(_pairs(made))
    for norm, layer in pairs.items():
        _fold(made.get_submodule(layer), made.get_submodule(norm))
        made.set_submodule(norm, nn.Identity())
    left = tuple(name for name, module in made.named_modules() if type(module) in NORMS)
    return Fusion(made, tuple(pairs), left)


class _Tracer(fx.Tracer):
    """Steps into modules that only combine others."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        whole = isinstance(m, base.MemoryModule) or type(m).__module__.startswith("spikingjelly.")
        leaf: bool = super().is_leaf_module(m, module_qualified_name)
        return whole or leaf


def _pairs(model: nn.Module) -> Iterator[tuple[str, str]]:
    """(normalisation, the layer before it) where nothing else sees what is between them."""
    try:
        graph = _Tracer().trace(model)
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        raise RunError(
            f"{type(model).__name__}.forward cannot be traced, so nothing is fused: {error} (its "
            "control flow must not depend on values)"
        ) from None
    called: dict[Any, Any] = {
        node: model.get_submodule(str(node.target))
        for node in graph.nodes
        if node.op == "call_module"
    }
    calls = Counter(map(id, called.values()))
    for node, norm in called.items():
        source: Any = node.args[0] if node.args else None
        layer: Any = called.get(source)
        if type(norm) not in NORMS or type(layer) not in WEIGHTED:
            continue
        alone = len(source.users) == 1 and calls[id(layer)] == calls[id(norm)] == 1
        if alone and norm.running_mean is not None and len(layer.weight) == norm.num_features:
            yield str(node.target), str(source.target)


def _fold(layer: Any, norm: Any) -> None:
    """W ← W·γ/√(σ²+ε), b ← (b-μ)·γ/√(σ²+ε) + β, in float64 and rounded once."""
    scale = 1 / torch.sqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    weight = layer.weight.detach().double()
    bias = -norm.running_mean.double()
    if layer.bias is not None:
        bias = bias + layer.bias.detach().double()
    bias = bias * scale
    if norm.bias is not None:
        bias = bias + norm.bias.detach().double()
    weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    kept = layer.weight
    layer.weight = nn.Parameter(weight.to(kept.dtype), requires_grad=kept.requires_grad)
    layer.bias = nn.Parameter(bias.to(kept.dtype), requires_grad=kept.requires_grad)
