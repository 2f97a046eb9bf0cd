"""Fixtures: the toy plugins, and nothing else, installed for one test; the command beside them."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from said import Said, Struck
from snn_kernel.registry import Registry
from snn_kernel.testing import importing
from snnk.command import main
from toys import EXPERIMENT, LISTENED, TOY, Count, Entry


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend that just these entry points are installed."""

    def entries(*found: Entry) -> None:
        monkeypatch.setattr(metadata, "entry_points", lambda group: list(found))
        Registry.discover.cache_clear()

    yield entries
    Registry.discover.cache_clear()


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds of the tests' own count as cheap to import, whatever their file imports."""
    monkeypatch.setattr(importing, "_imported", lambda *_: (0.0, [], ""))


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


@pytest.fixture
def snnk(experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Said:
    """The command in the folder of the experiment: its status and what it says, on both streams."""
    monkeypatch.chdir(experiment.parent)
    monkeypatch.delenv("COLUMNS", raising=False)

    def said(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return said


@pytest.fixture
def two(snnk: Said) -> Said:
    """With two runs that differ in one key."""
    assert snnk("run", "toy.toml")[0] == snnk("run", "toy.toml", "bench.seed=6")[0] == 0
    return snnk


@pytest.fixture
def struck(snnk: Said, monkeypatch: pytest.MonkeyPatch) -> Struck:
    """A run into which an error strikes after training; its status."""

    def strike(error: BaseException) -> int:
        def fail(*_: Any) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(Count, "apply", fail)
            return snnk("run", "toy.toml", "bench.seed=7")[0]

    return strike
