"""How each quantising layer reads as a layer of a network document: integers and formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snn_framework_spikingjelly.readers import sizes_of
from snn_kernel import NetworkError, network
from snn_kernel.network import Format, Layer
from snn_quantization.layers import Quantising, QuantizedAdd, QuantizedLinear, Weighted
from snn_quantization.neurons import QuantizedNeuron
from snn_quantization.normalisation import QuantizedBatchNorm1d, QuantizedBatchNorm2d
from snn_quantization.pooling import QuantizedAvgPool1d, QuantizedAvgPool2d
from snn_quantization.quantizer import Quantizer

WIDTHS = {8: np.int8, 16: np.int16, 32: np.int32}


def document(module: nn.Module, name: str) -> tuple[Layer, ...]:
    """The layer `name` that `module` is, by the numbers it has in evaluation; RunError where its
    ranges are not known yet, NetworkError where the fixed-point law has no place for it."""
    with evaluating(module), torch.no_grad():
        return (_layer(module, name),)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Within, `module` is in evaluation, in which no range changes."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


@singledispatch
def _layer(module: nn.Module, name: str) -> Layer:
    raise NetworkError(f"layer '{name}': {type(module).__name__} has no place in a document")


@_layer.register
def _weighted(module: Weighted, name: str) -> Layer:
    dims = module.weight.ndim - 2
    arrays, formats = _parameters(module, *module.gridded(module.weight, module.bias))
    if isinstance(module, QuantizedLinear):
        return network.Linear(name, *arrays, "int64", **formats)
    plain: Any = module
    if set(plain.dilation) != {1} or plain.padding_mode != "zeros" or plain.padding == "same":
        raise NetworkError(f"layer '{name}': dilation, padding_mode and 'same' cannot be expressed")
    padding = (0,) * dims if plain.padding == "valid" else plain.padding
    sizes = (sizes_of(plain.stride, dims), sizes_of(padding, dims), plain.groups)
    return network.Conv(name, *arrays, *sizes, "int64", **formats)


@_layer.register(QuantizedBatchNorm1d)
@_layer.register(QuantizedBatchNorm2d)
def _norm(module: Any, name: str) -> Layer:
    if module.running_mean is None:
        raise NetworkError(f"layer '{name}': track_running_stats = False cannot be expressed")
    scale_and_shift = module.gridded(*module.folded(module.running_mean))
    arrays, formats = _parameters(module, *scale_and_shift)
    return network.BatchNorm(name, *arrays, "int64", **formats)


@_layer.register
def _pool(module: Quantising, name: str) -> Layer:
    plain: Any = module
    if not hasattr(plain, "kernel_size"):
        return network.GlobalSum(name, "int64", **_formats(module))
    if plain.ceil_mode or getattr(plain, "dilation", 1) not in (1, (1,), (1, 1)):
        raise NetworkError(f"layer '{name}': ceil_mode and dilation cannot be expressed")
    average = isinstance(module, QuantizedAvgPool1d | QuantizedAvgPool2d)
    dims = 1 if type(module).__name__.endswith("1d") else 2
    sizes = (sizes_of(s, dims) for s in (plain.kernel_size, plain.stride, plain.padding))
    return network.Pool(name, "avg" if average else "max", *sizes, "int64", **_formats(module))


@_layer.register
def _add(module: QuantizedAdd, name: str) -> Layer:
    inputs = (module.quantizer_input_a, module.quantizer_input_b)
    return network.Add(name, _given(module.quantizer_act), tuple(map(_given, inputs)))


@_layer.register
def _neuron(module: QuantizedNeuron, name: str) -> Layer:
    law, normal = module.on_grid(torch.zeros(1, dtype=torch.float64)), module.normal
    module.check(law)
    state = _format(module.quantizer_v)
    found = {
        **{"decay": law.decay, "gain": law.gain, "leak": law.rate},
        **{"bias": law.bias, "value": law.value, "start": law.start, "rest": law.rest},
        **{"payload": law.payload, "threshold": law.threshold},
    }
    numbers = {key: float(number) for key, number in found.items() if number is not None}
    return network.Neuron(
        name,
        charge=normal.charge,
        tau=normal.tau,
        reset=normal.reset,
        state_format=state,
        **numbers,
        **_formats(module),
    )


def _parameters(module: Any, weight: Tensor, bias: Tensor | None) -> tuple[Any, dict[str, Any]]:
    """Weight and bias as integers, and every format of a layer."""
    layout, own = _format(module.quantizer_w), None
    if bias is not None and hasattr(module, "quantizer_bias"):
        own = _format(module.quantizer_bias)
    arrays = (_integers(weight, layout), None if bias is None else _integers(bias, own or layout))
    return arrays, {"weight_format": layout, "bias_format": own, **_formats(module)}


def _formats(module: Any) -> dict[str, Any]:
    layout = _given(module.quantizer_input)
    inputs = () if layout is None else (layout,)
    return {"input_formats": inputs, "format": _given(module.quantizer_act)}


def _given(quantizer: Quantizer) -> Format | None:
    """What a quantizer puts a tensor into, None if it leaves it as it is."""
    return _format(quantizer) if quantizer.settings.quant_enable else None


def _format(quantizer: Quantizer) -> Format:
    if obstacle := quantizer.settings.obstacle:
        raise NetworkError(f"quantizer '{quantizer.name}': {obstacle}")
    return quantizer.format


def _integers(tensor: Tensor, layout: Format) -> NDArray[Any]:
    """The integers that the numbers of `tensor` are in `layout`."""
    whole = np.ldexp(tensor.double().cpu().numpy(), layout.fraction)
    kind = next(kind for bits, kind in WIDTHS.items() if layout.bits <= bits)
    return np.rint(whole).astype(kind)
