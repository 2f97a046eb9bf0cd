"""Augmentations in a whole experiment: trained on, evaluated on, deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snnk.command import main

ROOT = Path(__file__).parents[2]
CROPPED = """
[[data_augmentation]]
kind = "Crop"
params.padding = 1

[[data_augmentation]]
kind = "Rotation2D"
params.angle = 10

[[data_augmentation]]
kind = "Mixup"
params.alpha = 0.2
"""
NORMALISED = """
[[data_augmentation]]
kind = "Normalize"
params = { mean = 0.3, std = 0.4 }
"""


def run(tmp_path: Path, more: str) -> Any:
    file, results = tmp_path / "digits.toml", tmp_path / "results.json"
    example = (ROOT / "examples" / "digits.toml").read_text("utf-8")
    file.write_text(example.replace("[[model]]", more + "\n[[model]]"))
    command = ["run", str(file), "model.0.epochs=4", "--out", str(tmp_path / "out")]
    assert main([*command, "--json", str(results), "--traceback"]) == 0
    (made,) = json.loads(results.read_text())["runs"]
    return made


def test_mixed_and_turned_digits_are_learnt(tmp_path: Path) -> None:
    made = run(tmp_path, CROPPED)
    assert made["agreement"]["differing"] == 0
    assert next(m["value"] for m in made["measures"] if m["name"] == "accuracy") > 0.6


def test_what_normalises_in_training_normalises_in_tests(tmp_path: Path) -> None:
    made = run(tmp_path, NORMALISED)
    assert made["agreement"]["differing"] == 0
    assert next(m["value"] for m in made["measures"] if m["name"] == "accuracy") > 0.9
