"""The network document: one trained network as plain data, read by energy, engine, C and NIR alike.

Arrays are channels first, as in torch. The document says what is computed at every timestep; who
computes it, and in which order of operations where that is open, may not change a single spike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar

import attrs
import cattrs
import msgpack
import numpy as np
from attrs import field, frozen
from cattrs.strategies import configure_tagged_union
from numpy.typing import NDArray

from snn_kernel.errors import NetworkError

Shape: TypeAlias = tuple[int, ...]
Array: TypeAlias = NDArray[Any]
Accumulator: TypeAlias = Literal["float32", "float64", "int32", "int64"]

INPUT = "input"  # the source of the first edge; no layer may take this name
VERSION = 1
BYTES_MAX = 1 << 30  # a document larger than 1 GiB is refused before it is unpacked
DTYPES = ("<f4", "<f8", "|i1", "<i2", "<i4", "<i8")

_array_eq = attrs.cmp_using(eq=lambda a, b: np.array_equal(a, b))


@frozen
class Format:
    """Fixed point: integer X stands for X·2^-fraction, with `bits` bits, the sign included."""

    bits: int
    fraction: int
    rounding: Literal["nearest", "floor", "ceil"] = "nearest"

    def quantise(self, x: Array) -> NDArray[np.float64]:
        """The integers (as float64) nearest to `x` in this format: S_b(rnd(x·2^f))."""
        scaled = np.ldexp(np.asarray(x, np.float64), self.fraction)
        rounded = np.floor(scaled + 0.5) if self.rounding == "nearest" else scaled
        rounded = {"floor": np.floor, "ceil": np.ceil}.get(self.rounding, np.asarray)(rounded)
        high = math.ldexp(1.0, self.bits - 1)
        return np.clip(rounded, -high, high - 1)

    def apply(self, x: Array) -> NDArray[np.float32]:
        """`x` on the grid of this format, as float32 (exact up to 25 bits with the sign)."""
        return np.ldexp(self.quantise(x), -self.fraction).astype(np.float32)


def _windows(n: Shape, size: Shape, stride: Shape, padding: Shape, name: str) -> Shape:
    if not len(n) == len(size) == len(stride) == len(padding):
        raise NetworkError(f"layer '{name}': {len(size)} spatial dimensions do not fit input {n}")
    out = tuple((i + 2 * p - k) // s + 1 for i, k, s, p in zip(n, size, stride, padding, strict=True))
    if min(out) < 1 or min(stride) < 1 or min(padding) < 0 or min(size) < 1:
        raise NetworkError(
            f"layer '{name}': kernel {size}, stride {stride}, padding {padding} leave nothing of {n}"
        )
    return out


@frozen
class Conv:
    """y = weight ⋆ x + bias at every timestep; weight [Cout, Cin/groups, *kernel] (cross-correlation).

    Sums are formed in `accumulator` and then stored as float32.
    """

    name: str
    weight: Array = field(eq=_array_eq)
    bias: Array | None = field(eq=_array_eq)
    stride: Shape
    padding: Shape
    groups: int = 1
    accumulator: Accumulator = "float32"

    def shape(self, x: Shape) -> Shape:
        """[Cin, *n] → [Cout, *n']."""
        out, cin = self.weight.shape[:2]
        if x[0] != cin * self.groups or out % self.groups:
            raise NetworkError(
                f"layer '{self.name}': weight {self.weight.shape} in {self.groups} groups "
                f"does not fit input {x}"
            )
        _fits(self.name, "bias", self.bias, (out,))
        return out, *_windows(x[1:], self.weight.shape[2:], self.stride, self.padding, self.name)


@frozen
class Linear:
    """y = weight·x + bias at every timestep; weight [out, in]."""

    name: str
    weight: Array = field(eq=_array_eq)
    bias: Array | None = field(eq=_array_eq)
    accumulator: Accumulator = "float32"

    def shape(self, x: Shape) -> Shape:
        """[in] → [out]."""
        if self.weight.ndim != 2 or x != (self.weight.shape[1],):
            raise NetworkError(
                f"layer '{self.name}': weight {self.weight.shape} does not fit input {x}"
            )
        _fits(self.name, "bias", self.bias, self.weight.shape[:1])
        return self.weight.shape[:1]


@frozen
class Pool:
    """The maximum, average (padding counts) or sum of every window; the remainder is dropped."""

    name: str
    how: Literal["max", "avg", "sum"]
    size: Shape
    stride: Shape
    padding: Shape

    def shape(self, x: Shape) -> Shape:
        """[C, *n] → [C, *n']."""
        return x[0], *_windows(x[1:], self.size, self.stride, self.padding, self.name)


@frozen
class GlobalSum:
    """The sum over all positions of each channel."""

    name: str

    def shape(self, x: Shape) -> Shape:
        """[C, *n] → [C]."""
        return x[:1]


@frozen
class BatchNorm:
    """y = scale·x + shift per channel: two roundings, one of the product and one of the sum."""

    name: str
    scale: Array = field(eq=_array_eq)
    shift: Array = field(eq=_array_eq)

    def shape(self, x: Shape) -> Shape:
        """[C, …] → [C, …]."""
        _fits(self.name, "scale", self.scale, x[:1])
        _fits(self.name, "shift", self.shift, x[:1])
        return x


@frozen
class Flatten:
    """[C, *n] → [C·n], the last axis fastest."""

    name: str

    def shape(self, x: Shape) -> Shape:
        """[C, *n] → [C·n]."""
        return (math.prod(x),)


@frozen
class Add:
    """The sum of its inputs, in the order of the edges."""

    name: str

    def shape(self, *x: Shape) -> Shape:
        """n × [C, …] → [C, …]."""
        if len(x) < 2 or len(set(x)) != 1:
            raise NetworkError(f"layer '{self.name}': inputs {x} cannot be added")
        return x[0]


@frozen
class Neuron:
    """A population of neurons in normal form, one per element of its input.

    u = charge(v, x); spike = u ≥ threshold; then v = u - threshold (`reset` subtract) or v = value
    where it spiked; the output is payload·spike. v starts at `start`. `charge`, in float32:

    - "normal": u = (decay·v + gain·x) + bias
    - "lif": u = v + (x - (v - rest))/tau, the normal form with decay = 1 - 1/tau, gain = 1/tau,
      bias = rest/tau, in the order of operations of SpikingJelly (`decay_input`), bit for bit
    - "lif_undecayed": u = (v - (v - rest)/tau) + x, likewise, gain = 1
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

    def shape(self, x: Shape) -> Shape:
        """[…] → […]."""
        return x


Layer: TypeAlias = Conv | Linear | Pool | GlobalSum | BatchNorm | Flatten | Add | Neuron
L = TypeVar("L")


def _fits(name: str, what: str, array: Array | None, shape: Shape) -> None:
    if array is not None and array.shape != shape:
        raise NetworkError(f"layer '{name}': {what} {array.shape} should be {shape}")


@frozen(slots=False)
class Network:
    """Layers in an order in which each comes after its inputs; edges from name to name.

    `mode` "static": one input [C, …] is shown at every one of `timesteps`; "sequence": the input is
    [T, C, …]. `input_format` is the grid on which the host puts inputs. The one layer that feeds no
    other is the readout: logits = sum over the timesteps, in order, divided by their number.

    Raises NetworkError where names, edges or shapes contradict each other.
    """

    layers: tuple[Layer, ...]
    edges: tuple[tuple[str, str], ...]
    input_shape: Shape
    timesteps: int
    mode: Literal["static", "sequence"] = "static"
    input_format: Format | None = None

    def __attrs_post_init__(self) -> None:
        if self.timesteps < 1 or not self.layers or min(self.input_shape, default=0) < 1:
            raise NetworkError("a network needs timesteps, layers and a shape of its input")
        names = [layer.name for layer in self.layers]
        if len({*names, INPUT}) != len(names) + 1:
            raise NetworkError(f"layer names are not unique, or one is '{INPUT}': {names}")
        if unknown := {n for edge in self.edges for n in edge} - {*names, INPUT}:
            raise NetworkError(f"edges name layers that are not there: {sorted(unknown)}")
        if len(ends := set(names) - {a for a, _ in self.edges}) != 1 or names[-1] not in ends:
            raise NetworkError(f"one layer, the last, must be the readout; found {sorted(ends)}")
        self.shapes  # noqa: B018  computing them is the check

    def inputs(self, name: str) -> tuple[str, ...]:
        """The names of what feeds layer `name`, in order."""
        return tuple(a for a, b in self.edges if b == name)

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of what each layer (and the input) puts out per timestep, channels first."""
        shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for layer in self.layers:
            sources = self.inputs(layer.name)
            if missing := [s for s in sources if s not in shapes]:
                raise NetworkError(f"layer '{layer.name}' comes before its input {missing}")
            if not sources or (len(sources) > 1 and not isinstance(layer, Add)):
                raise NetworkError(f"layer '{layer.name}' has {len(sources)} inputs")
            shapes[layer.name] = layer.shape(*(shapes[s] for s in sources))
        return shapes

    def only(self, kind: type[L]) -> tuple[L, ...]:
        """The layers of one type, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, kind))

    def pack(self) -> bytes:
        """The document as msgpack."""
        document = {"format": "snn-network", "version": VERSION, **_converter.unstructure(self)}
        packed: bytes = msgpack.packb(document)
        return packed

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Network:
        """The document in `data`; NetworkError whatever else it may hold."""
        if len(data) > BYTES_MAX:
            raise NetworkError(f"network document of {len(data)} bytes exceeds {BYTES_MAX}")
        try:
            document = msgpack.unpackb(data, strict_map_key=True)
        except (ValueError, msgpack.UnpackException) as error:
            raise NetworkError(f"not a network document: {error or type(error).__name__}") from None
        if not isinstance(document, dict) or document.pop("format", None) != "snn-network":
            raise NetworkError("not a network document: 'format' is not 'snn-network'")
        if (version := document.pop("version", None)) != VERSION:
            raise NetworkError(f"network document of version {version}; this kernel reads {VERSION}")
        try:
            return _converter.structure(document, cls)
        except cattrs.BaseValidationError as error:
            raise NetworkError(*cattrs.transform_error(error, path="network")) from None


def _exact(kind: type) -> Any:
    def structure(value: Any, _: type) -> Any:
        if type(value) is kind or (kind is float and type(value) is int):
            return kind(value)
        raise ValueError(f"expected {kind.__name__}, got {value!r:.40}")

    return structure


def _structure_array(value: Any, _: type) -> Array:
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data": bytes(data)} if dtype in DTYPES:
            sizes = [n for n in shape if type(n) is int and 0 < n <= BYTES_MAX]
            if len(sizes) == len(shape) and math.prod(sizes) * np.dtype(dtype).itemsize == len(data):
                return np.frombuffer(data, dtype).reshape(sizes)
    raise ValueError("not an array (dtype, shape and data that fit each other)")


def _unstructure_array(value: Array) -> dict[str, Any]:
    data = np.ascontiguousarray(value)
    data = data.astype(data.dtype.newbyteorder("<"), copy=False)
    return {"dtype": data.dtype.str, "shape": list(data.shape), "data": data.tobytes()}


def _is_array(tp: Any) -> bool:
    return tp is np.ndarray or getattr(tp, "__origin__", None) is np.ndarray


_converter = cattrs.Converter(forbid_extra_keys=True)
for _kind in (int, float, str):
    _converter.register_structure_hook(_kind, _exact(_kind))
_converter.register_structure_hook_func(_is_array, _structure_array)
_converter.register_unstructure_hook_func(
    lambda tp: _is_array(tp) or tp is np.ndarray, _unstructure_array
)
_converter.register_structure_hook(
    Array | None, lambda v, _: None if v is None else _structure_array(v, np.ndarray)
)
_converter.register_unstructure_hook(
    Array | None, lambda v: None if v is None else _unstructure_array(v)
)
configure_tagged_union(Layer, _converter, tag_name="type")
