"""Wheels: what `make wheels` builds, and three of them in an environment of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
ALONE = ("snn-kernel", "snn-neurons-lif", "snn-energy")


def test_the_platforms_are_those_of_the_engine() -> None:
    (named,) = re.findall(r"^PLATFORMS := (.*)$", MAKEFILE, re.M)
    known = re.findall(
        r'^    "([\w.-]+)": Target\(', (ROOT / "engine_zig/hatch_build.py").read_text(), re.M
    )
    assert len(known) >= 5
    assert set(named.split()) <= set(known)
    systems = ("x86_64-linux", "aarch64-linux", "aarch64-macos", "x86_64-windows")
    assert all(name in named for name in systems)


def test_what_is_built_is_not_kept_in_git() -> None:
    assert "dist/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_all_means_all_plugins() -> None:
    project = tomllib.loads((ROOT / "kernel" / "pyproject.toml").read_text("utf-8"))["project"]
    folders = {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}
    assert set(project["optional-dependencies"]["all"]) == folders


@pytest.mark.slow
def test_three_wheels_alone_in_a_fresh_environment(tmp_path: Path) -> None:
    """Ours from wheels and nowhere else, what others make from the registry."""
    wheels = tmp_path / "dist"
    sources = [ROOT / "kernel", *(ROOT / "plugins" / name for name in ALONE[1:])]
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", wheels, *sources], check=True)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")

    def run(*command: str | Path) -> str:
        found = subprocess.run(
            [scripts / command[0], *command[1:]],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    run("pip", "install", "-q", "--no-deps", "--no-index", "--find-links", wheels, *ALONE)
    run("pip", "install", "-q", "-c", ROOT / "constraints.txt", *others(wheels))
    run("pip", "check")
    offered = [line.split()[:3] for line in run("snnk", "kinds").splitlines()]
    assert offered == [
        ["neuron", "IFNode", "snn-neurons-lif"],
        ["neuron", "LIFNode", "snn-neurons-lif"],
        ["postprocessing", "EnergyEstimationMetric", "snn-energy"],
        ["postprocessing", "OperationCounter", "snn-energy"],
    ]
    assert run("snnk", "kinds", "LIFNode").startswith("neuron 'LIFNode' from snn-neurons-lif ")
    assert run("snnk", "doctor").endswith("\nnothing is broken\n")
    assert "a neuron that works" in run("snnk", "new", "neuron", "foo")
    missing = subprocess.run(
        [scripts / "snnk", "check", ROOT / "examples" / "digits.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 1
    assert "dataset 'Digits' is not installed (pip install snn-datasets)" in missing.stderr


def others(wheels: Path) -> set[str]:
    """What these wheels require that is not of ours, extras aside."""
    found = set()
    for path in wheels.iterdir():
        with zipfile.ZipFile(path) as archive:
            (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            text = archive.read(metadata).decode()
        found |= set(re.findall(r"^Requires-Dist: ([^;\n]+)$", text, re.M))
    return {name for name in found if not name.startswith("snn-")}
