"""What the tests of the data sets share: a writer of idx files, and a context that listens."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen
from numpy.typing import NDArray

from snn_kernel import Context


def write_idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="session")
def idx_bytes() -> Callable[[NDArray[np.uint8]], bytes]:
    """The idx file of an array of bytes."""
    return write_idx


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


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder of four small files in the form of MNIST: 30 images to train, 20 to test, of 5x4."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    draw = np.random.default_rng(1)
    for name, count in (("train", 30), ("t10k", 20)):
        images = draw.integers(0, 256, (count, 5, 4), np.uint8)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(write_idx(images))
        labels = np.arange(count, dtype=np.uint8) % 10
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(write_idx(labels))
    return folder
