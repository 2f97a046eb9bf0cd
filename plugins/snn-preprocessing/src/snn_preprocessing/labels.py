"""How many classes there are."""

from __future__ import annotations

import numpy as np
from attrs import evolve, field, frozen, validators

from snn_kernel import Context, DataError, Events, Fault, Splits

SETS = ("train", "valid", "test")


@frozen
class Class2BinMatrix:
    """Fixes the number of classes, and checks that the labels of all sets lie within.

    Optional: every data set tells its number of classes itself. Files in the documented format have
    this step to make one-hot vectors of the labels; here they stay numbers, the loss takes them as
    they are, and what is left of the step is the width of those vectors.

    classes: labels are 0..classes-1; default: as many as the largest label of all sets asks for
    """

    classes: int | None = field(default=None, validator=validators.optional(validators.ge(2)))

    def apply(self, splits: Splits, context: Context) -> Splits:
        """The same samples or events with `classes` set.

        DataError for labels outside, with the first of each set, or where there are no labels.
        """
        sets = {name: getattr(splits, name) for name in SETS}
        labels = {
            name: found.labels if isinstance(found, Events) else found.y
            for name, found in sets.items()
            if found is not None and len(found)
        }
        if not labels:
            raise DataError("the data set has no samples, so no classes")
        classes = self.classes or 1 + max(0, *(int(y.max()) for y in labels.values()))
        faults = []
        for name, y in labels.items():
            if len(wrong := np.flatnonzero((y < 0) | (y >= classes))):
                what = f"label {y[wrong[0]]} of sample {wrong[0]} is not one of 0..{classes - 1}"
                more = f", nor are {len(wrong) - 1} more" if len(wrong) > 1 else ""
                faults.append(Fault(f"{name} set", what + more, "Class2BinMatrix"))
        if faults:
            raise DataError(*faults)
        return evolve(splits, classes=classes)
