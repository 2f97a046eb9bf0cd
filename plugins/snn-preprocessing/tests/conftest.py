"""What the tests of the preprocessings share: a context, and sets of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from snn_kernel import EVENT, Context, Events, Splits


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder: Path = tmp_path_factory.mktemp("run")
    return Context(3, folder)


@pytest.fixture(scope="session")
def events_of() -> Callable[[Sequence[int]], Events]:
    """Events whose sample i has counts[i] events; i is its label and the x of all its events."""

    def make(counts: Sequence[int]) -> Events:
        records = np.zeros(sum(counts), EVENT)
        records["x"] = np.repeat(np.arange(len(counts)), counts)
        records["t"] = np.arange(len(records))
        offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
        return Events(records, offsets, np.arange(len(counts), dtype=np.int64), (1 << 16, 1, 1))

    return make


def arrays_of(splits: Splits) -> list[np.ndarray]:
    sets = [s for s in (splits.train, splits.valid, splits.test) if s is not None]
    return [
        array
        for s in sets
        for array in ((s.records, s.offsets, s.labels) if isinstance(s, Events) else (s.x, s.y))
    ]


@pytest.fixture(scope="session")
def locked() -> Callable[[Splits], Splits]:
    """The same splits with arrays that raise where somebody writes into them."""

    def lock(splits: Splits) -> Splits:
        for array in arrays_of(splits):
            array.flags.writeable = False
        return splits

    return lock
