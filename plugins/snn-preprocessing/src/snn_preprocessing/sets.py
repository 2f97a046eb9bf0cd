"""The sets of a data set, named in pairs: one to take from, one to make."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from snn_kernel import DataError, Events, Fault, Samples, Splits

Set = Literal["train", "valid", "test"]


def another(step: Any, _: attrs.Attribute[str], dest: str) -> None:
    """Validates that `dest` is not the `source` of the step."""
    if dest == step.source:
        raise ValueError(f"'source' and 'dest' are both '{dest}'")


def source_of(splits: Splits, source: Set, dest: Set, whose: str) -> Samples | Events:
    """The set `source`; DataError where it has no samples, or `dest` has some already."""
    found: Samples | Events | None = getattr(splits, source)
    taken: Samples | Events | None = getattr(splits, dest)
    if not found:
        raise DataError(Fault(whose, f"the {source} set has no samples to take"))
    if taken:
        what = f"the {dest} set has {len(taken)} samples already, which would be lost"
        hint = f"leave this step out, or choose another dest for samples of the {source} set"
        raise DataError(Fault(whose, what, hint=hint))
    return found
