"""The types of C that elements of tensors and tables have."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import numpy as np

Element: TypeAlias = Literal["bits", "i8", "i16", "i32", "i64", "f32", "f64", "lanes"]

C: dict[Element, str] = {
    **{"bits": "uint32_t", "i8": "int8_t", "i16": "int16_t", "i32": "int32_t", "i64": "int64_t"},
    **{"f32": "float", "f64": "double", "lanes": "uint32_t"},  # two numbers of 16 bits in a lane
}
DTYPES: dict[Element, np.dtype[Any]] = {
    **{"bits": np.dtype("<u4"), "i8": np.dtype("i1"), "i16": np.dtype("<i2")},
    **{"i32": np.dtype("<i4"), "i64": np.dtype("<i8")},
    **{"f32": np.dtype("<f4"), "f64": np.dtype("<f8"), "lanes": np.dtype("<u4")},
}
WORD = 32  # spikes in a word of bits


def of_bits(bits: int) -> Element:
    """The integers that hold `bits` bits, the sign included."""
    widths: tuple[tuple[int, Element], ...] = ((8, "i8"), (16, "i16"), (32, "i32"))
    return next((element for width, element in widths if bits <= width), "i64")


def of_peak(peak: int) -> Element:
    """The integers that hold -peak to peak."""
    return of_bits(peak.bit_length() + 1)


def length(element: Element, count: int) -> int:
    """How long an array of `count` elements is: spikes are packed in words."""
    return -(-count // WORD) if element == "bits" else count


def size(element: Element, count: int) -> int:
    """Bytes of an array of `count` elements."""
    return length(element, count) * DTYPES[element].itemsize


def literal(element: Element, value: float) -> str:
    """`value` as a constant of C99, exactly."""
    if element in ("f32", "f64"):
        assert math.isfinite(value)
        return float(value).hex() + ("f" if element == "f32" else "")
    whole = int(value)
    assert whole == value, (element, value)
    if element == "lanes":
        assert 0 <= whole < 1 << WORD, value
        return f"0x{whole:08x}u"
    bits = DTYPES[element].itemsize * 8
    assert -(1 << (bits - 1)) <= whole < 1 << (bits - 1), (element, value)
    if whole == -(1 << (bits - 1)) and bits >= WORD:  # C has no negative constants
        return f"(-{literal(element, -(whole + 1))} - 1)"
    return f"INT64_C({whole})" if element == "i64" else str(whole)


def literals(element: Element, values: Iterable[float], width: int = 96) -> str:
    """Constants, comma-separated, in lines of at most about `width` characters."""
    lines, line = [], ""
    for text in (literal(element, value) for value in values):
        if line and len(line) + len(text) + 2 > width:
            lines.append(line)
            line = ""
        line += f"{', ' if line else ''}{text}"
    return ",\n    ".join([*lines, line])
