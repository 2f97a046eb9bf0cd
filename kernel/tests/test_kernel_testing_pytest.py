"""`pytest --snnk-conformance`, in a process of its own, on distributions made for the test."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

NAME = "snnk-conformance"
if not metadata.entry_points(group="pytest11", name=NAME):
    pytest.skip("install the kernel again: its pytest plugin is not known", allow_module_level=True)

PLUGIN = '''
from attrs import frozen
from snn_kernel import DataError, Kind, hookimpl

@frozen
class Filed:
    """A data set whose files are not here."""

    def load(self, context):
        raise DataError("there are no files")

@frozen
class Crowd:
    """A neuron that looks at the others."""

    def step(self, state, current, fire):
        u = current - current.mean() if state is None else state + current - current.mean()
        spikes = fire(u, 1.0)
        return u - spikes, spikes

@frozen
class Blank:
    """A report that writes nothing."""

    def write(self, report, context):
        return {"page": context.folder / "page.html"}

@hookimpl
def snnk_reports():
    return [Kind("Blank", Blank)]

@hookimpl
def snnk_datasets():
    return [Kind("Filed", Filed)]

@hookimpl
def snnk_neurons():
    return [Kind("Crowd", Crowd)]
'''


def installed(folder: Path, name: str, text: str) -> None:
    """A distribution as pip would leave it in `folder`."""
    (folder / f"{name}.py").write_text(text)
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[snn_kernel]\n{name} = {name}\n")


def conformance(folder: Path) -> subprocess.CompletedProcess[str]:
    (empty := folder / "empty").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rfs"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300"}
    asked = ["--snnk-conformance", "crowding"]
    return subprocess.run(
        [*command, *asked], env=environment, cwd=empty, capture_output=True, text=True, check=False
    )


def test_every_check_is_a_test_that_says_what_to_do(tmp_path: Path) -> None:
    installed(tmp_path, "crowding", PLUGIN)
    done = conformance(tmp_path)
    assert done.returncode == 1, done.stderr
    found = done.stdout
    assert "crowding::neuron Crowd: neurons are independent - another current" in found
    assert "Compute element by element, without sums, means or maxima" in found
    assert "neuron Crowd: arguments stay" not in found
    assert "crowding::report Blank: files come back - file 'page' is not in the folder" in found
    assert "it could not load: there are no files" in found
    assert "conformance.py" not in found


def test_a_distribution_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = conformance(tmp_path)
    assert done.returncode == 4
    assert "--snnk-conformance: no plugin 'crowding' is installed (known: " in done.stderr
    installed(tmp_path, "crowding", "import no_such_module")
    done = conformance(tmp_path)
    assert done.returncode == 4
    assert "crowding: ModuleNotFoundError: No module named 'no_such_module'" in done.stderr


def test_it_costs_nothing_where_nobody_asks() -> None:
    code = """import sys, pytest
before = set(sys.modules)
import snn_kernel.testing.pytest_plugin
print(*sorted(set(sys.modules) - before))"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("snn_")}
    assert ours == {"snn_kernel", "snn_kernel.testing", "snn_kernel.testing.pytest_plugin"}
    assert not {"numpy", "attrs", "pluggy", "torch"} & set(done.stdout.split())
