"""A quantised run compares torch with the integer law and the engine, and says who differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from snn_kernel import run as kernel_run
from snnk.command import DISAGREE, main

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits_quantised.toml"
SHORT = ("model.0.epochs=1", "postprocessing.1.params.epochs=0", "deploy.limit=20")


def run(folder: Path) -> tuple[int, Any]:
    results = folder / "results.json"
    asked = ["run", str(EXAMPLE), *SHORT, "--out", str(folder), "--json", str(results)]
    status = main(asked)
    (only,) = json.loads(results.read_text())["runs"]
    return status, only


def test_the_law_is_asked_on_every_run(tmp_path: Path) -> None:
    status, made = run(tmp_path)
    assert status == 0
    # 16 samples by the law, 20 by the engine: four timesteps of three populations, ten logits
    neurons = 16 * 8 * 8 + 32 * 8 * 8 + 64
    assert made["agreement"]["compared"] == (16 + 20) * (4 * neurons + 10)
    assert made["agreement"]["differing"] == 0
    assert {"quantization", "formats", "energy"} <= made["files"].keys()


def test_a_difference_from_the_law_is_named_and_ends_with_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = kernel_run.witness

    def altered(*given: Any) -> Any:
        logits, spikes = real(*given)
        spikes["layers.neuron2"][3, 1, 0] ^= 0x80
        return logits, spikes

    monkeypatch.setattr(kernel_run, "witness", altered)
    status, made = run(tmp_path)
    assert status == DISAGREE
    place = "layer layers.neuron2, sample 3, timestep 1, neuron 0"
    assert made["agreement"] == {
        "compared": made["agreement"]["compared"],
        "differing": 1,
        "first": f"the integer law: {place}",
    }
