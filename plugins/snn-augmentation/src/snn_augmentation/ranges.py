"""Validators: numbers that make sense, alone or in lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

FLOAT32 = np.finfo(np.float32)
LARGEST = float(FLOAT32.max)

Numbers = float | tuple[float, ...]
Validator = Callable[[Any, Any, Any], None]


def within(low: float = -LARGEST, high: float = LARGEST) -> Validator:
    """Every number is in [low, high], by default anything that float32 can hold."""
    wanted = f"between {low:g} and {high:g}"
    if high == LARGEST:
        wanted = "a finite number" if low == -LARGEST else f">= {low:g}"

    def check(_: Any, attribute: Any, value: Numbers) -> None:
        # Written so that nan fails as well.
        if not all(low <= v <= high for v in _numbers(value)):
            raise ValueError(f"'{attribute.alias}' must be {wanted}, not {_shown(value)}")

    return check


def positive(_: Any, attribute: Any, value: Numbers) -> None:
    """Every number is above 0, in float32 as well."""
    if not all(float(FLOAT32.tiny) <= v <= LARGEST for v in _numbers(value)):
        raise ValueError(f"'{attribute.alias}' must be > 0, not {_shown(value)}")


def ascending(_: Any, attribute: Any, value: Numbers) -> None:
    """A pair is [low, high]."""
    if isinstance(value, tuple) and not value[0] <= value[1]:
        raise ValueError(f"'{attribute.alias}' must be [low, high], not {_shown(value)}")


def _numbers(value: Numbers) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def _shown(value: Numbers) -> str:
    return str(list(value) if isinstance(value, tuple) else value)
