"""Numbers as people read them; full precision stays in the CSV files."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

THIN = "\u202f"  # a narrow space that does not break, between a number and its unit
ABSENT = "–"
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def is_number(value: Any) -> bool:
    """Whether `value` is a number; a truth value is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def number(value: Any, digits: int = 4) -> str:
    """`value` with thousands separated and `digits` significant digits; integers stay whole.

    Text stays as it is, truth values become yes and no, None becomes a dash.
    """
    if value is None:
        return ABSENT
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{value:,}".replace("-", "−")
    if not isinstance(value, Real):
        return str(value)
    return _real(float(value), digits).replace("-", "−")


def _real(x: float, digits: int) -> str:
    if not math.isfinite(x):
        return "NaN" if math.isnan(x) else "-∞" if x < 0 else "∞"
    if x == 0:
        return "0"
    if not 1e-4 <= abs(x) < 1e9:
        mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}{THIN}×{THIN}10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(x))))
    text = f"{x:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float, decimals: int = 1) -> str:
    """A share, 0 to 1, as percent; what is neither all nor nothing never reads 100 % or 0 %."""
    figure = f"{100 * share:.{decimals}f}"
    if share in (0, 1):
        figure = f"{100 * share:.0f}"
    elif float(figure) == 0:
        return percent(share, decimals + 1) if decimals < 4 else f"<{THIN}0.0001{THIN}%"
    elif float(figure) == 100:
        return percent(share, decimals + 1) if decimals < 4 else f">{THIN}99.9999{THIN}%"
    return f"{figure}{THIN}%"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if not math.isfinite(seconds) or seconds < 60:
        return f"{number(seconds, 3)}{THIN}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{THIN}min"
    return f"{minutes // 60}{THIN}h {minutes % 60}{THIN}min"


def px(value: float) -> str:
    """A coordinate to a tenth of a pixel, as short as can be."""
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def short(text: str, length: int = 26) -> str:
    """`text` with its middle left out where it is longer than `length`."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[-(length - 1 - head) :]}"
