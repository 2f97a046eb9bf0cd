"""What the tests of the augmentations share: contexts that differ in their seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from snn_kernel import Context


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Context]:
    folder: Path = tmp_path_factory.mktemp("run")
    return lambda seed=0: Context(seed, folder)
