"""A quantised run compares torch with the integer law and the engine, and says who differs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from snn_kernel import run as kernel_run
from snnk.command import DISAGREE, main

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits_quantised.toml"
SHORT = ("model.0.epochs=1", "postprocessing.1.params.epochs=0", "deploy.limit=20")


def run(folder: Path, *changes: str) -> tuple[int, Any]:
    results = folder / "results.json"
    asked = ["run", str(EXAMPLE), *SHORT, *changes, "--out", str(folder)]
    status = main([*asked, "--json", str(results)])
    (only,) = json.loads(results.read_text())["runs"]
    return status, only


def test_the_law_is_asked_on_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, made = run(tmp_path)
    assert status == 0
    # 16 samples by the law, 20 by the engine: four timesteps of three populations, ten logits
    neurons = 16 * 8 * 8 + 32 * 8 * 8 + 64
    assert made["agreement"]["compared"] == (16 + 20) * (4 * neurons + 10)
    assert made["agreement"]["differing"] == 0
    assert made["agreement"]["others"] == {"ZigEngine": 20, "the integer law": 16}
    assert made["limited"] == {"ZigEngine": 20}
    out = capsys.readouterr().out
    assert re.search(r"^accuracy .* ZigEngine, first 20 samples *$", out, re.M)
    assert "\nagreement with ZigEngine and the integer law: 0 of " in out
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
        "others": {"ZigEngine": 20, "the integer law": 16},
    }


def test_code_that_is_not_run_agrees_with_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The law was asked of the model; the C for a project of one's own was not."""
    pytest.importorskip("snn_codegen")
    status, made = run(tmp_path, 'deploy={target="Source"}')
    assert status == 0
    assert made["agreement"]["others"] == {"the integer law": 16}
    assert "\nagreement with the integer law: 0 of " in capsys.readouterr().out
    (page,) = tmp_path.rglob("report.html")
    assert "agreement with the integer law" in page.read_text("utf-8")
