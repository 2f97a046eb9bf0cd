"""One set used as another."""

from __future__ import annotations

from typing import Any

from attrs import evolve, field, frozen

from snn_kernel import Context, Splits
from snn_preprocessing.sets import Set, another, source_of


@frozen
class CopySet:
    """Makes a set that is absent or empty the same as another one: samples or events, no copy.

    What is measured on the new set is then measured on samples of the other. A validation set that
    is the training set tells how well it is learnt, not how well that holds for other samples; and
    what is chosen by a validation set that is the test set is chosen by the test.

    source: the set to take, "train", "valid" or "test"; default "train"
    dest: the set to make, another one; default "valid"
    """

    source: Set = "train"
    dest: Set = field(default="valid", validator=another)

    def apply(self, splits: Splits, context: Context) -> Splits:
        """New splits with `dest`; the others stay as they are.

        DataError where `source` has no samples, or `dest` has some already.
        """
        made: dict[str, Any] = {self.dest: source_of(splits, self.source, self.dest, "CopySet")}
        return evolve(splits, **made)
