"""Experiments on events: the N-MNIST example on real recordings, and spikes of one dimension."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("SNNK_SHARED", ROOT.parent / "shared")) / "data" / "nmnist_small"
EXAMPLE = str(ROOT / "examples" / "nmnist.toml")

needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason=f"no N-MNIST recordings in {RECORDINGS} (set SNNK_SHARED)"
)


def snnk(*arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snnk", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def run(out: Path, *arguments: str) -> Any:
    path = out / "results.json"
    done = snnk("run", *arguments, "--out", str(out), "--json", str(path))
    assert done.returncode == 0, done.stderr
    (only,) = json.loads(path.read_text())["runs"]
    return only


def accuracy(result: Any, source: str) -> float:
    (value,) = (
        m["value"] for m in result["measures"] if (m["name"], m["source"]) == ("accuracy", source)
    )
    return float(value)


@pytest.mark.slow
@needs_recordings
@pytest.mark.parametrize("seed", [42, 43, 44])
def test_nmnist_reaches_its_accuracy_and_every_spike_agrees(tmp_path: Path, seed: int) -> None:
    path = f"dataset.params.path={RECORDINGS}"
    result = run(tmp_path, EXAMPLE, path, f"bench.seed={seed}")
    # 1000 recordings to train with and 100 to test, of 60000 and 10000 published.
    assert accuracy(result, "test") >= 0.92
    assert accuracy(result, "ZigEngine") == accuracy(result, "test")
    assert result["agreement"]["differing"] == 0


@needs_recordings
def test_a_small_network_learns_nmnist_in_one_epoch(tmp_path: Path) -> None:
    path = f"dataset.params.path={RECORDINGS}"
    small = ("model.0.epochs=1", "model.0.params.filters=[4, 8]")
    result = run(tmp_path, EXAMPLE, path, *small)
    assert accuracy(result, "test") >= 0.4  # chance is 0.1
    assert result["agreement"]["differing"] == 0
    # 100 samples, 10 timesteps, the neurons of two convolutions, 10 logits
    neurons = 4 * 34 * 34 + 8 * 17 * 17
    assert result["agreement"]["compared"] == 100 * (10 * neurons + 10)
    assert {"energy", "spikes"} <= {m["name"] for m in result["measures"]}


def test_missing_recordings_are_told_when_planning(tmp_path: Path) -> None:
    done = snnk("check", EXAMPLE, f"dataset.params.path={tmp_path}")
    assert done.returncode == 1
    for part in ("Train/<digit>/<index>.bin", "Test/", str(tmp_path), "garrickorchard.com"):
        assert part in done.stderr


SPEECH = """
[bench]
name = "speech"
seed = 1

[learningframework]
kind = "SpikingJellyMultiStepTimeStepsInData"

[dataset]
kind = "SHD"
params.path = "{folder}"

[[preprocessing]]
kind = "IntegrateEventsByFixedDuration"
params.duration = 100000

[[preprocessing]]
kind = "Group2TimeStepsBySample"
params.timesteps = 4

[[model]]
name = "scnn"
kind = "SCNN"
epochs = 6
batch_size = 16
optimizer = {{ kind = "Adam", params = {{ lr = 1e-2 }} }}

[model.params]
timesteps = 4
dims = 1
filters = [4]
kernel_sizes = [5]
strides = [5]
pool_sizes = [4]

[model.params.neuron]
kind = "IFNode"
params = {{ v_reset = false, step_mode = "m" }}

[[postprocessing]]
kind = "EnergyEstimationMetric"
params = {{ mem_width = 32, fifo_size = 64 }}

[deploy]
target = "ZigEngine"
"""


def speech(path: Path, count: int, seed: int) -> None:
    """Samples of 20 classes, each with 200 spikes around units of its own within half a second."""
    draw = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", count, h5py.vlen_dtype("f2"))
        units = file.create_dataset("spikes/units", count, h5py.vlen_dtype("u2"))
        for i in range(count):
            times[i] = np.sort(draw.uniform(0, 0.5, 200)).astype("f2")
            units[i] = 35 * (i % 20) + draw.integers(0, 35, 200).astype("u2")
        file["labels"] = np.arange(count, dtype="u2") % 20


def test_spikes_of_one_dimension_are_learnt_and_every_spike_agrees(tmp_path: Path) -> None:
    speech(tmp_path / "shd_train.h5", 200, 1)
    speech(tmp_path / "shd_test.h5", 40, 2)
    file = tmp_path / "speech.toml"
    file.write_text(SPEECH.format(folder=tmp_path))
    result = run(tmp_path, str(file))
    assert accuracy(result, "test") >= 0.9
    assert result["agreement"]["differing"] == 0
    # 40 samples, 4 timesteps of 100 ms, 4 filters at 140 positions - 1, 20 logits
    assert result["agreement"]["compared"] == 40 * (4 * 4 * 140 + 20)
