"""What the tests of the event data sets share: a context that listens, and writers of files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen

from snn_kernel import Context


@frozen
class Heard:
    context: Context
    steps: list[tuple[str, int, int]] = field(factory=list)
    warnings: list[str] = field(factory=list)


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    """A context, and what was told through it."""
    steps: list[tuple[str, int, int]] = []
    warnings: list[str] = []

    def progress(part: str, done: int, total: int, _: Any) -> None:
        steps.append((part, done, total))

    context = Context(0, tmp_path / "run", progress, warnings.append)
    return Heard(context, steps, warnings)


class Write:
    """One writer for every format; events are rows (x, y, t, p)."""

    @staticmethod
    def atis(events: Any) -> bytes:
        x, y, t, p = np.array(events, np.int64).reshape(-1, 4).T
        parts = [x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255]
        return np.stack(parts, 1).astype(np.uint8).tobytes()

    @staticmethod
    def bs3(events: Any) -> bytes:
        x, y, t, p = np.array(events, np.int64).reshape(-1, 4).T
        parts = [x >> 4, (x & 15) << 4 | y >> 8, y & 255, p, t >> 16, t >> 8 & 255, t & 255]
        return np.stack(parts, 1).astype(np.uint8).tobytes()

    @staticmethod
    def aedat(events: Any, size: int = 100, valid: bool = True) -> bytes:
        """Packets of at most `size` events, one of another type and one per overflow among them."""
        out = [b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"]
        rows = np.array(events, np.int64).reshape(-1, 4)
        out.append(
            np.array([0, 1], "<u2").tobytes() + np.array([8, 4, 0, 1, 1, 1], "<u4").tobytes()
        )
        out.append(bytes(8))
        for overflow in np.unique(rows[:, 2] >> 31):
            own = rows[rows[:, 2] >> 31 == overflow]
            for part in np.split(own, range(size, len(own), size)):
                x, y, t, p = part.T
                words = np.stack([x << 17 | y << 2 | p << 1 | valid, t & (2**31 - 1)], 1)
                n = len(part)
                head = np.array([8, 4, overflow, n, n, n * valid], "<u4")
                out += [np.array([1, 1], "<u2").tobytes(), head.tobytes()]
                out.append(words.astype("<u4").tobytes())
        return b"".join(out)


@pytest.fixture(scope="session")
def write() -> type[Write]:
    return Write


@pytest.fixture(scope="session")
def rows() -> Any:
    """The samples of Events as lists of (x, y, t, p)."""

    def of(events: Any) -> list[list[tuple[int, ...]]]:
        table = [tuple(int(r[n]) for n in "xytp") for r in events.records]
        bounds = events.offsets.tolist()
        return [table[a:b] for a, b in pairwise(bounds)]

    return of
