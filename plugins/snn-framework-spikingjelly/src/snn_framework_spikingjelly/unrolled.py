"""A model that is trained over all timesteps at once, whatever its step mode.

Layers without a state take all timesteps as one batch, those that see the same input at every
timestep take it once, and neurons go through time inside one function. Step modes "s" and "m" are
then one computation, batch normalisation included: its statistics are those of the batch over all
timesteps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from spikingjelly.activation_based import base
from spikingjelly.activation_based import layer as sj
from torch import Tensor, fx, nn

from snn_framework_spikingjelly import fused
from snn_framework_spikingjelly.forwards import Forward, replaced
from snn_framework_spikingjelly.layers import Add, GlobalSumPool1d, GlobalSumPool2d
from snn_framework_spikingjelly.lowering import ADDITIONS, Tracer

STATELESS: Mapping[type, Any] = {
    getattr(sj, name): getattr(nn, name)
    for kind in ("Conv", "MaxPool", "AvgPool")
    for name in (f"{kind}1d", f"{kind}2d")
} | {sj.Linear: nn.Linear, sj.Flatten: nn.Flatten}
ANY_AXES = (Add, GlobalSumPool1d, GlobalSumPool2d, nn.Identity)  # a time axis is nothing to them


@contextmanager
def unrolled(model: nn.Module) -> Iterator[bool]:
    """Within, `model` takes [T, N, …] if it can, in either step mode; yields whether it can."""
    modes = {m: m.step_mode for m in model.modules() if isinstance(m, base.StepModule)}
    if set(modes.values()) != {"m"} and not _able(model):
        yield False
        return
    try:
        for module in modes:
            module.step_mode = "m"
        with replaced(dict(_faster(model))):
            yield True
    finally:
        for module, mode in modes.items():
            module.step_mode = mode


def _able(model: nn.Module) -> bool:
    """Whether nothing in a model of step mode "s" minds a time axis."""
    try:
        nodes = Tracer().trace(model).nodes
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError):
        return False
    return all(_indifferent(model, node) for node in nodes)


def _indifferent(model: nn.Module, node: fx.Node) -> bool:
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        if isinstance(module, base.StepModule):
            return "m" in module.supported_step_mode()
        return isinstance(module, ANY_AXES) or getattr(module, "any_axes", False)
    if node.op == "call_function":
        return node.target in ADDITIONS and all(isinstance(a, fx.Node) for a in node.args)
    return node.op in ("placeholder", "output")


def _faster(model: nn.Module) -> Iterator[tuple[nn.Module, Forward]]:
    for module in model.modules():
        law = fused.Law.of(module)
        if law is not None and not any(p.is_cuda for p in model.parameters()):
            yield module, partial(fused.fire, module, law)
        elif type(module) in STATELESS:
            yield module, partial(_once, module, STATELESS[type(module)].forward)


def _once(module: Any, flat: Any, x: Tensor) -> Tensor:
    """Layer `module`, by its class's own `flat` where every timestep shows the same input."""
    if x.stride(0) == 0:
        y: Tensor = flat(module, x[0])
        return y.expand(len(x), *y.shape)
    made: Tensor = type(module).forward(module, x)
    return made
