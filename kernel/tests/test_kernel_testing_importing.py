"""Plugins that take long to import, or cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import frozen

from snn_kernel import testing
from toys import Step
from verdicts import broken


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import torch", "imports torch. Move that import"),
        ("import time\ndone = time.process_time() + 0.2\nwhile time.process_time() < done: pass",
         "takes 0.2"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
    ids=["torch", "slow", "broken"],
)  # fmt: skip
def test_a_costly_import_is_caught(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"costly_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = broken(testing.check_neuron, frozen(type("Costly", (Step,), {"__module__": name})))
    assert found.keys() == {"import is cheap"}
    assert said in found["import is cheap"]
