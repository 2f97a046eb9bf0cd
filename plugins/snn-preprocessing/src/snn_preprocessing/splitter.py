"""Move samples from one set to another."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from snn_kernel import Context, DataError, Events, Fault, Samples, Splits
from snn_preprocessing.sets import Set, another, source_of


@frozen
class DatasetSplitter:
    """Moves samples, drawn at random, from one set to another that is absent or empty.

    None is lost and none is in both; in each set they keep their order. The draw depends on the
    seed of [bench] and the number of samples alone: it is the same for every model and run, and
    does not look at the classes.

    source: the set to take from, "train", "valid" or "test"; default "train"
    dest: the set to make, another one; default "test"
    ratio: the part of source that moves, between 0 and 1, of N samples round(ratio·N); default 0.1
    """

    source: Set = "train"
    dest: Set = field(default="test", validator=another)
    ratio: float = field(default=0.1)

    @ratio.validator
    def _a_part(self, attribute: attrs.Attribute[float], value: float) -> None:
        if not 0 < value < 1:
            raise ValueError(f"'ratio' must be between 0 and 1, not {value}")

    def apply(self, splits: Splits, context: Context) -> Splits:
        """New sets `source` and `dest`, samples or events; the third stays as it is.

        DataError where `source` is absent, `dest` has samples already, or one of them would have
        none afterwards.
        """
        source = source_of(splits, self.source, self.dest, "DatasetSplitter")
        total = len(source)
        count = round(self.ratio * total)
        if count in (0, total):
            what = f"ratio {self.ratio} of {total} samples moves {count}, and leaves a set empty"
            raise DataError(Fault("DatasetSplitter", what))
        moves = np.zeros(total, bool)
        moves[np.random.default_rng(context.seed).permutation(total)[:count]] = True
        made: dict[str, Any] = {self.source: _take(source, ~moves), self.dest: _take(source, moves)}
        return evolve(splits, **made)


def _take(found: Samples | Events, mask: NDArray[np.bool_]) -> Samples | Events:
    """Those of a set that `mask` [N] marks."""
    if isinstance(found, Samples):
        return found.take(mask)
    lengths = np.diff(found.offsets)
    return evolve(
        found,
        records=found.records[np.repeat(mask, lengths)],
        offsets=np.concatenate([[0], np.cumsum(lengths[mask])]).astype(np.int64),
        labels=found.labels[mask],
    )
