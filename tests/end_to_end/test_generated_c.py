"""Generated C on whole test sets: 0 spikes and logits differ from torch's, or it is said."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

for needed in ("torch", "spikingjelly", "sklearn", "snn_models", "snn_quantization", "snn_codegen"):
    pytest.importorskip(needed)

from attrs import evolve  # noqa: E402

from snn_codegen.linux import Linux  # noqa: E402
from snnk.command import DISAGREE, main  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[3] / "shared")) / "data"

TRAINED = 3000  # samples of MNIST, which train in seconds

MODELS = {
    "SCNN": {"filters": [8, 12], "kernel_sizes": [3, 3], "paddings": [1, 1], "pool_sizes": [0, 2]},
    "SResNet": {
        **{"filters": [6, 8], "kernel_sizes": [3, 3], "paddings": [1, 1], "strides": [1, 2]},
        **{"num_blocks": [1], "postpool": "avg"},
    },
}
NEURONS = {
    "IF": {"kind": "IFNode", "params": {"v_threshold": 0.5, "v_reset": False, "step_mode": "m"}},
    "LIF soft": {
        "kind": "LIFNode",
        "params": {"v_threshold": 0.5, "v_reset": False, "step_mode": "m"},
    },
    "LIF hard": {
        "kind": "LIFNode",
        "params": {"v_threshold": 0.5, "v_reset": 0.0, "tau": 1.5, "step_mode": "m"},
    },
    "ATIF": {"kind": "ATIF", "params": {"v_threshold": 0.5, "step_mode": "m"}},
}


def results(folder: Path, file: Path, *changes: str, status: int = 0) -> Any:
    path = folder / "results.json"
    asked = ["run", str(file), *changes, "--out", str(folder), "--json", str(path)]
    assert main([*asked, "--traceback"]) == status
    (made,) = json.loads(path.read_text())["runs"]
    return made


def accuracy(made: Any, source: str) -> float:
    wanted = ("accuracy", source)
    (value,) = (m["value"] for m in made["measures"] if (m["name"], m["source"]) == wanted)
    return float(value)


def experiment(model: str, neuron: str, bits: int | None, folder: Path) -> Path:
    """A file of one short training on Digits; of `bits` bits, None for floats."""
    kind = model if bits is None else f"Quantized{model}"
    lines = [
        '[bench]\nname = "c"\nseed = 7',
        '[learningframework]\nkind = "SpikingJellyMultiStep"',
        '[dataset]\nkind = "Digits"',
        f'[[model]]\nname = "net"\nkind = "{kind}"\nepochs = 2\nbatch_size = 64',
        'optimizer = { kind = "Adam", params = { lr = 1e-2 } }',
        "[model.params]\ntimesteps = 3\ndims = 2",
        *(f"{key} = {json.dumps(value)}" for key, value in MODELS[model].items()),
        *([f'quant_params = {{ bits = {bits}, hyperparams = "own" }}'] if bits else []),
        f'[model.params.neuron]\nkind = "{NEURONS[neuron]["kind"]}"',
        *(f"params.{k} = {json.dumps(v)}" for k, v in NEURONS[neuron]["params"].items()),
        '[deploy]\ntarget = "Linux"\nconverter.kind = "QualiaCodeGen"',
        f'quantize = ["{"float32" if bits is None else "int8"}"]',
    ]
    path = folder / "experiment.toml"
    path.write_text("\n".join(lines))
    return path


QUICK = [
    *[("SCNN", "LIF soft", 4), ("SCNN", "ATIF", 8), ("SCNN", "LIF hard", None)],
    *[("SResNet", "LIF hard", 8), ("SResNet", "ATIF", 4)],
]
ALL = [(m, n, b) for m in MODELS for n in NEURONS for b in (8, 4, None)]


@pytest.mark.parametrize(
    ("model", "neuron", "bits"),
    [*QUICK, *(pytest.param(*c, marks=pytest.mark.slow) for c in ALL if c not in QUICK)],
)
def test_digits_agree(model: str, neuron: str, bits: int | None, tmp_path: Path) -> None:
    made = results(tmp_path, experiment(model, neuron, bits, tmp_path))
    assert made["agreement"]["differing"] == 0
    assert made["agreement"]["compared"] > 360 * 10
    assert accuracy(made, "Linux") == accuracy(made, "test")


def test_the_example_reaches_its_accuracy(tmp_path: Path) -> None:
    made = results(tmp_path, EXAMPLES / "digits_c.toml")
    assert accuracy(made, "Linux") == accuracy(made, "test") >= 0.97
    assert made["agreement"]["differing"] == 0
    assert {"c_header", "c_source", "program"} <= made["files"].keys()


TOOLS = {"LinuxAArch64": "qemu-aarch64-static", "Wasm": "node"}


# The first build of a kind takes a minute or two: its C library is built as well, and kept.
@pytest.mark.slow
@pytest.mark.parametrize("target", TOOLS)
def test_other_processors_agree(target: str, tmp_path: Path) -> None:
    if shutil.which(TOOLS[target]) is None:
        pytest.skip(f"{target} needs {TOOLS[target]}")
    for bits in (8, None):
        file = experiment("SCNN", "LIF soft", bits, tmp_path)
        made = results(tmp_path, file, f"deploy.target={target}")
        assert made["agreement"]["differing"] == 0
        assert accuracy(made, target) == accuracy(made, "test")


def test_a_wrong_spike_ends_with_status_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Linux.run

    def altered(self: Any, program: Any, frames: bytes, samples: int) -> Any:
        right = real(self, program, frames, samples)
        return evolve(right, written=bytes([right.written[0] ^ 1]) + right.written[1:])

    monkeypatch.setattr(Linux, "run", altered)
    file = experiment("SCNN", "IF", 8, tmp_path)
    made = results(tmp_path, file, "deploy.limit=20", status=DISAGREE)
    assert made["agreement"]["differing"] == 1
    first = made["agreement"]["first"]
    assert first.startswith("Linux: layer layers.neuron1, sample 0, timestep 0")


def test_what_contradicts_the_model_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = experiment("SCNN", "IF", 8, tmp_path)
    assert main(["check", str(file), 'deploy.quantize=["int16"]']) == 1
    assert "is quantised to int8, and quantize asks for int16" in capsys.readouterr().err
    assert main(["check", str(file), 'deploy.converter.params.timestep_mode="iterate"']) == 1
    assert "timestep_mode is 'iterate'" in capsys.readouterr().err
    assert main(["check", str(file), "deploy.quantise=1"]) == 1
    assert "did you mean" in capsys.readouterr().err


def test_nmnist_iterates_over_its_timesteps(tmp_path: Path) -> None:
    archive = SHARED / "nmnist_small" / "nmnist_small.zip"
    if not archive.is_file():
        pytest.skip(f"no N-MNIST recordings in {archive} (set SNNK_SHARED)")
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / "nmnist")
    changes = (
        f"dataset.params.path={tmp_path / 'nmnist'}",
        *("model.0.kind=QuantizedSCNN", "model.0.epochs=1", "model.0.params.filters=[4, 8]"),
        *("deploy.target=Linux", "deploy.converter.kind=QualiaCodeGen", "deploy.limit=40"),
        'deploy.converter.params.timestep_mode="iterate"',
        'deploy.quantize=["int8"]',
    )
    made = results(tmp_path, EXAMPLES / "nmnist.toml", *changes)
    assert made["agreement"]["differing"] == 0
    header = Path(made["files"]["c_header"]).read_text()
    assert "SCNN_FRAMES 10u" in header


def little_mnist(folder: Path) -> Path:
    """The whole test set, and the first samples of the training set."""
    for name, header in [("images-idx3", 16), ("labels-idx1", 8)]:
        for part, count in [("train", TRAINED), ("t10k", 10_000)]:
            file = f"{part}-{name}-ubyte"
            data = gzip.decompress((SHARED / "mnist" / f"{file}.gz").read_bytes())
            size = 784 if "images" in name else 1
            counted = data[:4] + struct.pack(">i", count) + data[8 : header + size * count]
            (folder / file).write_bytes(counted)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 4, None])
def test_mnist_agrees(bits: int | None, tmp_path: Path) -> None:
    if not (SHARED / "mnist").is_dir():
        pytest.skip(f"no MNIST files in {SHARED / 'mnist'} (set SNNK_SHARED)")
    changes = [f"dataset.params.path={little_mnist(tmp_path)}", "deploy.target=Linux"]
    if bits:
        quantised = f"model.0.params.quant_params={{bits={bits},hyperparams='own'}}"
        changes += ["model.0.kind=QuantizedSCNN", quantised]
    made = results(tmp_path, EXAMPLES / "mnist.toml", *changes)
    assert made["agreement"]["differing"] == 0
    assert made["agreement"]["compared"] > 10_000 * 10
    assert accuracy(made, "Linux") == accuracy(made, "test")
