"""A plain model made a quantised one, layer by layer: the factory of quantising layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from spikingjelly.activation_based import base, neuron
from spikingjelly.activation_based import layer as sj
from torch import fx, nn

from snn_framework_spikingjelly.layers import Add, GlobalSumPool1d, GlobalSumPool2d
from snn_framework_spikingjelly.lowering import Tracer
from snn_framework_spikingjelly.readers import READERS, VANISHING
from snn_kernel import ConfigError, Fault, NetworkError
from snn_quantization import layers, normalisation, pooling
from snn_quantization.kinds import quantise
from snn_quantization.neurons import QuantizedIFNode, QuantizedLIFNode, QuantizedNeuron, populated
from snn_quantization.quantizer import Quantizer
from snn_quantization.settings import QuantParams

Factory = Callable[[Any, QuantParams], nn.Module]


def quantised(model: nn.Module, params: QuantParams) -> nn.Module:
    """A copy of `model` with quantising layers and neurons that have its weights; nothing of the
    model given changes.

    It quantises its input first, with the settings of outputs, unless it begins with a Flatten,
    behind which a linear layer quantises its own. ConfigError names every layer that has no
    quantising form.
    """
    made, faults = copy.deepcopy(model), list[Fault]()
    for name, module in list(made.named_modules()):
        if factory := _factory(module):
            try:
                _replace(made, name, factory(module, params))
            except (NetworkError, ValueError) as error:
                faults.append(Fault(f"layer '{name}'", str(error), "quantisation"))
        elif isinstance(module, base.MemoryModule) and not isinstance(module, VANISHING):
            what = f"{type(module).__name__} has no quantising form"
            hint = "a neuron needs a normal form, `lower`"
            faults.append(Fault(f"layer '{name}'", what, "quantisation", hint))
    if faults:
        raise ConfigError(*faults)
    if not _flattens(model):
        identity = layers.QuantizedIdentity(quant_params=params)
        if hasattr(made, "prepend"):
            made.prepend("identity1", identity)  # type: ignore[operator]
        else:
            made.identity1 = identity
            made.__class__ = _beginning_with_identity(type(made))
    for name, module in made.named_modules():
        if isinstance(module, Quantizer):
            module.name = name
    return made


def _beginning_with_identity(plain: type[nn.Module]) -> type[nn.Module]:
    def forward(self: Any, x: Any) -> Any:
        """The plain model's, of the quantised input."""
        return plain.forward(self, self.identity1(x))

    body = {"forward": forward, "__module__": plain.__module__, "__doc__": plain.__doc__}
    return type(f"Quantized{plain.__name__}", (plain,), body)


def _flattens(model: nn.Module) -> bool:
    """Whether all that sees the input is a Flatten; not where the model cannot be traced."""
    try:
        nodes = Tracer().trace(model).nodes
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError):
        return False
    (first, *_) = (node for node in nodes if node.op == "placeholder")
    seen = [model.get_submodule(u.target) for u in first.users if u.op == "call_module"]
    return len(seen) == len(first.users) and all(isinstance(m, nn.Flatten) for m in seen)


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    model.get_submodule(parent).register_module(own, module)


def _factory(module: nn.Module) -> Factory | None:
    """What makes the quantising form of `module`, None if it stays as it is."""
    if isinstance(module, base.MemoryModule):
        law = getattr(module, "law", getattr(module, "config", None))
        return _neuron if type(module) in READERS or hasattr(law, "lower") else None
    return FORMS.get(type(module))


def _mode(module: Any) -> dict[str, str]:
    return {"step_mode": getattr(module, "step_mode", "s")}


def _conv(form: type) -> Factory:
    def make(module: Any, params: QuantParams) -> nn.Module:
        sizes = (module.in_channels, module.out_channels, module.kernel_size)
        names = ("stride", "padding", "dilation", "groups", "padding_mode")
        more = {n: getattr(module, n) for n in names} | _mode(module)
        bias = module.bias is not None
        return _with_weights(form(*sizes, **more, bias=bias, quant_params=params), module)

    return make


def _linear(module: Any, params: QuantParams) -> nn.Module:
    sizes, bias = (module.in_features, module.out_features), module.bias is not None
    made = layers.QuantizedLinear(*sizes, bias=bias, **_mode(module), quant_params=params)
    return _with_weights(made, module)


def _with_weights(made: Any, module: Any) -> nn.Module:
    made.weight, made.bias = module.weight, module.bias
    layer: nn.Module = made
    return layer


def _norm(form: type) -> Factory:
    def make(module: Any, params: QuantParams) -> nn.Module:
        names = ("eps", "momentum", "affine", "track_running_stats")
        more = {n: getattr(module, n) for n in names} | _mode(module)
        made: nn.Module = form(module.num_features, **more, quant_params=params)
        made.load_state_dict(module.state_dict(), strict=False)
        return made

    return make


def _pool(form: type, *names: str) -> Factory:
    def make(module: Any, params: QuantParams) -> nn.Module:
        given = {n: getattr(module, n) for n in ("kernel_size", "stride", "padding", *names)}
        made: nn.Module = form(**given, **_mode(module), quant_params=params)
        return made

    return make


def _summing(module: Any, params: QuantParams) -> nn.Module:
    form = {
        Add: layers.QuantizedAdd,
        GlobalSumPool1d: pooling.QuantizedGlobalSumPool1d,
        GlobalSumPool2d: pooling.QuantizedGlobalSumPool2d,
    }[type(module)]
    made: nn.Module = form(quant_params=params)
    return made


def _neuron(module: Any, params: QuantParams) -> nn.Module:
    """Of any node that has a normal form; a threshold that is learnt goes on being learnt."""
    law = getattr(module, "law", getattr(module, "config", None))
    made = populated(quantise(law), params, module) if law else _native(module, params)
    made.step_mode = module.step_mode
    return made


def _native(module: Any, params: QuantParams) -> QuantizedNeuron:
    """Of a node that SpikingJelly made, and no neuron kind."""
    form = {neuron.IFNode: QuantizedIFNode, neuron.LIFNode: QuantizedLIFNode}[type(module)]
    more = {"fire": module.surrogate_function, "detach_reset": module.detach_reset}
    return form(READERS[type(module)]("", module), params, **more)  # type: ignore[arg-type]


FORMS: Mapping[type, Factory] = {
    **dict.fromkeys((nn.Conv1d, sj.Conv1d), _conv(layers.QuantizedConv1d)),
    **dict.fromkeys((nn.Conv2d, sj.Conv2d), _conv(layers.QuantizedConv2d)),
    **dict.fromkeys((nn.Linear, sj.Linear), _linear),
    **dict.fromkeys((nn.BatchNorm1d, sj.BatchNorm1d), _norm(normalisation.QuantizedBatchNorm1d)),
    **dict.fromkeys((nn.BatchNorm2d, sj.BatchNorm2d), _norm(normalisation.QuantizedBatchNorm2d)),
    **dict.fromkeys(
        (nn.MaxPool1d, sj.MaxPool1d), _pool(pooling.QuantizedMaxPool1d, "dilation", "ceil_mode")
    ),
    **dict.fromkeys(
        (nn.MaxPool2d, sj.MaxPool2d), _pool(pooling.QuantizedMaxPool2d, "dilation", "ceil_mode")
    ),
    **dict.fromkeys(
        (nn.AvgPool1d, sj.AvgPool1d),
        _pool(pooling.QuantizedAvgPool1d, "ceil_mode", "count_include_pad"),
    ),
    **dict.fromkeys(
        (nn.AvgPool2d, sj.AvgPool2d),
        _pool(pooling.QuantizedAvgPool2d, "ceil_mode", "count_include_pad", "divisor_override"),
    ),
    **dict.fromkeys((GlobalSumPool1d, GlobalSumPool2d, Add), _summing),
}
