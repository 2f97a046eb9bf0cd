"""Neurons in distributions of their own: what docs/first_plugin.md says of them is so."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snn_kernel.testing import check_neuron
from snnk.command import main

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("third_party_*"))
NEURON, AFFINE = (ROOT / "examples" / f"third_party_{name}" for name in ("neuron", "affine"))
INLINE = ROOT / "examples" / "inline_neuron"
PAGE = (ROOT / "docs" / "first_plugin.md").read_text("utf-8")
# What an experiment on digits needs beside the kernel and the neuron.
NEEDED = ("snn-datasets", "snn-framework-spikingjelly", "snn-models")
MORE = ("snn-quantization", "snn-energy", "snn-deploy-engine")


def run(folder: Path, out: Path, *changes: str) -> dict[str, Any]:
    """The results of a folder's experiment."""
    return results(folder / "digits.toml", out, *changes)


def results(file: Path, out: Path, *changes: str) -> dict[str, Any]:
    path = out / "results.json"
    command = ["run", str(file), *changes, "--out", str(out)]
    assert main([*command, "--json", str(path)]) == 0
    (made,) = json.loads(path.read_text())["runs"]
    return dict(made)


def accuracy(made: dict[str, Any], source: str = "test") -> float:
    wanted = ("accuracy", source)
    (value,) = (m["value"] for m in made["measures"] if (m["name"], m["source"]) == wanted)
    return float(value)


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda p: p.name)
def test_a_whole_neuron_is_under_40_lines(folder: Path) -> None:
    files = [*folder.glob("*.py"), folder / "pyproject.toml"]
    assert sum(len(p.read_text("utf-8").splitlines()) for p in files) < 40


def test_the_page_is_the_example(install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def blocks(language: str) -> list[str]:
        return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)

    project, beside = blocks("toml")
    assert project == (NEURON / "pyproject.toml").read_text("utf-8")
    assert beside.splitlines()[1] in (INLINE / "digits.toml").read_text("utf-8").splitlines()
    assert blocks("python")[0] == (NEURON / "tiring_neuron.py").read_text("utf-8")
    count = sum(len(b.splitlines()) for b in (project, blocks("python")[0]))
    assert f"a neuron in {count} lines of two" in PAGE
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    install(NEURON)
    assert main(["kinds", "TiringLIF"]) == 0
    assert f"$ snnk kinds TiringLIF\n{capsys.readouterr().out}```" in PAGE
    made: dict[str, Any] = {}
    exec(blocks("python")[1], made)
    made["test_it_conforms"]()


@pytest.mark.parametrize("framework", ["SpikingJelly", "SpikingJellyMultiStep"])
def test_the_neuron_trains(install: Any, tmp_path: Path, framework: str) -> None:
    install(NEURON)
    assert accuracy(run(NEURON, tmp_path, f"learningframework.kind={framework}")) > 0.93


def test_without_a_normal_form_deploying_is_refused_when_planning(
    install: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    install(NEURON)
    assert main(["check", str(NEURON / "digits.toml"), "deploy.target=ZigEngine"]) == 1
    assert "its neuron TiringLIF has no lowered form" in capsys.readouterr().err


def test_one_more_method_and_it_is_quantised_costed_and_deployed(
    install: Any, tmp_path: Path
) -> None:
    install(AFFINE)
    made = run(AFFINE, tmp_path)
    assert accuracy(made) == accuracy(made, "ZigEngine") > 0.93
    assert made["agreement"]["differing"] == 0 < made["agreement"]["compared"]
    assert "energy" in {m["name"] for m in made["measures"]}
    text = (AFFINE / "digits.toml").read_text("utf-8").replace("Quantized", "")
    (file := tmp_path / "floats.toml").write_text(re.sub(r"quant_params = .*\n", "", text), "utf-8")
    floats = results(file, tmp_path)
    assert floats["agreement"]["differing"] == 0
    in_c = run(AFFINE, tmp_path, "deploy.target=Linux", "model.0.epochs=1")
    assert in_c["agreement"]["differing"] == 0 < in_c["agreement"]["compared"]


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda p: p.name)
def test_the_neurons_conform(install: Any, folder: Path) -> None:
    install(folder)
    (module,) = (path.stem for path in folder.glob("*.py"))
    for kind in importlib.import_module(module).snnk_neurons():
        check_neuron(kind)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of the examples, the kernel and what they need."""
    folder = tmp_path_factory.mktemp("wheels")
    plugins = [ROOT / "plugins" / name for name in (*NEEDED, *MORE)]
    sources = [ROOT / "kernel", ROOT / "engine_zig", *plugins, *EXAMPLES]
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), *map(str, sources)], check=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda p: p.name)
def test_installed_as_wheels_in_a_fresh_environment(
    folder: Path, wheels: Path, tmp_path: Path
) -> None:
    """As on a stranger's machine, but that torch and the like are lent by this environment."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    more = MORE if folder == AFFINE else ()
    own = "affine-neuron" if folder == AFFINE else "tiring-neuron"
    engine = ("snn-engine",) if more else ()
    names = ["snn-kernel", *NEEDED, *more, *engine, own]
    install = [scripts / "python", "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*install, "--find-links", wheels, *names], check=True)
    lend(scripts / "python", tmp_path / "lent")
    kinds = subprocess.run([scripts / "snnk", "kinds"], capture_output=True, text=True, check=True)
    offered = {line.split()[2] for line in kinds.stdout.splitlines()}
    assert offered == {"snn-datasets", "snn-framework-spikingjelly", "snn-models", own, *({*more})}
    file, out = folder / "digits.toml", tmp_path / "results.json"
    command = [scripts / "snnk", "run", file, "--out", tmp_path / "out", "--json", out]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = json.loads(out.read_text())["runs"]
    assert accuracy(made) > 0.93
    pytest_ = [scripts / "python", "-m", "pytest", "-q", "--snnk-conformance", own]
    done = subprocess.run(pytest_, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
    if folder == NEURON:
        text = re.sub(r" in [\d.]+s$", "", done.stdout.strip())
        assert f"$ pytest -q --snnk-conformance {own}\n{text}\n```" in PAGE


def lend(python: Path, folder: Path) -> None:
    """Let a fresh environment see what is installed here, all but the plugins and the kernel."""
    here = Path(pytest.__file__).parents[1]
    folder.mkdir()
    ours = ("snn_", "snnk", "_snn", "__editable__", "pip", "setuptools")
    for path in here.iterdir():
        if not path.name.startswith(ours) and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    place = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    Path(place.stdout.strip(), "lent.pth").write_text(f"{folder}\n", "utf-8")
