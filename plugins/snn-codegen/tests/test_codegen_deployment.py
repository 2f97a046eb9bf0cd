"""Deployers and the postprocessing, with a network made by hand: what they write and refuse."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from compiled_networks import STRICT, compiler

from snn_codegen.ccode import CCode
from snn_codegen.deployment import Answer, Executable
from snn_codegen.linux import Linux
from snn_codegen.microcontroller import CortexM
from snn_codegen.source import Source
from snn_codegen.writer import identifier
from snn_kernel import Context, DataError, Prediction, Processed, RunError, Samples, Trained
from snn_kernel.network import INPUT, Conv, Flatten, Format, Linear, Network, Neuron
from snn_kernel.results import agree
from snn_network.reference import Reference

EIGHT = Format(8, 4)


def network(mode: str = "static", bits: int = 8) -> Network:
    """A convolution, neurons and a readout, quantised."""
    rng = np.random.default_rng(0)
    layout = Format(bits, bits - 4)
    high = 1 << (bits - 2)
    kind = np.int8 if bits == 8 else np.int16
    conv = Conv(
        "conv",
        rng.integers(-high, high, (3, 1, 2, 2)).astype(kind),
        None,
        (1, 1),
        (0, 0),
        accumulator="int64",
        weight_format=layout,
        format=layout,
    )
    neuron = Neuron("neuron", 0.5, state_format=layout)
    readout = Linear(
        "readout",
        rng.integers(-high, high, (2, 27)).astype(kind),
        None,
        "int64",
        weight_format=layout,
    )
    names = ("conv", "neuron", "flatten", "readout")
    edges = tuple(zip((INPUT, *names), names, strict=False))
    return Network((conv, neuron, Flatten("flatten"), readout), edges, (1, 4, 4), 3, mode, EIGHT)


def samples(mode: str = "static", count: int = 5) -> Samples:
    timed = (3,) if mode == "sequence" else ()
    x = np.random.default_rng(1).uniform(-4, 4, (count, *timed, 4, 4, 1)).astype(np.float32)
    return Samples(x, np.arange(count) % 2, "NTHWC" if timed else "NHWC")


def processed(made: Network | None = None, name: str = "net") -> Processed:
    made = made or network()
    shown = samples(made.mode)
    logits, spikes = Reference(made).run(shown.channels_first())
    packed = {k: np.packbits(v, axis=2) for k, v in spikes.items()}
    prediction = Prediction(logits, packed, {"neuron": 27})
    return Processed(name, None, Trained(None), network=made, prediction=prediction)


@pytest.mark.parametrize("mode", ["static", "sequence"])
def test_linux_runs_it_spike_for_spike(mode: str, tmp_path: Path) -> None:
    given = processed(network(mode))
    made = Linux().deploy(given, samples(mode), Context(0, tmp_path))
    assert given.prediction is not None
    assert made.prediction is not None
    np.testing.assert_array_equal(made.prediction.logits, given.prediction.logits)
    spikes = made.prediction.spikes["neuron"]
    np.testing.assert_array_equal(spikes, given.prediction.spikes["neuron"])
    assert {"c_header", "c_source", "program"} == made.files.keys()
    measures = {m.name: m for m in made.measures}
    assert measures["rom"].value == 3 * 4 + 3 * 4 + 2 * 27 + 2 * 4
    assert measures["inference_time"].how == "measured"
    assert {m.source for m in made.measures} == {"Linux"}


def test_the_state_is_as_large_as_its_macro_says(tmp_path: Path) -> None:
    sources = CCode().sources(processed(), Context(0, tmp_path)).write()
    probe = tmp_path / "probe.c"
    probe.write_text(
        '#include "net.h"\n#include <stdio.h>\nint main(void) '
        '{ printf("%u %u", (unsigned)sizeof(net_state), NET_STATE_BYTES); return 0; }\n'
    )
    command = [*compiler(), f"-I{sources.folder}", str(probe), str(sources.source), "-o", "probe"]
    subprocess.run(command, check=True, cwd=tmp_path)
    size, macro = subprocess.run(
        [tmp_path / "probe"], capture_output=True, check=True, text=True
    ).stdout.split()
    assert size == macro


def test_source_writes_an_example_that_finds_the_classes(tmp_path: Path) -> None:
    made = Source().deploy(processed(), samples(), Context(0, tmp_path))
    folder = made.files["example.c"].parent
    command = [*compiler(), *STRICT, "example.c", "net.c", "-o", "example"]
    subprocess.run(command, check=True, cwd=folder)
    done = subprocess.run([folder / "example"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("expected") == 4
    assert made.prediction is None
    assert "net_step" in made.files["README.md"].read_text()


def test_the_postprocessing_writes_and_measures(tmp_path: Path) -> None:
    config = CCode(quantize="int8", outdir=str(tmp_path / "c"), model_name="cnn")
    for label in ("scnn_r1", "scnn_r2"):
        context = Context(0, tmp_path / label)
        outcome = config.apply(processed(), None, None, context)  # type: ignore[arg-type]
        assert {m.name for m in outcome.measures} == {"rom", "ram"}
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("cnn.h"))
    assert made == [f"c/{label}/{processed().name}_c/cnn.h" for label in ("scnn_r1", "scnn_r2")]


def test_feature_maps_are_the_hook(tmp_path: Path) -> None:
    for asked in (False, True):
        made = CCode(dump_featuremaps=asked).sources(processed(), Context(0, tmp_path))
        assert ("#define NET_TRACE\n" in made.writer.header()) == asked


def test_an_example_with_the_hook_supplies_it(tmp_path: Path) -> None:
    config = Source(converter=CCode(dump_featuremaps=True))
    folder = config.deploy(processed(), samples(), Context(0, tmp_path)).files["example.c"].parent
    command = [*compiler(), *STRICT, "example.c", "net.c", "-o", "example"]
    subprocess.run(command, check=True, cwd=folder)
    done = subprocess.run([folder / "example"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("layer 1: 4 bytes") == 4 * network().timesteps  # 27 neurons in a word


@pytest.mark.parametrize("target", [Linux(), CortexM()], ids=lambda config: config.target)
def test_targets_run_programs_with_the_hook(target: Any, tmp_path: Path) -> None:
    if isinstance(target, CortexM) and shutil.which(target.board.emulator) is None:
        pytest.skip(f"{target.board.emulator} is not installed")
    config, given = evolve(target, converter=CCode(dump_featuremaps=True)), processed()
    made = config.deploy(given, samples(), Context(0, tmp_path))
    assert agree(given.prediction, made.prediction).differing == 0


@pytest.mark.parametrize(
    ("config", "given", "text"),
    [
        ({"quantize": "int16"}, network(), "is int8, and quantize asks for int16"),
        ({"quantize": "int8"}, network(bits=16), "is int16, and quantize asks for int8"),
    ],
)
def test_another_arithmetic_is_refused(
    config: Any, given: Network, text: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=text):
        CCode(**config).sources(processed(given), Context(0, tmp_path))


def test_sums_wider_than_long_width_are_refused(tmp_path: Path) -> None:
    wide = network(bits=16)
    peak = wide.bounds["readout"].sum
    assert peak >= 1 << 15
    layer = evolve(wide.layers[0], format=Format(32, 4))
    wide = evolve(wide, layers=(layer, *wide.layers[1:]), input_format=Format(24, 4))
    with pytest.raises(RunError, match="long_width = 32 cannot hold"):
        CCode(long_width=32).sources(processed(wide), Context(0, tmp_path))


def test_what_has_no_document_is_refused(tmp_path: Path) -> None:
    given = evolve(processed(), network=None, obstacle="layer 'x' is odd")
    with pytest.raises(RunError, match="layer 'x' is odd"):
        Linux().deploy(given, samples(), Context(0, tmp_path))


def test_samples_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the network takes"):
        Linux().deploy(processed(), samples("sequence"), Context(0, tmp_path))


def test_what_the_compiler_refuses_is_told(tmp_path: Path) -> None:
    sources = CCode().sources(processed(), Context(0, tmp_path)).write()
    sources.source.write_text("int")
    with pytest.raises(RunError, match="the C compiler refuses"):
        Linux().build(sources, sources.folder)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("#!/bin/sh\nexit 3\n", "ended with status 3"),
        ("#!/bin/sh\ncat > /dev/null; echo 0 >&2\n", "wrote 0 bytes, not 5 records"),
        ("#!/bin/sh\ncat > /dev/null; echo hello; echo 0 >&2\n", "wrote 6 bytes, not 5 records"),
    ],
)
def test_a_program_that_fails_is_told(script: str, text: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(script)
    program.chmod(0o755)

    class Broken(Linux):
        def build(self, sources: Any, folder: Path) -> Executable:
            return Executable(program)

    with pytest.raises(RunError, match=text):
        Broken().deploy(processed(), samples(), Context(0, tmp_path))


def test_a_wrong_bit_differs(tmp_path: Path) -> None:
    """What the kernel makes of one flipped bit is an exit status; here, that it arrives."""

    class Wrong(Linux):
        def run(self, executable: Executable, frames: bytes, samples: int) -> Answer:
            right = super().run(executable, frames, samples)
            return Answer(bytes([right.written[0] ^ 1]) + right.written[1:], right.seconds)

    given = processed()
    made = Wrong().deploy(given, samples(), Context(0, tmp_path))
    assert given.prediction is not None
    assert made.prediction is not None
    found = np.unpackbits(made.prediction.spikes["neuron"] ^ given.prediction.spikes["neuron"])
    assert found.sum() == 1


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("scnn", "scnn"),
        ("My net-1", "my_net_1"),
        ("1st", "network_1st"),
        ("snn", "network_snn"),
        ("é", "network"),
        ("Time", "network_time"),
        ("example", "network_example"),
        ("board", "network_board"),
        ("semihosting", "network_semihosting"),
    ],
)
def test_identifiers(name: str, made: str) -> None:
    assert identifier(name) == made


def test_names_cannot_break_what_is_generated(tmp_path: Path) -> None:
    """A header of the C library would be found in place of the model's, or the other way round;
    a layer's name stands in a comment."""
    plain = network()
    renamed = tuple(evolve(layer, name=f"{layer.name}*/ int x;") for layer in plain.layers)
    edges = tuple(zip((INPUT, *(n.name for n in renamed)), (n.name for n in renamed), strict=False))
    made = processed(evolve(plain, layers=renamed, edges=edges), "stdio")
    deployed = Linux().deploy(made, samples(), Context(0, tmp_path))
    assert deployed.prediction is not None
    assert np.array_equal(deployed.prediction.logits, made.prediction.logits)
    assert deployed.files["c_header"].name == "network_stdio.h"


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang compiles it")
@pytest.mark.parametrize("convolution", ["dense", "gather", "scatter"])
def test_processors_of_16_bits(convolution: Any, tmp_path: Path) -> None:
    """Where size_t is narrower than the numbers of elements, and int than both."""
    config = CCode(convolution=convolution)
    made = config.sources(processed(), Context(0, tmp_path), lanes=True).write()
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "msp430-freestanding", *STRICT]
    done = subprocess.run(
        [*command, "-c", str(made.source), "-o", str(tmp_path / "net.o")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_models_of_other_arithmetics_are_faults_when_planning() -> None:
    def model(name: str, **config: Any) -> Any:
        choice = SimpleNamespace(config=SimpleNamespace(**config), place=f"[{name}]")
        return SimpleNamespace(name=name, choice=choice)

    params = SimpleNamespace(of=lambda _: SimpleNamespace(bits=4), obstacle="")
    four = model("four", params_of=lambda _: params)
    models = (model("plain"), four, model("odd", neuron=object()))
    framework = SimpleNamespace(kind="SpikingJelly", config=SimpleNamespace(timed=False))
    plan = SimpleNamespace(models=models, postprocessings=(), framework=framework)
    said = list(Linux(quantize=("int8",)).check(plan, "[deploy]"))
    assert [s.split(" is not")[0] for s in said if "asks for int8" in s] == [
        "model 'plain'",
        "model 'odd'",
    ]
    assert any("QuantizationAwareTraining" in s for s in said)
    assert any("no lowered form" in s for s in said)
    config = Linux(converter=CCode(timestep_mode="iterate"))
    assert any("write 'duplicate'" in s for s in config.check(plan, "[deploy]"))
    assert not [s for s in Linux().check(plan, "[deploy]") if "asks for" in s]
    config = Linux(converter=CCode(quantize="int16"), quantize=("int8",))
    assert any("converter's quantize is 'int16'" in s for s in config.check(plan, "[deploy]"))


def test_what_generates_no_c_is_no_converter() -> None:
    text = r"converter is of kind 'object', which generates no C \(QualiaCodeGen and CCode do\)"
    with pytest.raises(ValueError, match=text):
        Linux(converter=object())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "keys",
    [{"quantize": ()}, {"quantize": ("int4",)}, {"optimize": ("cmsis-nn",)}, {"compress": (2,)}],
)
def test_keys_that_say_nothing_here_are_refused(keys: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(keys))):
        Linux(**keys)
