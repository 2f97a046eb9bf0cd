"""Whatever a verb was given, copied and compared bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import attrs
import numpy as np

copied = deepcopy


def same(a: Any, b: Any) -> bool:
    """Whether two values hold the same numbers, through tuples, lists, mappings and attrs."""
    if type(a) is not type(b):
        return False
    if attrs.has(type(a)):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in attrs.fields(type(a)))
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


def arrays(value: Any) -> list[np.ndarray[Any, Any]]:
    """All numbers in a value, as arrays."""
    if attrs.has(type(value)):
        value = [getattr(value, f.name) for f in attrs.fields(type(value))]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [a for item in value for a in arrays(item)]
    return [] if value is None else [np.asarray(value)]
