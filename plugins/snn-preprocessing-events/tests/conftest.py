"""What the tests of the event preprocessings share."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from snn_kernel import EVENT, Context, Events, Splits

Event = tuple[int, int, int, int]  # x, y, t, p


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def context(tmp_path: Path, warnings: list[str]) -> Context:
    return Context(3, tmp_path, warn=warnings.append)


@pytest.fixture(scope="session")
def events_of() -> Callable[..., Events]:
    """Events of samples that are lists of (x, y, t, p); labels 0, 1, …; arrays that are locked."""

    def make(samples: Sequence[Sequence[Event]], size: tuple[int, int, int] = (5, 6, 2)) -> Events:
        records = np.array([tuple(e) for sample in samples for e in sample], EVENT)
        offsets = np.cumsum([0, *map(len, samples)]).astype(np.int64)
        labels = np.arange(len(samples), dtype=np.int64)
        for array in (records, offsets, labels):
            array.flags.writeable = False  # whoever writes into them raises
        return Events(records, offsets, labels, size)

    return make


@pytest.fixture(scope="session")
def train_of() -> Callable[..., Splits]:
    return lambda found: Splits(found, None, None, 10)
