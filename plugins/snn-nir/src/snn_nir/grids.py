"""The grids that a document puts inputs and sums on, as text: "24.20 nearest"."""

from __future__ import annotations

import re

from snn_kernel.network import Format

ROUNDINGS = ("nearest", "floor", "ceil")
BITS_MAX = 64


def told(format: Format | None) -> str:
    """Bits, those of them behind the point, rounding; empty if there is no grid."""
    return f"{format.bits}.{format.fraction} {format.rounding}" if format is not None else ""


def meant(text: str) -> Format | None:
    """The format of a text; ValueError if it is none."""
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,2})\.(-?\d{1,3}) (nearest|floor|ceil)", text)
    if found is None or not 2 <= int(found[1]) <= BITS_MAX:
        raise ValueError(f"'{text:.20}' is no grid")
    rounding = next(name for name in ROUNDINGS if name == found[3])
    return Format(int(found[1]), int(found[2]), rounding)  # type: ignore[arg-type]
