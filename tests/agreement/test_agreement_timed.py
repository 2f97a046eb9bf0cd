"""Events to frames to timesteps to spikes: a plan over address events, deployed and compared."""

from __future__ import annotations

import json
import sys
import types
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import frozen

from snn_kernel import EVENT, Context, Events, Kind, Splits, hookimpl
from snn_kernel.hookspecs import PROJECT
from snn_kernel.registry import Registry
from snnk.command import main

SIDE, DURATION_US = 8, 8000


@frozen
class Bars:
    """Two classes of recordings: a bar that moves down (polarity 0) or to the right (1)."""

    count: int = 40

    def load(self, context: Context) -> Splits:
        return Splits(self._events(1), None, self._events(2), 2)

    def _events(self, seed: int) -> Events:
        rng = np.random.default_rng(seed)
        labels = np.arange(self.count, dtype=np.int64) % 2
        recordings = [self._recording(rng, int(label)) for label in labels]
        offsets = np.cumsum([0, *map(len, recordings)])
        return Events(np.concatenate(recordings), offsets, labels, (SIDE, SIDE, 2))

    def _recording(self, rng: np.random.Generator, label: int) -> Any:
        events = np.zeros(240, EVENT)
        events["t"] = np.sort(rng.integers(0, DURATION_US, len(events)))
        along = events["t"] * SIDE // DURATION_US
        across = rng.integers(0, SIDE, len(events))
        events["x"], events["y"] = (along, across) if label else (across, along)
        events["p"] = label
        return events


EXPERIMENT = """
[bench]
name = "bars"
seed = 3

[learningframework]
kind = "{framework}"

[dataset]
kind = "Bars"

{preprocessing}

[[model]]
name = "scnn"
kind = "SCNN"
epochs = 6
batch_size = 8
optimizer = {{ kind = "Adam", params = {{ lr = 1e-2 }} }}

[model.params]
timesteps = 4
filters = [8]
kernel_sizes = [3]
paddings = [1]
pool_sizes = [2]
neuron = {{ kind = "LIFNode", params = {{ v_reset = false, step_mode = "{mode}" }} }}

[deploy]
target = "ZigEngine"
"""
GROUPED = """
[[preprocessing]]
kind = "IntegrateEventsByFixedDuration"
params.duration = 1000

[[preprocessing]]
kind = "Group2TimeStepsBySample"
params.timesteps = 4
"""
COUNTED = """
[[preprocessing]]
kind = "IntegrateEventsByFixedFramesNumber"
params = { split_by = "number", frames_num = 4 }
"""


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The data set above, as if it were installed beside the real plugins."""
    module = types.ModuleType("bars_plugin")
    module.snnk_datasets = hookimpl(lambda: [Kind("Bars", Bars)])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bars_plugin", module)
    real = metadata.entry_points

    class Entry:
        name, value, module = "bars", "bars_plugin", "bars_plugin"
        dist = types.SimpleNamespace(name="bars", version="0.1", requires=())

        @staticmethod
        def load() -> Any:
            return sys.modules["bars_plugin"]

    def listed(group: str) -> list[Any]:
        return [*real(group=group), *([Entry] if group == PROJECT else [])]

    monkeypatch.setattr(metadata, "entry_points", listed)
    Registry.discover.cache_clear()
    yield
    Registry.discover.cache_clear()


@pytest.mark.usefixtures("bars")
@pytest.mark.parametrize("preprocessing", [GROUPED, COUNTED], ids=["grouped", "counted"])
@pytest.mark.parametrize(
    ("framework", "mode"),
    [("SpikingJellyTimeStepsInData", "s"), ("SpikingJellyMultiStepTimeStepsInData", "m")],
)
def test_event_pipeline(tmp_path: Path, framework: str, mode: str, preprocessing: str) -> None:
    file, results = tmp_path / "bars.toml", tmp_path / "results.json"
    parts = {"framework": framework, "mode": mode, "preprocessing": preprocessing}
    file.write_text(EXPERIMENT.format(**parts))
    command = ["run", str(file), "--out", str(tmp_path / "out"), "--json", str(results)]
    assert main([*command, "--traceback"]) == 0
    (made,) = json.loads(results.read_text())["runs"]
    assert made["agreement"]["differing"] == 0
    samples = 80 if preprocessing == GROUPED else 40
    assert made["agreement"]["compared"] == samples * (4 * 8 * SIDE * SIDE + 2)
    accuracies = [m["value"] for m in made["measures"] if m["name"] == "accuracy"]
    assert len(accuracies) == 2
    assert min(accuracies) == max(accuracies) >= 0.9


@pytest.mark.usefixtures("bars")
def test_a_framework_without_timed_samples_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bars.toml"
    parts = {"framework": "SpikingJelly", "mode": "s", "preprocessing": GROUPED}
    file.write_text(EXPERIMENT.format(**parts))
    assert main(["run", str(file), "--out", str(tmp_path / "out")]) != 0
    assert "timesteps" in capsys.readouterr().err
