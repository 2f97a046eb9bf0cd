"""The conformance kit on what is installed of ours: nothing is asked that we do not do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snn_kernel import configure, testing
from snn_kernel.registry import Registry
from snn_kernel.testing.conformance import CHECKS

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")

ROOT = Path(__file__).parents[2]
FILES = {  # data sets of files that whoever runs this may not have
    "MNIST",
    "FashionMNIST",
    "CIFAR10",
    "CIFAR100",
    "GSC",
    "NMNIST",
    "DVSGesture",
    "SHD",
    "SSC",
}
OFFERS = [o for o in Registry.discover().offers if o.slot in CHECKS and o.kind.name not in FILES]


@pytest.mark.parametrize("offer", OFFERS, ids=lambda o: f"{o.slot}-{o.kind.name}")
def test_ours_conform_with_their_own_examples(offer: Any) -> None:
    torch.set_num_threads(1)
    for program in offer.kind.programs:
        if shutil.which(name := program.partition(":")[0]) is None:
            pytest.skip(f"{name} is not installed")
    getattr(testing, f"check_{offer.slot}")(offer.kind)


@pytest.mark.slow
def test_the_command_finds_nothing_wrong_with_ours(tmp_path: Path) -> None:
    """pytest --snnk-conformance, as a stranger would run it on all that is installed."""
    command = [sys.executable, "-m", "pytest", "-q", "--snnk-conformance", "-rs"]
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
    reasons = re.findall(r"^SKIPPED \[\d+\] \S+ (.*)$", done.stdout, re.M)
    known = ("it could not load: ", "is not installed")
    assert [r for r in reasons if not any(text in r for text in known)] == []


@pytest.mark.parametrize("name", ["IFNode", "LIFNode"])
@pytest.mark.parametrize("v_reset", [False, 0.0, -0.25])
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_neurons_conform_with_other_parameters(name: str, v_reset: float, step_mode: str) -> None:
    params = {"v_reset": v_reset, "step_mode": step_mode, "v_threshold": 0.8}
    testing.check_neuron(configure("neuron", name, params))
