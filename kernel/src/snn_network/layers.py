"""The layers of a network, each a record with its equation, and the shapes they make."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import attrs
import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from snn_network.format import Format

Shape: TypeAlias = tuple[int, ...]
Array: TypeAlias = NDArray[Any]
Formats: TypeAlias = tuple[Format | None, ...]  # one for each input, or none at all
Accumulator: TypeAlias = Literal["float32", "float64", "int32", "int64"]

INPUT = "input"  # the source of the first edge; no layer may take this name
equal = attrs.cmp_using(eq=np.array_equal)


@frozen
class Conv:
    """y = weight ⋆ x + bias (cross-correlation), [Cin, *n] → [Cout, *n'] with n = (y, x) or (x,).

    weight [Cout, Cin/groups, *kernel], bias [Cout]. Sums are formed in `accumulator`, and rounded
    to float32 once.

    Quantised: weight and bias are the integers of `weight_format` and `bias_format` (None: the
    weight's), the input is put into `input_formats` before and the sum into `format` after.
    """

    name: str
    weight: Array = field(eq=equal)
    bias: Array | None = field(eq=equal)
    stride: Shape
    padding: Shape
    groups: int = 1
    accumulator: Accumulator = "float32"
    weight_format: Format | None = None
    bias_format: Format | None = None
    format: Format | None = None
    input_formats: Formats = ()


@frozen
class Linear:
    """y = weight·x + bias, [in] → [out]; weight [out, in], bias [out]; the rest as in Conv."""

    name: str
    weight: Array = field(eq=equal)
    bias: Array | None = field(eq=equal)
    accumulator: Accumulator = "float32"
    weight_format: Format | None = None
    bias_format: Format | None = None
    format: Format | None = None
    input_formats: Formats = ()


@frozen
class Pool:
    """Maximum, average (padding counts) or sum of each window, [C, *n] → [C, *n'].

    A sum is formed in `accumulator`, for an average divided there by the number of elements, then
    rounded to float32 once. The result is put on the grid `format`, if there is one.
    """

    name: str
    how: Literal["max", "avg", "sum"]
    size: Shape
    stride: Shape
    padding: Shape
    accumulator: Accumulator = "float32"
    format: Format | None = None
    input_formats: Formats = ()


@frozen
class GlobalSum:
    """The sum over all positions, [C, *n] → [C]; `accumulator` and `format` as in Pool."""

    name: str
    accumulator: Accumulator = "float32"
    format: Format | None = None
    input_formats: Formats = ()


@frozen
class BatchNorm:
    """y = scale·x + shift per channel: two roundings, of the product and of the sum.

    Quantised: formats and `accumulator` as in Conv, the weight's for scale, the bias's for shift.
    """

    name: str
    scale: Array = field(eq=equal)
    shift: Array = field(eq=equal)
    accumulator: Accumulator = "float32"
    weight_format: Format | None = None
    bias_format: Format | None = None
    format: Format | None = None
    input_formats: Formats = ()


@frozen
class Flatten:
    """[C, *n] → [C·n], the last axis fastest."""

    name: str


@frozen
class Add:
    """The sum of its inputs in float32, in the order of the edges; `format` as in Pool.

    Quantised: each input is put into its one of `input_formats` before.
    """

    name: str
    format: Format | None = None
    input_formats: Formats = ()


@frozen
class Relu:
    """y = max(x, 0), element by element; `format` as in Pool.

    What a formal network computes with are numbers, not spikes. `format` bounds how many bits the
    sums of the next layer need, so that these stay exact.
    """

    name: str
    format: Format | None = None
    input_formats: Formats = ()


@frozen
class Neuron:
    """A population of neurons in normal form, one per element of its input.

    u = charge(v, x); spike = u ≥ threshold; then v = u - threshold (`reset` subtract) or v = value
    where it spiked; the output is payload·spike. v starts at `start`. `charge`, in float32:

    - "normal": u = (decay·v + gain·x) + bias
    - "lif": u = v + (x - (v - rest))/tau, the normal form with decay = 1 - 1/tau, gain = 1/tau,
      bias = rest/tau, in the order of operations of SpikingJelly (`decay_input`), bit for bit
    - "lif_undecayed": u = (v - (v - rest)/tau) + x, likewise, gain = 1

    Quantised (docs/fixed_point.md): u is exact, with `leak` in the place of 1/tau; v is put into
    `state_format` once, after the reset, and the output into `format`. Every parameter is a
    multiple of the unit of the format that it belongs to.
    """

    name: str
    threshold: float
    decay: float = 1.0
    gain: float = 1.0
    bias: float = 0.0
    reset: Literal["subtract", "value"] = "subtract"
    value: float = 0.0
    start: float = 0.0
    payload: float = 1.0
    charge: Literal["normal", "lif", "lif_undecayed"] = "normal"
    tau: float = 1.0
    rest: float = 0.0
    leak: float = 0.0
    state_format: Format | None = None
    format: Format | None = None
    input_formats: Formats = ()


Layer: TypeAlias = Conv | Linear | Pool | GlobalSum | BatchNorm | Flatten | Add | Relu | Neuron


def shape(layer: Layer, *inputs: Shape) -> Shape | None:
    """What `layer` makes of shapes that fit it; None of others."""
    x = inputs[0]
    match layer:
        case Conv(weight=w) if w.ndim == len(x) + 1 and layer.groups > 0:
            fits = x[0] == w.shape[1] * layer.groups and not w.shape[0] % layer.groups
            windows = _windows(x[1:], w.shape[2:], layer.stride, layer.padding)
            fits &= layer.bias is None or layer.bias.shape == w.shape[:1]
            return (w.shape[0], *windows) if fits and windows else None
        case Linear(weight=w) if w.ndim == 2 and x == w.shape[1:]:
            return w.shape[:1] if layer.bias is None or layer.bias.shape == w.shape[:1] else None
        case Pool():
            windows = _windows(x[1:], layer.size, layer.stride, layer.padding)
            inside = all(p < k for p, k in zip(layer.padding, layer.size, strict=False))
            return (x[0], *windows) if windows and inside else None
        case BatchNorm():
            return x if layer.scale.shape == layer.shift.shape == x[:1] else None
        case Add():
            return x if len(inputs) > 1 and len(set(inputs)) == 1 else None
        case GlobalSum():
            return x[:1]
        case Flatten():
            return (math.prod(x),)
        case Relu() | Neuron():
            return x
    return None


def _windows(n: Shape, size: Shape, stride: Shape, padding: Shape) -> Shape | None:
    if not len(n) == len(size) == len(stride) == len(padding):
        return None
    if not n or min(size) < 1 or min(stride) < 1 or min(padding) < 0:
        return None
    each = zip(n, size, stride, padding, strict=True)
    out = tuple((i + 2 * p - k) // s + 1 for i, k, s, p in each)
    return out if min(out) > 0 else None
