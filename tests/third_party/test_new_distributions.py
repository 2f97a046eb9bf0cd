"""`snnk new` writes distributions that work at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from snn_kernel.registry import Registry
from snnk.command import NEW, main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("slot", NEW)
def test_what_is_written_is_found_and_conforms(
    slot: str, install: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", slot, f"My_{slot}", "--out", str(tmp_path)]) == 0
    folder = tmp_path / f"my-{slot}"
    assert f"pip install -e {folder}" in capsys.readouterr().out
    install(folder)
    assert main(["kinds", f"My{slot.title()}"]) == 0
    assert f"{slot} 'My{slot.title()}' from my-{slot} 0.1.0" in capsys.readouterr().out
    if slot == "model":
        pytest.importorskip("torch")
    made: dict[str, Any] = {"__name__": "written"}
    exec((folder / "tests" / f"test_my_{slot}.py").read_text("utf-8"), made)
    tests = [verb for name, verb in made.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


def test_what_is_written_is_tidy(tmp_path: Path) -> None:
    for slot in NEW:
        assert main(["new", slot, f"my-{slot}", "--out", str(tmp_path)]) == 0
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--isolated", "--line-length", "100", str(tmp_path)]
    subprocess.run([*ruff, "format", "--check", *settings], check=True)
    subprocess.run([*ruff, "check", "--select", "E,F,W,B,UP,I", *settings], check=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("1st", "'1st' cannot be the name of a distribution"),
        ("class", "'class' cannot be the name of a distribution"),
        ("../up", "cannot be the name of a distribution"),
        ("", "cannot be the name of a distribution"),
        ("json", "there is a module 'json' already (call it my-json)"),
        ("taken", "taken is there already (choose another name, or --out)"),
    ],
)
def test_names_that_cannot_be_are_refused(
    name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    assert main(["new", "neuron", name, "--out", str(tmp_path)]) == 1
    assert said in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


@pytest.mark.slow
def test_a_new_neuron_conforms_in_a_fresh_environment(tmp_path: Path) -> None:
    """With the kernel alone, from an empty environment; prints how long each part takes."""
    start, times = time.perf_counter(), {}

    def done(part: str) -> None:
        times[part] = time.perf_counter() - start

    def run(*command: Any) -> str:
        found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    run(sys.executable, "-m", "venv", "venv")
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = (scripts / "pip", "install", "-q", "-c", ROOT / "constraints.txt")
    run(*install, ROOT / "kernel", "pytest")
    done("the kernel is installed")
    start = time.perf_counter()
    run(scripts / "snnk", "new", "neuron", "foo")
    done("snnk new neuron foo")
    run(*install, tmp_path / "foo")
    done("pip install foo")
    assert "neuron           Foo" in run(scripts / "snnk", "kinds")
    text = run(scripts / "pytest", "-q", "--snnk-conformance", "foo", "foo")
    done("its conformance tests pass")
    assert " passed" in text
    print(*(f"{seconds:6.1f} s  {part}" for part, seconds in times.items()), sep="\n")


def test_nothing_is_left_installed() -> None:
    assert not [p for p in Registry.discover().plugins if p.name.startswith("my-")]
