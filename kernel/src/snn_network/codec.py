"""The msgpack form of a document: what it looks like outside, and what is refused on the way in."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import attrs
import cattrs
import msgpack
import numpy as np
from cattrs.strategies import configure_tagged_union

from snn_network.errors import NetworkError
from snn_network.layers import Array, Layer

FORMAT = "snn-network"
VERSION = 1
BYTES_MAX = 1 << 30  # a document larger than 1 GiB is refused before it is unpacked
DTYPES = ("<f4", "<f8", "|i1", "<i2", "<i4", "<i8")
T = TypeVar("T")


def pack(document: Any) -> bytes:
    """A document as msgpack: a map of its fields; a layer's type stands under 'type', an array is
    the map {dtype, shape, data} with little-endian data."""
    packed: bytes = msgpack.packb({"format": FORMAT, "version": VERSION} | _plain(document))
    return packed


def unpack(data: bytes | memoryview, cls: type[T]) -> T:
    """The document of class `cls` in `data`; NetworkError whatever else it may hold."""
    if len(data) > BYTES_MAX:
        raise NetworkError(f"network document of {len(data)} bytes exceeds {BYTES_MAX}")
    try:
        fields = msgpack.unpackb(data)
    except (ValueError, msgpack.UnpackException) as error:
        raise NetworkError(f"not a network document: {error or type(error).__name__}") from None
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise NetworkError(f"not a network document: 'format' is not '{FORMAT}'")
    if (version := fields.pop("version", None)) != VERSION:
        raise NetworkError(f"network document of version {version}, not {VERSION}")
    try:
        return _converter.structure(fields, cls)
    except cattrs.BaseValidationError as error:
        causes = _leaves(error)
        for cause in causes:
            if isinstance(cause, NetworkError):
                raise cause from None
        text = "; ".join(cattrs.transform_error(error, path="network"))
        raise NetworkError(text) from None


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        return {"dtype": data.dtype.str, "shape": list(data.shape), "data": data.tobytes()}
    if attrs.has(type(value)):
        fields = {a.name: _plain(getattr(value, a.name)) for a in attrs.fields(type(value))}
        return fields | ({"type": type(value).__name__} if isinstance(value, Layer) else {})
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _read_array(value: Any, _: type) -> Array:
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data": bytes(data)} if dtype in DTYPES:
            sizes = [n for n in shape if type(n) is int and 0 < n <= BYTES_MAX]
            if len(sizes) == len(shape) and math.prod(sizes) * np.dtype(dtype).itemsize == len(
                data
            ):
                return np.frombuffer(data, dtype).reshape(sizes)
    raise ValueError("not an array (dtype, shape and data that fit each other)")


def _exact(kind: Any) -> Any:
    """A hook that takes values of exactly this type, where cattrs would convert ("8" to 8)."""

    def structure(value: Any, _: type) -> Any:
        if type(value) is kind or (kind is float and type(value) is int):
            return kind(value)
        raise ValueError(f"expected {kind.__name__}, got {value!r:.40}")

    return structure


_converter = cattrs.Converter(forbid_extra_keys=True)
for _kind in (int, float, str):
    _converter.register_structure_hook(_kind, _exact(_kind))
_converter.register_structure_hook_func(
    lambda tp: getattr(tp, "__origin__", None) is np.ndarray, _read_array
)
_converter.register_structure_hook(
    Array | None, lambda value, _: None if value is None else _read_array(value, Array)
)
configure_tagged_union(Layer, _converter, tag_name="type")
