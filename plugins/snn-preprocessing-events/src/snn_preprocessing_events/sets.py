"""The three sets of a data set, changed alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from snn_kernel import DataError, Fault, Splits


def convert(splits: Splits, verb: Callable[[Any, str], Any]) -> Splits:
    """Splits with `verb(set, where)` for every set that is there, `where` being its name.

    DataError with the faults of all sets at once.
    """
    made: dict[str, Any] = {}
    faults: list[Fault] = []
    for name in ("train", "valid", "test"):
        if (found := getattr(splits, name)) is None:
            continue
        try:
            made[name] = verb(found, f"{name} set")
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(*faults)
    return evolve(splits, **made)
