"""What is kept of a plan: its document, as TOML again, and every setting with its default."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_kernel.plan import plan
from snnk.document import read
from snnk.settings import settings
from snnk.toml import write

ROOT = Path(__file__).parents[2]
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.datetimes(), st.text(st.characters(codec="utf-8"))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text("ab. é"), inner)),
    max_leaves=20,
)


def bits(value: Any) -> Any:
    """With NaN, which is not itself, by name."""
    if isinstance(value, dict):
        return {k: bits(v) for k, v in value.items()}
    if isinstance(value, list):
        return [bits(v) for v in value]
    return "NaN" if isinstance(value, float) and math.isnan(value) else (type(value), value)


@given(st.dictionaries(st.text("ab.# é"), VALUES))
def test_a_document_reads_back_as_it_was_written(document: dict[str, Any]) -> None:
    assert bits(tomllib.loads(write(document))) == bits(document)


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x7f", "\x00", "é😀", "'''", "\u2028"])
def test_no_character_is_lost(text: str) -> None:
    document = {text: text, "deep": {text: [text, {text: text}]}}
    assert tomllib.loads(write(document)) == document


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.toml")), ids=lambda p: p.name)
def test_examples_are_written_as_they_are_read(path: Path, tmp_path: Path) -> None:
    document = read(path)
    again = tmp_path / path.name
    again.write_text(write(document))
    assert read(again) == document
    assert all(len(line) <= 100 or "=" in line for line in again.read_text().splitlines())


def test_short_tables_stay_in_one_line() -> None:
    written = write({"model": [{"name": "m", "params": {"units": 3, "neuron": {"kind": "Step"}}}]})
    assert written == (
        '[[model]]\nname = "m"\nparams = { units = 3, neuron = { kind = "Step" } }\n'
    )


def test_settings_have_every_default(experiment: Path) -> None:
    found = settings(plan(read(experiment), "toy.toml"))
    assert found["bench"] == {
        "name": "toy",
        "seed": 5,
        "first_run": 1,
        "last_run": 1,
        "plugins": [],
        "inline": [],
        "without": [],
        "use_test_as_valid": False,
    }
    assert found["dataset"] == {"kind": "Points", "params": {"count": 20, "spread": 0.1}}
    assert found["preprocessing"] == [{"kind": "Shift", "params": {"by": 0.25}}]
    (model,) = found["model"]
    assert (model["kind"], model["batch_size"], model["epochs"]) == ("Layered", 32, 2)
    neuron = {"kind": "Step", "params": {"threshold": 1.0}}
    assert model["params"] == {"units": 3, "neuron": neuron, "mode": "fast", "scales": []}
    assert found["postprocessing"] == [{"kind": "Count", "params": {}, "export": False}]
    assert found["deploy"] == {"deployer": {"kind": "Mirror", "params": {"wrong": False}}}
    assert "report" not in found  # none
    assert json.loads(json.dumps(found)) == found


def test_a_default_that_is_written_changes_no_setting(experiment: Path) -> None:
    plain = settings(plan(read(experiment)))
    said = ("model.0.batch_size=32", "dataset.params.spread=0.1", "model.0.params.mode=fast")
    assert settings(plan(read(experiment, said))) == plain
    assert settings(plan(read(experiment, ["dataset.params.spread=0.2"]))) != plain
