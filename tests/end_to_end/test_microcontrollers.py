"""Whole experiments on emulated microcontrollers: what they answer is what torch answers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from snn_kernel import Context, Processed, Samples, Shapes, Training, configure
from snn_kernel.plan import Optimizer
from snn_kernel.results import agree
from snnk.command import DISAGREE, main

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")
firmware = pytest.importorskip("snn_codegen.firmware")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "digits_cortex_m.toml"
MNIST = Path(os.environ.get("SNNK_SHARED", ROOT.parent / "shared")) / "data" / "mnist"
SHORT = ("model.0.epochs=1", "postprocessing.1.params.epochs=0", "deploy.limit=20")
CORES = ("M4F", "M0+")


def emulated(*values: Any, emulator: str = "qemu-system-arm") -> Any:
    reason = f"{emulator} is not installed"
    return pytest.param(
        *values,
        marks=pytest.mark.skipif(shutil.which(emulator) is None, reason=reason),
        id=" ".join(f"{v}" for v in values if isinstance(v, str)),
    )


needs_arm = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
)
TARGETS = [
    *(emulated("CortexM", {"core": core}) for core in CORES),
    emulated("RISCV32", {"isa": "rv32imac"}, emulator="qemu-system-riscv32"),
]


def run(folder: Path, *changes: str) -> tuple[int, Any]:
    results = folder / "results.json"
    asked = ["run", str(EXAMPLE), *SHORT, *changes, "--out", str(folder), "--json", str(results)]
    status = main(asked)
    (only,) = json.loads(results.read_text())["runs"] if results.exists() else (None,)
    return status, only


@needs_arm
def test_the_example_is_told_with_its_sizes_and_instructions(tmp_path: Path) -> None:
    status, made = run(tmp_path)
    assert status == 0
    neurons = 16 * 8 * 8 + 32 * 8 * 8 + 64
    assert made["agreement"]["compared"] == (16 + 20) * (4 * neurons + 10)
    assert made["agreement"]["differing"] == 0
    measures = {m["name"]: m for m in made["measures"] if m["source"] == "CortexM"}
    assert 20_000 < measures["rom"]["value"] < 512 << 10
    assert measures["stack"]["value"] < measures["ram"]["value"] < 128 << 10
    assert measures["instructions"]["value"] > 100_000
    assert not any(m["how"] == "measured" for m in measures.values())
    table = Path(made["files"]["instructions"]).read_text().splitlines()
    assert table[0] == "layer,mean,least,most"
    assert any(line.startswith("layers.conv2,") for line in table)


@needs_arm
def test_a_difference_is_named_and_ends_with_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = firmware.Firmware.run

    def altered(self: Any, frames: bytes, samples: int) -> bytes:
        answers = bytearray(real(self, frames, samples))
        answers[-1] ^= 0x40  # of the last logit of the last sample
        return bytes(answers)

    monkeypatch.setattr(firmware.Firmware, "run", altered)
    status, made = run(tmp_path)
    assert status == DISAGREE
    assert made["agreement"]["differing"] == 1
    assert "CortexM" in made["agreement"]["first"]
    assert "sample 19" in made["agreement"]["first"]


@needs_arm
def test_what_does_not_fit_ends_with_status_2_and_both_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = run(tmp_path, 'deploy.deployer.params={core="M4F",flash_kib=16,ram_kib=4}')
    assert status == 2
    said = capsys.readouterr().err
    assert "bytes of flash, CortexM has 16384" in said
    assert "bytes of RAM, CortexM has 4096" in said
    assert "Traceback" not in said


def test_without_the_emulator_the_plan_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(tmp_path)[0] == 1
    assert "apt-get install qemu-system-arm" in capsys.readouterr().err
    assert run(tmp_path, "deploy.target=RISCV32", "deploy.deployer={}")[0] == 1
    assert "apt-get install qemu-system-misc" in capsys.readouterr().err


# A shell that runs tests in the background has them, and what they start, ignore SIGINT.
HEED = """import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])"""


def emulators(parent: int) -> list[str]:
    """The processes of QEMU that `parent` has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
            if name.startswith("qemu-system") and int(rest.split()[1]) == parent:
                found.append(path.parent.name)
    return found


@needs_arm
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize(
    "sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interrupted_run_leaves_no_emulator(tmp_path: Path, sent: int) -> None:
    slow = 'deploy.deployer={params={core="M0+"}}'  # floats, in software
    changes = ("model.0.epochs=0", "deploy.target=CortexM", slow, "--out", str(tmp_path))
    snnk = [sys.executable, "-m", "snnk", "run", str(ROOT / "examples" / "digits.toml"), *changes]
    command = [sys.executable, "-c", HEED, *snnk]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not (started := emulators(process.pid)):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not any(Path("/proc", number).exists() for number in started)


class Experiment:
    """A float model, trained once, and its quantised forms on boards."""

    def __init__(self, dataset: Any, model: tuple[str, Any], neuron: Any, folder: Path) -> None:
        torch.set_num_threads(1)
        self.context = Context(42, folder)
        self.session = configure("framework", "SpikingJellyMultiStep", {}).open(self.context)
        splits = dataset.load(self.context)
        shown = splits.samples("train").take(slice(6000))
        self.splits = evolve(splits, train=shown)
        self.test: Samples = self.splits.samples("test").take(slice(1000))
        kind, sizes = model
        params = {"timesteps": 4, "neuron": neuron, **sizes}
        shapes = Shapes(self.test.x.shape[1:], (self.splits.classes,))
        made = configure("model", kind, params).build(shapes, self.session)
        training = Training(2, 64, Optimizer("Adam", {"lr": 4e-3}))
        trained = self.session.train(made, self.splits, training)
        self.processed = Processed("network", made, trained)

    def quantised(self, bits: int, potential: int | None = None) -> Processed:
        own = {"v": {"bits": potential or bits}}
        params = {"epochs": 0, "model": {"params": {"quant_params": {"bits": bits, **own}}}}
        kind = configure("postprocessing", "QuantizationAwareTraining", params)
        outcome = kind.apply(self.processed, self.splits, self.session, self.context)
        processed = self.processed.fold(outcome)
        return evolve(
            processed,
            network=self.session.lower(processed.model),
            prediction=self.session.predict(processed.model, self.test),
            activity=self.session.activity(processed.model, self.test),
        )

    def differing(self, processed: Processed, kind: str, params: Any) -> tuple[int, int]:
        target = configure("deployer", kind, params)
        made = target.deploy(processed, self.test, self.context)
        found = agree(processed.prediction, made.prediction, kind)
        return found.compared, found.differing


def neuron(kind: str, reset: Any, **more: Any) -> Any:
    if kind == "ATIF":
        return {"kind": kind, "params": {"step_mode": "m"}}
    shared = {"v_threshold": 0.5, "v_reset": reset, "step_mode": "m", "detach_reset": True}
    return {"kind": kind, "params": shared | more}


CONVOLUTIONS = {"filters": [16, 32], "kernel_sizes": [3, 3], "paddings": [1, 1]}
SCNN = ("SCNN", {**CONVOLUTIONS, "pool_sizes": [0, 2], "fc_units": [64]})
SRESNET = ("SResNet", {**CONVOLUTIONS, "strides": [1, 2], "num_blocks": [1]})
NEURONS = {
    "IF": neuron("IFNode", False),
    "LIF soft": neuron("LIFNode", False, tau=2.0),
    "LIF hard": neuron("LIFNode", 0.0, tau=2.0),
    "ATIF": neuron("ATIF", None),
}


SMALL = {"kernel_sizes": [3, 3], "paddings": [1, 1], "filters": [4, 8]}
MNIST_SCNN = ("SCNN", {**SMALL, "pool_sizes": [2, 2]})
MNIST_SRESNET = ("SResNet", {**SMALL, "strides": [2, 2], "num_blocks": [1]})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Experiments, each trained once."""
    made: dict[Any, Experiment] = {}

    def train(dataset: str, model: Any, law: str, **params: Any) -> Experiment:
        key = dataset, model[0], law
        if key not in made:
            folder = tmp_path_factory.mktemp(dataset)
            data = configure("dataset", dataset, params)
            made[key] = Experiment(data, model, NEURONS[law], folder)
        return made[key]

    return train


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("law", NEURONS)
@pytest.mark.parametrize("model", [SCNN, SRESNET], ids=lambda m: m[0])
@pytest.mark.parametrize(("kind", "params"), TARGETS)
def test_all_digits_agree(
    trained: Any, model: Any, law: str, bits: int, kind: str, params: Any
) -> None:
    experiment = trained("Digits", model, law)
    compared, differing = experiment.differing(experiment.quantised(bits), kind, params)
    assert compared > 360 * 4 * 1000
    assert differing == 0


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.is_dir(), reason=f"MNIST is not in {MNIST}")
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("law", NEURONS)
@pytest.mark.parametrize("model", [MNIST_SCNN, MNIST_SRESNET], ids=lambda m: m[0])
@pytest.mark.parametrize(("kind", "params"), [*TARGETS, pytest.param("Linux", {}, id="Linux")])
def test_a_thousand_of_mnist_agree(
    trained: Any, model: Any, law: str, bits: int, kind: str, params: Any
) -> None:
    experiment = trained("MNIST", model, law, path=str(MNIST))
    # Potentials of 4 bits would be too coarse for 1/tau in some of these.
    processed = experiment.quantised(bits, potential=8)
    compared, differing = experiment.differing(processed, kind, params)
    assert compared > 1000 * 4 * 1000
    assert differing == 0
