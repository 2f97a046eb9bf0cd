"""A fixture that pretends that distributions are installed beside those that are."""

from __future__ import annotations

import importlib
import sys
import tomllib
import types
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from snn_kernel.hookspecs import PROJECT
from snn_kernel.registry import Registry


class Entry:
    """An entry point of a distribution folder, as importlib.metadata would give it."""

    def __init__(self, project: dict[str, Any], name: str, value: str) -> None:
        self.name, self.value, self.module = name, value, value
        known = {"version": project["version"], "requires": project["dependencies"]}
        self.dist = types.SimpleNamespace(name=project["name"], **known)

    def load(self) -> Any:
        return importlib.import_module(self.value)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Call it with the folders of distributions; their modules lie in the folder or in its src."""
    real = metadata.entry_points
    found: list[Entry] = []

    def listed(group: str) -> list[Any]:
        return [*real(group=group), *(found if group == PROJECT else [])]

    def folders(*given: Path) -> None:
        for folder in given:
            project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
            entries = project["entry-points"][PROJECT].items()
            found.extend(Entry(project, name, value) for name, value in entries)
            for path in (folder, folder / "src"):
                monkeypatch.syspath_prepend(str(path))
        Registry.discover.cache_clear()

    monkeypatch.setattr(metadata, "entry_points", listed)
    before = set(sys.modules)
    yield folders
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {e.value.partition(".")[0] for e in found}:
            del sys.modules[name]
    Registry.discover.cache_clear()
