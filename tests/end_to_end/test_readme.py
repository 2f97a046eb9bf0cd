"""What the README shows is what there is."""

from __future__ import annotations

import re
import sys
import types
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from snn_kernel.hookspecs import PROJECT
from snn_kernel.registry import Registry
from snnk.command import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(text)


def test_the_experiment_shown_is_the_example() -> None:
    assert block("toml") == (ROOT / "examples" / "digits.toml").read_text("utf-8")


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 10
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_every_distribution_is_listed() -> None:
    folders = [ROOT / "kernel", ROOT / "engine_zig", *(ROOT / "plugins").iterdir()]
    for folder in (f for f in folders if (f / "pyproject.toml").is_file()):
        assert f"({folder.relative_to(ROOT)})" in README, folder


def test_the_plugin_shown_trains_and_its_missing_normal_form_is_told_when_planning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = types.ModuleType("readme_leak")
    monkeypatch.setitem(sys.modules, "readme_leak", module)
    exec(block("python"), module.__dict__)
    real = metadata.entry_points

    class Entry:
        name, value, module = "leak", "readme_leak", "readme_leak"
        dist = types.SimpleNamespace(name="readme-leak", version="0.1", requires=())

        @staticmethod
        def load() -> Any:
            return module

    def listed(group: str) -> list[Any]:
        return [*real(group=group), *([Entry] if group == PROJECT else [])]

    monkeypatch.setattr(metadata, "entry_points", listed)
    Registry.discover.cache_clear()
    try:
        neuron = "model.0.params.neuron={kind='Leak', params={decay=0.8}}"
        file = ROOT / "examples" / "digits.toml"
        assert main(["check", str(file), neuron]) == 1
        assert "Leak" in capsys.readouterr().err
        text = file.read_text("utf-8").partition("[deploy]")[0]
        file = tmp_path / "leak.toml"
        for framework in ("SpikingJelly", "SpikingJellyMultiStep"):
            file.write_text(text.replace("SpikingJellyMultiStep", framework))
            command = ["run", str(file), neuron, "model.0.epochs=1", "postprocessing=[]"]
            assert main([*command, "--out", str(tmp_path / "out"), "--traceback"]) == 0
    finally:
        Registry.discover.cache_clear()
    assert "accuracy" in capsys.readouterr().out
