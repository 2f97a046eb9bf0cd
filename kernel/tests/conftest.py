"""Fixtures that install the toy plugins, and nothing else, for one test."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from snn_kernel.registry import Registry
from toys import EXPERIMENT, LISTENED, TOY, Entry


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend that just these entry points are installed."""

    def entries(*found: Entry) -> None:
        monkeypatch.setattr(metadata, "entry_points", lambda group: list(found))
        Registry.discover.cache_clear()

    yield entries
    Registry.discover.cache_clear()


@pytest.fixture
def toy(install: Any) -> None:
    """The toy plugin alone."""
    LISTENED.clear()
    install(Entry("toy", TOY))


@pytest.fixture
def experiment(tmp_path: Path, toy: None) -> Path:
    """A correct file for the toy plugin."""
    path = tmp_path / "toy.toml"
    path.write_text(EXPERIMENT)
    return path
