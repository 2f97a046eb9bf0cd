"""The examples, run as a newcomer runs them."""

from __future__ import annotations

import csv
import hashlib
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from snn_kernel.testing import check_neuron

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("SNNK_SHARED", ROOT.parent / "shared"))


def snnk(*arguments: str, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snnk", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def runs(out: Path, *arguments: str) -> Any:
    path = out / "results.json"
    done = snnk("run", *arguments, "--out", str(out), "--json", str(path))
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())["runs"]


def run(out: Path, *arguments: str) -> Any:
    (only,) = runs(out, *arguments)
    return only


def accuracy(result: Any, source: str) -> float:
    (value,) = (
        m["value"] for m in result["measures"] if (m["name"], m["source"]) == ("accuracy", source)
    )
    return float(value)


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_neuron_beside_its_experiment(tmp_path: Path) -> None:
    folder = ROOT / "examples" / "inline_neuron"
    made = run(tmp_path, str(folder / "digits.toml"))
    assert accuracy(made, "test") > 0.93
    (kept,) = tmp_path.glob("digits_inline/*/my_neurons.py")
    assert kept.read_bytes() == (folder / "my_neurons.py").read_bytes()


def test_a_neuron_beside_its_experiment_conforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "inline_neuron"))
    check_neuron(importlib.import_module("my_neurons").Refractory)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run(tmp_path_factory.mktemp("digits"), str(ROOT / "examples" / "digits.toml"))


def test_digits_reaches_its_accuracy_and_every_spike_agrees(digits: Any) -> None:
    assert accuracy(digits, "test") >= 0.975
    assert accuracy(digits, "ZigEngine") == accuracy(digits, "test")
    assert digits["agreement"]["differing"] == 0
    # 360 samples, 4 timesteps, the neurons of two convolutions and a hidden layer, 10 logits
    neurons = 16 * 8 * 8 + 32 * 8 * 8 + 64
    assert digits["agreement"]["compared"] == 360 * (4 * neurons + 10)
    names = {m["name"] for m in digits["measures"]}
    assert {"energy", "parameters", "accuracy"} <= names
    files = digits["files"]
    assert {"weights", "history", "energy", "operations", "network"} <= files.keys()
    report = next(Path(p) for p in files.values() if p.endswith("report.html")).read_text()
    assert "<svg" in report
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", report)


def test_counted_energy_stands_beside_what_the_equations_say(tmp_path: Path) -> None:
    """Fully connected layers cost the same; convolutions less, by what falls off their borders."""
    result = run(tmp_path, str(ROOT / "examples" / "digits_counted.toml"), "model.0.epochs=2")
    energies = {m["how"]: m["value"] for m in result["measures"] if m["name"] == "energy"}
    rows = csv.DictReader(Path(result["files"]["energy_by_source"]).read_text().splitlines())
    ratios = {row["name"]: float(row["ratio"]) for row in rows}
    for name in ("layers.fc1", "layers.fc2"):
        assert ratios[name] == pytest.approx(1, rel=1e-12)
    for name in ("layers.conv1", "layers.conv2", "Total"):
        assert 1.03 < ratios[name] < 1.5
    assert energies["estimated"] == pytest.approx(ratios["Total"] * energies["counted"])
    report = Path(result["files"]["report.html"]).read_text()
    assert "Energy per layer, estimated and counted" in report


def test_digits_event_by_event(tmp_path: Path) -> None:
    """Trained in timesteps, deployed without a clock, on random events; no agreement claimed."""
    result = run(tmp_path, str(ROOT / "examples" / "digits_events.toml"))
    assert accuracy(result, "test") >= 0.95
    assert accuracy(result, "ZigEngine") >= 0.9
    assert result["agreement"] is None
    rows = csv.DictReader(Path(result["files"]["event_counters"]).read_text().splitlines())
    assert [row["layer"] for row in rows][-1] == "output"


@pytest.mark.parametrize(
    ("name", "models"),
    [("digits_smlp", 3), ("digits_sresnet", 1), ("digits_formal", 1), ("digits_quantised", 1)],
)
def test_other_models_reach_theirs(name: str, models: int, tmp_path: Path) -> None:
    made = runs(tmp_path, str(ROOT / "examples" / f"{name}.toml"))
    assert len(made) == models
    for result in made:
        assert accuracy(result, "test") >= 0.95
        assert accuracy(result, "ZigEngine") == accuracy(result, "test")
        assert result["agreement"]["differing"] == 0


def test_a_graph_of_nir_is_the_network_that_was_trained(tmp_path: Path) -> None:
    made = run(tmp_path, str(ROOT / "examples" / "digits_nir.toml"))
    assert accuracy(made, "test") > 0.93
    assert made["agreement"] is None  # nothing is executed
    read = snnk("nir", "read", made["files"]["nir"], str(tmp_path / "read.network"))
    assert read.returncode == 0, read.stderr
    assert "8 layers, input 1 × 8 × 8 (static), 4 timesteps" in read.stdout
    assert "recurrent" not in snnk("nir", "show", made["files"]["nir"]).stdout


@pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="qemu-system-arm is not installed")
def test_a_microcontroller_answers_what_torch_does(tmp_path: Path) -> None:
    result = run(tmp_path, str(ROOT / "examples" / "digits_cortex_m.toml"))
    assert accuracy(result, "CortexM") == accuracy(result, "test") >= 0.95
    assert result["agreement"]["differing"] == 0
    assert {"c_source", "program", "instructions"} <= result["files"].keys()


def test_one_seed_gives_one_result(tmp_path: Path) -> None:
    short = (str(ROOT / "examples" / "digits.toml"), "model.0.epochs=2")
    first, second = run(tmp_path, *short), run(tmp_path, *short)
    assert digest(first["files"]["weights"]) == digest(second["files"]["weights"])
    kept = [[m for m in r["measures"] if m["how"] != "measured"] for r in (first, second)]
    assert kept[0] == kept[1]
    other = run(tmp_path, *short, "bench.seed=43")
    assert digest(other["files"]["weights"]) != digest(first["files"]["weights"])


# A shell that runs tests in the background has them, and what they start, ignore SIGINT.
HEED = """import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_half_written(tmp_path: Path, sent: int) -> None:
    file = str(ROOT / "examples" / "digits.toml")
    long = (file, "model.0.epochs=500", "--out", str(tmp_path))
    command = [sys.executable, "-c", HEED, sys.executable, "-m", "snnk", "run", *long]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "dataset" in line:
                break
        time.sleep(5)
        process.send_signal(sent)
        rest = process.stderr.read()
    assert "Traceback" not in rest
    assert process.returncode == (-signal.SIGKILL if sent == signal.SIGKILL else 130)
    read = {
        ".json": lambda path: json.loads(path.read_text()),
        ".pt": lambda path: torch.load(path, weights_only=True)["history"],
        ".safetensors": safetensors.torch.load_file,
    }
    for path in (p for p in tmp_path.rglob("*") if p.is_file() and "sqlite" not in p.name):
        assert path.suffix == ".json" or path.parents[1].name == "checkpoints", path
        assert read[path.suffix](path)
    run(tmp_path, file, "model.0.epochs=1")
    assert not list(tmp_path.rglob("*.partial"))


def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    short = (str(ROOT / "examples" / "digits.toml"), "model.0.epochs=6")
    command = [sys.executable, "-m", "snnk", "run", *short, "--out", str(tmp_path / "cut")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (kept := list(tmp_path.rglob("state.pt"))):
            time.sleep(0.01)
            assert process.poll() is None
        first = kept[0].stat().st_mtime_ns
        while kept[0].stat().st_mtime_ns == first:  # a second epoch is past
            time.sleep(0.01)
        process.kill()
    assert not list(tmp_path.rglob("weights.safetensors"))
    resumed = run(tmp_path / "cut", *short, "--resume")
    assert len(list((tmp_path / "cut" / "digits").iterdir())) == 1
    whole = run(tmp_path / "whole", *short)
    assert digest(resumed["files"]["weights"]) == digest(whole["files"]["weights"])
    kept_measures = [[m for m in r["measures"] if m["how"] != "measured"] for r in (resumed, whole)]
    assert kept_measures[0] == kept_measures[1]
    columns = [Path(r["files"]["history"]).read_text().splitlines() for r in (resumed, whole)]
    without_seconds = [[re.sub(r"^(\d+),[^,]*", r"\1", row) for row in rows] for rows in columns]
    assert without_seconds[0] == without_seconds[1]


def test_step_modes_give_one_answer(tmp_path: Path) -> None:
    file = str(ROOT / "examples" / "digits.toml")
    made = []
    for kind, mode in (("SpikingJelly", "s"), ("SpikingJellyMultiStep", "m")):
        changes = (f"learningframework.kind={kind}", "model.0.epochs=2")
        more = (f"model.0.params.neuron.params.step_mode={mode}", "model.0.params.batch_norm=true")
        made.append(run(tmp_path / mode, file, *changes, *more))
    assert accuracy(made[0], "test") == accuracy(made[1], "test")
    assert digest(made[0]["files"]["weights"]) == digest(made[1]["files"]["weights"])
    assert [r["agreement"]["differing"] for r in made] == [0, 0]


def test_mnist_on_real_files_for_a_few_samples(tmp_path: Path) -> None:
    if not (SHARED / "data" / "mnist").is_dir():
        pytest.skip(f"no MNIST files in {SHARED / 'data' / 'mnist'} (set SNNK_SHARED)")
    file, path = str(ROOT / "examples" / "mnist.toml"), f"dataset.params.path={SHARED}/data/mnist"
    done = snnk("run", file, path, "--until", "preprocess", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_mnist_reaches_98_percent_in_one_epoch(tmp_path: Path) -> None:
    if not (SHARED / "data" / "mnist").is_dir():
        pytest.skip(f"no MNIST files in {SHARED / 'data' / 'mnist'} (set SNNK_SHARED)")
    path = f"dataset.params.path={SHARED}/data/mnist"
    result = run(tmp_path, str(ROOT / "examples" / "mnist.toml"), path)
    assert accuracy(result, "test") >= 0.98
    assert result["agreement"]["differing"] == 0


def test_missing_mnist_says_which_files_and_where(tmp_path: Path) -> None:
    file = str(ROOT / "examples" / "mnist.toml")
    done = snnk("check", file, f"dataset.params.path={tmp_path}")
    assert done.returncode == 1
    for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte", str(tmp_path), "download"):
        assert name in done.stderr


@pytest.mark.slow
def test_the_kernel_alone_names_what_is_missing_and_who_offers_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = [scripts / "pip", "install", "-q", "-c", ROOT / "constraints.txt", ROOT / "kernel"]
    subprocess.run(install, check=True)
    kinds = subprocess.run([scripts / "snnk", "kinds"], capture_output=True, text=True, check=True)
    assert "no plugin is installed" in kinds.stdout
    command = [scripts / "snnk", "run", ROOT / "examples" / "digits.toml"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    for kind, home in [
        ("dataset 'Digits'", "snn-datasets"),
        ("framework 'SpikingJellyMultiStep'", "snn-framework-spikingjelly"),
        ("model 'SCNN'", "snn-models"),
        ("postprocessing 'EnergyEstimationMetric'", "snn-energy"),
        ("postprocessing 'OperationCounter'", "snn-energy"),
        ("deployer 'ZigEngine'", "snn-deploy-engine"),
    ]:
        assert f"{kind} is not installed (pip install {home})" in done.stderr
