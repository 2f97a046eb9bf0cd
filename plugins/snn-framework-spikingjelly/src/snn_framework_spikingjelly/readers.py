"""How each module of torch and SpikingJelly reads as a layer of a network document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spikingjelly.activation_based import layer as sj
from spikingjelly.activation_based import neuron
from torch import nn

from snn_kernel import NetworkError
from snn_kernel.network import BatchNorm, Conv, Flatten, Layer, Linear, Neuron, Pool, Shape

Floats = NDArray[np.float64]

# What does nothing when a network is run. Torch's Dropout1d and the like derive from _DropoutNd.
VANISHING = (nn.Identity, nn.modules.dropout._DropoutNd, sj.Dropout, sj.Dropout2d)


def _array(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().cpu().numpy().astype(np.float64)


def sizes_of(value: Any, dims: int) -> Shape:
    """A size of a torch layer, one number or one for each dimension, as one for each."""
    return tuple(value) if isinstance(value, tuple | list) else (value,) * dims


def _demand(name: str, **wrong: tuple[Any, bool]) -> None:
    """NetworkError for each (value, whether it is wrong)."""
    for what, (value, bad) in wrong.items():
        if bad:
            raise NetworkError(f"layer '{name}': {what} = {value!r} cannot be expressed")


def _conv(name: str, module: Any) -> Layer:
    dims = module.weight.ndim - 2
    _demand(
        name,
        dilation=(module.dilation, set(module.dilation) != {1}),
        padding_mode=(module.padding_mode, module.padding_mode != "zeros"),
        padding=(module.padding, module.padding == "same"),
    )
    padding = (0,) * dims if module.padding == "valid" else sizes_of(module.padding, dims)
    weight, bias = _array(module.weight), _array(module.bias)
    return Conv(name, weight, bias, sizes_of(module.stride, dims), padding, module.groups)


def _linear(name: str, module: Any) -> Layer:
    return Linear(name, _array(module.weight), _array(module.bias))


def _max_pool(dims: int) -> Callable[[str, Any], Layer]:
    def read(name: str, module: Any) -> Layer:
        dilation = sizes_of(module.dilation, dims)
        _demand(
            name,
            dilation=(dilation, set(dilation) != {1}),
            ceil_mode=(True, module.ceil_mode),
            return_indices=(True, module.return_indices),
        )
        return _pool(name, "max", module, dims)

    return read


def _average_pool(dims: int) -> Callable[[str, Any], Layer]:
    def read(name: str, module: Any) -> Layer:
        padded = any(sizes_of(module.padding, dims))
        divisor = getattr(module, "divisor_override", None)
        _demand(
            name,
            ceil_mode=(True, module.ceil_mode),
            count_include_pad=(False, padded and not module.count_include_pad),
            divisor_override=(divisor, divisor is not None),
        )
        return _pool(name, "avg", module, dims)

    return read


def _pool(name: str, how: Any, module: Any, dims: int) -> Pool:
    sizes = (module.kernel_size, module.stride, module.padding)
    return Pool(name, how, *(sizes_of(s, dims) for s in sizes))


def _flatten(name: str, module: Any) -> Layer:
    _demand(name, start_dim=(module.start_dim, module.start_dim != 1))
    _demand(name, end_dim=(module.end_dim, module.end_dim != -1))
    return Flatten(name)


def affine(name: str, module: Any) -> tuple[Floats, Floats]:
    """Scale and shift of a batch normalisation in evaluation: γ/√(σ²+ε) and β - μ·scale."""
    if module.running_mean is None:
        raise NetworkError(f"layer '{name}': track_running_stats = False cannot be expressed")
    mean, variance = _array(module.running_mean), _array(module.running_var)
    gain = np.ones_like(mean) if module.weight is None else _array(module.weight)
    offset = np.zeros_like(mean) if module.bias is None else _array(module.bias)
    scale = gain / np.sqrt(variance + module.eps)
    return scale, offset - mean * scale


def _batch_norm(name: str, module: Any) -> Layer:
    return BatchNorm(name, *affine(name, module))


def _if(name: str, module: Any) -> Layer:
    rest = 0.0 if module.v_reset is None else module.v_reset
    reset = "subtract" if module.v_reset is None else "value"
    return Neuron(name, module.v_threshold, reset=reset, value=rest, start=rest)  # type: ignore[arg-type]


def _lif(name: str, module: Any) -> Layer:
    rest, tau = 0.0 if module.v_reset is None else module.v_reset, module.tau
    return Neuron(
        name,
        module.v_threshold,
        decay=1 - 1 / tau,
        gain=1 / tau if module.decay_input else 1.0,
        bias=rest / tau,
        reset="subtract" if module.v_reset is None else "value",
        value=rest,
        start=rest,
        charge="lif" if module.decay_input else "lif_undecayed",
        tau=tau,
        rest=rest,
    )


# By exact type: a subclass may compute something else.
READERS: Mapping[type, Callable[[str, Any], Layer]] = {
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, sj.Conv1d, sj.Conv2d), _conv),
    **dict.fromkeys((nn.Linear, sj.Linear), _linear),
    **dict.fromkeys((nn.MaxPool1d, sj.MaxPool1d), _max_pool(1)),
    **dict.fromkeys((nn.MaxPool2d, sj.MaxPool2d), _max_pool(2)),
    **dict.fromkeys((nn.AvgPool1d, sj.AvgPool1d), _average_pool(1)),
    **dict.fromkeys((nn.AvgPool2d, sj.AvgPool2d), _average_pool(2)),
    **dict.fromkeys((nn.Flatten, sj.Flatten), _flatten),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), _batch_norm),
    **dict.fromkeys((sj.BatchNorm1d, sj.BatchNorm2d), _batch_norm),
    neuron.IFNode: _if,
    neuron.LIFNode: _lif,
}
