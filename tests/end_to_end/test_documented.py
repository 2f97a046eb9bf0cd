"""Every example of the documented configuration format, written as it is documented.

The files in documented/ hold what the documents show and nothing else; what a fragment needs to
become an experiment stands here, as overrides. All are checked; those whose kinds are there are run
on made data in the formats of MNIST and DVS128 Gesture.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import frozen

from snn_kernel import ConfigError
from snn_kernel.plan import Plan, plan
from snnk.command import main
from snnk.document import read

for needed in ("torch", "spikingjelly", "snn_models", "snn_datasets", "snn_datasets_events"):
    pytest.importorskip(needed)

DOCUMENTED = Path(__file__).parent / "documented"


def under(table: str, *rest: str) -> tuple[str, ...]:
    """Overrides of the keys of one table."""
    return tuple(f"{table}.{one}" for one in rest)


IMAGES = ("dataset.kind=MNIST",)
EVENTS = ("dataset.kind=DVSGesture",)
SINGLE, MULTI = (
    under("learningframework", f"kind=SpikingJelly{mode}") for mode in ("", "MultiStep")
)
TIMED = under("learningframework", "kind=SpikingJellyTimeStepsInData")
SMALL = under("model_template.params", "filters=[4]", "kernel_sizes=[3]", "pool_sizes=[2]")
SCNN = (*under("model_template", "kind=SCNN"), *SMALL)
RESIDUAL = under(
    "model_template.params",
    *("filters=[4, 8]", "kernel_sizes=[3, 3]", "paddings=[1, 1]"),
    *("strides=[1, 2]", "num_blocks=[1]"),
)
IF = under("model_template.params.neuron", "kind=IFNode")
MULTI_IF = (*IF, *under("model_template.params.neuron", "params.step_mode=m"))
TRAINED = ("model.0.epochs=1",)  # without it a quantised network has no ranges
COARSE = under("model_template.params", "strides=[4]")  # 128×128 pixels are more than a test needs


@frozen
class Case:
    """A documented file, the overrides that complete it, and a kind that there is not yet."""

    file: str
    rest: tuple[str, ...] = ()
    missing: str = ""
    run: bool = True
    slow: bool = False

    def __str__(self) -> str:
        return f"{self.file}-{self.missing or len(self.rest)}"


def neuron(kind: str) -> tuple[str, ...]:
    return under("model_template.params.neuron", f"kind={kind}")


def model(kind: str) -> tuple[str, ...]:
    return under("model_template", f"kind={kind}")


CASES = [
    Case("minimal", ("model.0.epochs=1",)),
    Case("architecture", (*IMAGES, *SINGLE, *SMALL, *IF)),
    Case("architecture", (*IMAGES, *SINGLE, *model("SResNet"), *RESIDUAL, *IF)),
    *(
        Case("architecture", (*IMAGES, *SINGLE, *model(kind), *sizes, *IF, *TRAINED))
        for kind, sizes in [("QuantizedSCNN", SMALL), ("QuantizedSResNet", RESIDUAL)]
    ),
    Case("neuron_if", (*IMAGES, *MULTI, *SCNN)),
    Case("neuron_lif", (*IMAGES, *MULTI, *SCNN)),
    Case("neuron_atif", (*IMAGES, *MULTI, *SCNN)),
    *(
        Case(
            f"neuron_{file}",
            (*IMAGES, *MULTI, *SMALL, *model("QuantizedSCNN"), *neuron(kind), *TRAINED),
        )
        for file, kind in [
            ("if", "QuantizedIFNode"),
            ("lif", "QuantizedLIFNode"),
            ("atif", "QuantizedATIF"),
        ]
    ),
    Case("neuron_of_a_model", (*IMAGES, *MULTI, *SCNN, "model.0.name=documented")),
    Case("split", (*IMAGES, *TIMED, *SCNN, *IF)),
    Case("events", (*EVENTS, *SCNN, *COARSE, *IF)),
    Case("timesteps_in_data", (*IMAGES, *SCNN, *IF), run=False),
    Case(
        "timesteps_in_data",
        (
            *IMAGES,
            *SCNN,
            *MULTI_IF,
            "learningframework.kind=SpikingJellyMultiStepTimeStepsInData",
        ),
        run=False,
    ),
    Case("single_step", (*IMAGES, *SCNN, *IF)),
    Case("multi_step", (*IMAGES, *SCNN, *IF)),
    *(
        Case(file, (*IMAGES, *SINGLE, *SCNN, *IF))
        for file in ("energy", "energy_beside", "energy_of_quantized", "operations")
    ),
    Case("fuse", (*IMAGES, *SINGLE, *SCNN, *IF, "model_template.params.batch_norm=true")),
    Case("quantized", (*IMAGES, *SINGLE, *SMALL, *TRAINED)),
    Case(
        "quantized",
        (
            *IMAGES,
            *SINGLE,
            *RESIDUAL,
            *model("QuantizedSResNet"),
            *neuron("QuantizedLIFNode"),
            *TRAINED,
        ),
    ),
    Case("quantized", (*IMAGES, *SINGLE, *SMALL, *neuron("QuantizedATIF"), *TRAINED)),
    Case("quantization_aware_training", (*IMAGES, *SINGLE, *SCNN, *IF)),
    Case("code_generation", (*IMAGES, *SINGLE, *SCNN, *IF)),
    Case("deploy", (*IMAGES, *SINGLE, *SCNN, *IF)),
    Case("scnn", (*IMAGES, *MULTI, *MULTI_IF), slow=True),
    Case("sresnet", (*IMAGES, *MULTI, *MULTI_IF), slow=True),
]


def expected(cases: list[Case]) -> list[Any]:
    marks = {
        kind: pytest.mark.xfail(
            strict=True, raises=ConfigError, reason=f"there is no kind '{kind}' yet"
        )
        for kind in {c.missing for c in cases if c.missing}
    }
    return [
        pytest.param(c, id=str(c), marks=[marks[c.missing]] if c.missing else []) for c in cases
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of made data, by data set."""
    rng = np.random.default_rng(0)
    images, gestures = (tmp_path_factory.mktemp(name) for name in ("mnist", "gestures"))
    for name, count in [("train", 40), ("t10k", 20)]:
        header = struct.pack(">4i", 0x803, count, 28, 28)
        pixels = rng.integers(0, 256, (count, 28, 28), np.uint8)
        (images / f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = np.arange(count, dtype=np.uint8) % 10
        header = struct.pack(">2i", 0x801, count)
        (images / f"{name}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    for name in ("train", "test"):
        for label in range(11):
            folder = gestures / "events_np" / name / str(label)
            folder.mkdir(parents=True)
            xyp = {
                axis: rng.integers(0, top, 300) for axis, top in [("x", 128), ("y", 128), ("p", 2)]
            }
            # Eight windows of 1000 µs: two samples of four frames.
            np.savez(folder / "0.npz", **xyp, t=np.linspace(0, 7999, 300).astype(np.int64))
    return {"MNIST": images, "DVSGesture": gestures}


def written(case: Case, folder: Path) -> Path:
    """The documented file, with a model to stand for if it shows none."""
    text = (DOCUMENTED / f"{case.file}.toml").read_text("utf-8")
    if "[[model]]" not in text:
        text += '\n[[model]]\nname = "documented"\n'
    if "[bench]" not in text:
        text += '\n[bench]\nname = "documented"\n'
    path = folder / f"{case.file}.toml"
    path.write_text(text)
    return path


def command(case: Case, folder: Path, data: dict[str, Path]) -> list[str]:
    path = written(case, folder)
    kind = read(path, case.rest)["dataset"]["kind"]
    return [str(path), *case.rest, f"dataset.params.path={data[kind]}"]


def planned(case: Case, folder: Path, data: dict[str, Path]) -> Plan:
    path, *rest = command(case, folder, data)
    return plan(read(Path(path), rest))


@pytest.mark.parametrize("case", expected(CASES))
def test_nothing_is_wrong_with_it(case: Case, tmp_path: Path, data: dict[str, Path]) -> None:
    try:
        planned(case, tmp_path, data)
    except ConfigError as error:
        # Only what is missing may be what is wrong.
        awaited = ("QualiaCodeGen", "'Linux'", "[deploy]")
        if strange := [f for f in error.faults if not any(a in str(f) for a in awaited)]:
            pytest.fail("\n".join(map(str, strange)))
        raise


def run(case: Case, folder: Path, data: dict[str, Path]) -> Any:
    results = folder / "results.json"
    asked = ["run", *command(case, folder, data), "--out", str(folder / "out")]
    assert main([*asked, "--json", str(results), "--traceback"]) == 0
    (made,) = json.loads(results.read_text())["runs"]
    return made


QUICK = [c for c in CASES if c.run and not c.missing and not c.slow]
SLOW = [c for c in CASES if c.slow]


@pytest.mark.parametrize(
    "case",
    [
        *(pytest.param(c, id=str(c)) for c in QUICK),
        *(pytest.param(c, id=str(c), marks=pytest.mark.slow) for c in SLOW),
    ],
)
def test_it_runs(
    case: Case, tmp_path: Path, data: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(case, tmp_path, data)
    assert "accuracy" in {m["name"] for m in made["measures"]}
    asks = 'backend = "cupy"' in (DOCUMENTED / f"{case.file}.toml").read_text("utf-8")
    warnings = [x for x in capsys.readouterr().err.splitlines() if x.startswith("warning: ")]
    assert len([w for w in warnings if "cupy" in w]) == (asks and not _cuda())


def _cuda() -> bool:
    from torch import cuda

    return cuda.is_available()


SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def test_nothing_is_wrong_with_the_minimal_example_on_real_files(tmp_path: Path) -> None:
    if not (SHARED / "mnist").is_dir():
        pytest.skip(f"no MNIST files in {SHARED / 'mnist'} (set SNNK_SHARED)")
    planned(CASES[0], tmp_path, {"MNIST": SHARED / "mnist"})


@pytest.mark.slow
def test_the_minimal_example_learns_real_digits(tmp_path: Path) -> None:
    if not (SHARED / "mnist").is_dir():
        pytest.skip(f"no MNIST files in {SHARED / 'mnist'} (set SNNK_SHARED)")
    made = run(CASES[0], tmp_path, {"MNIST": SHARED / "mnist"})
    found = [
        m["value"] for m in made["measures"] if (m["name"], m["source"]) == ("accuracy", "test")
    ]
    assert found[0] > 0.9


def test_every_documented_file_is_read() -> None:
    assert {c.file for c in CASES} == {p.stem for p in DOCUMENTED.glob("*.toml")}


def test_the_memory_estimate_counts_in_both_places(tmp_path: Path, data: dict[str, Path]) -> None:
    """Documents write sram_estimation_type below op_estimation_type.params and beside it."""
    energies = {}
    for file, *more in [
        ("energy",),
        ("energy_beside",),
        ("energy_beside", "postprocessing.0.params.sram_estimation_type=old"),
    ]:
        case = Case(file, (*IMAGES, *SINGLE, *SCNN, *IF, *more))
        made = run(case, tmp_path, data)
        energies[(file, *more)] = [m["value"] for m in made["measures"] if m["name"] == "energy"]
    inner, beside, old = energies.values()
    assert inner == beside != old


@pytest.mark.parametrize("estimation", ["ICONIP", "saturation", "linear", "quadratic"])
def test_every_documented_estimation(
    estimation: str, tmp_path: Path, data: dict[str, Path]
) -> None:
    more = under(
        "postprocessing.0.params.op_estimation_type", f"add={estimation}", f"mul={estimation}"
    )
    planned(Case("energy", (*IMAGES, *SINGLE, *SCNN, *IF, *more)), tmp_path, data)


def test_a_step_mode_that_does_not_fit_is_told(tmp_path: Path, data: dict[str, Path]) -> None:
    case = Case(
        "single_step", (*IMAGES, *SCNN, *IF, "learningframework.kind=SpikingJellyMultiStep")
    )
    with pytest.raises(
        ConfigError, match="step_mode 's', framework SpikingJellyMultiStep needs 'm'"
    ):
        planned(case, tmp_path, data)
