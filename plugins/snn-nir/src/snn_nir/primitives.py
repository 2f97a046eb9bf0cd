"""A node of NIR as a layer of a document, and the reasons why some are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_kernel.network import BatchNorm, Conv, Flatten, Layer, Linear, Neuron, Pool
from snn_nir.dynamics import FIELDS, Dynamics, Fires, Reset

if TYPE_CHECKING:
    import nir

SIZE_MAX = 1 << 31  # of a kernel, a stride, a padding
TWO_STATES = "its synaptic current is a second state, and neurons here have a potential alone"
SILENT = "it integrates and never spikes, and layers here keep no potential without spikes"
REFUSED = {
    "CubaLIF": TWO_STATES,
    "CubaLI": TWO_STATES,
    "LI": SILENT,
    "I": SILENT,
    "Delay": "it delays, and edges here do not",
}


@frozen
class Steps:
    """How continuous time becomes timesteps: of `dt` seconds, with these conventions."""

    dt: float
    reset: Reset
    fires: Fires


def layer(name: str, node: nir.NIRNode, steps: Steps) -> Layer:
    """The layer that computes what `node` does; ValueError says why there is none."""
    kind = type(node).__name__
    given: Any = node
    match kind:
        case "Affine" | "Linear":
            bias = given.bias if kind == "Affine" else None
            return Linear(name, _numbers(given, "weight", 2), _bias(bias, len(given.weight)))
        case "Conv1d" | "Conv2d":
            return _convolution(name, given, axes=int(kind[4]))
        case "AvgPool2d" | "SumPool2d":
            size, stride, padding = (
                _sizes(given, n, 2) for n in ("kernel_size", "stride", "padding")
            )
            how: Literal["avg", "sum"] = "avg" if kind == "AvgPool2d" else "sum"
            return Pool(name, how, size, stride, padding)
        case "Flatten":
            return Flatten(name)
        case "IF" | "LIF":
            return _population(name, given, steps)
        case "Scale":
            return _scale(name, given)
        case "Threshold":
            return _threshold(name, given, steps)
    raise ValueError(REFUSED.get(kind, "no layer here computes what it does"))


def misfits(node: nir.NIRNode, source: tuple[int, ...]) -> Iterator[str]:
    """What a node says of the shape of its input and `source`, which is what it gets, is not."""
    kind, given = type(node).__name__, node
    if kind == "Flatten":
        start, end = given.start_dim, given.end_dim
        if not all(isinstance(n, int | np.integer) for n in (start, end)):
            yield "its dimensions are no whole numbers"
        elif start != 0 or end not in (-1, len(source) - 1):
            yield f"it flattens dimensions {start} to {end} of {source}, and layers here all"
    name = {"IF": "v_threshold", "LIF": "v_threshold", "Scale": "scale", "Threshold": "threshold"}
    if kind in name:
        shape = np.shape(getattr(given, name[kind]))
        if shape != source and np.prod(shape) != 1:
            yield f"it is of shape {shape}, and what it gets of {source}"


def _convolution(name: str, node: Any, axes: int) -> Layer:
    weight = _numbers(node, "weight", axes + 2)
    if any(n != 1 for n in _sizes(node, "dilation", axes)):
        raise ValueError(f"its dilation is {node.dilation}, and convolutions here have none")
    stride = _sizes(node, "stride", axes)
    padding = node.padding if isinstance(node.padding, str) else ""
    if padding == "valid":
        around = (0,) * axes
    elif padding == "same":
        if any(k % 2 == 0 for k in weight.shape[2:]) or any(n != 1 for n in stride):
            raise ValueError("its padding 'same' is not the same on both sides")
        around = tuple(k // 2 for k in weight.shape[2:])
    else:
        around = _sizes(node, "padding", axes)
    (groups,) = _sizes(node, "groups", 1)
    return Conv(name, weight, _bias(node.bias, len(weight)), stride, around, groups)


def _population(name: str, node: Any, steps: Steps) -> Neuron:
    kind = type(node).__name__
    dynamics = Dynamics(**{field: _equal(node, field) for field in FIELDS[kind]})
    if faults := list(dynamics.faults(steps.dt)):
        raise ValueError("; ".join(faults))
    return dynamics.neuron(name, steps.dt, steps.reset, steps.fires)


def _threshold(name: str, node: Any, steps: Steps) -> Neuron:
    """z = v > threshold of its input itself: neurons that keep nothing of their potential."""
    dynamics = Dynamics(1 / steps.dt, _equal(node, "threshold"))
    if faults := list(dynamics.faults(steps.dt)):
        raise ValueError("; ".join(faults))
    made = dynamics.neuron(name, steps.dt, "value", steps.fires)
    return Neuron(name, made.threshold, decay=0.0, reset="value")


def _scale(name: str, node: Any) -> BatchNorm:
    """One factor for each channel: a normalisation without a shift."""
    scale = np.asarray(node.scale)
    flat = _numbers(node, "scale", scale.ndim).reshape(len(scale) if scale.ndim else 1, -1)
    if not scale.size or (flat != flat[:, :1]).any():
        raise ValueError("its factors differ within a channel, and layers here have one for each")
    return BatchNorm(name, flat[:, 0].copy(), np.zeros(len(flat), np.float32))


def _numbers(node: Any, name: str, axes: int) -> NDArray[np.float32]:
    array = np.asarray(getattr(node, name))
    if array.dtype.kind not in "fiub":
        raise ValueError(f"its {name} is no array of numbers")
    if array.ndim != axes or not array.size:
        raise ValueError(f"its {name} is of shape {array.shape}, not of {axes} axes")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32)


def _bias(bias: Any, outputs: int) -> NDArray[np.float32] | None:
    if bias is None:
        return None
    array = np.asarray(bias)
    if array.dtype.kind not in "fiub" or array.shape != (outputs,):
        raise ValueError(f"its bias is no array of {outputs} numbers")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _equal(node: Any, name: str) -> float:
    """The one value of a parameter that all neurons have."""
    array = np.asarray(getattr(node, name))
    flat = _numbers(node, name, array.ndim)
    low, high = float(flat.min()), float(flat.max())
    if low < high:
        raise ValueError(f"its {name} differs between neurons ({low:g} to {high:g}), not all equal")
    return low


def _sizes(node: Any, name: str, axes: int) -> tuple[int, ...]:
    array = np.asarray(getattr(node, name))
    if array.dtype.kind not in "iu" or array.size not in (1, axes):
        raise ValueError(f"its {name} is {getattr(node, name)!r:.40}, not {axes} whole numbers")
    if array.min() < 0 or array.max() >= SIZE_MAX:
        raise ValueError(f"its {name} is {array.tolist()}, beyond 0 to {SIZE_MAX - 1}")
    return tuple(int(n) for n in np.broadcast_to(array.reshape(-1), axes))
