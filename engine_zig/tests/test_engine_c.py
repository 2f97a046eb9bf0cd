"""The library from C, and on a processor without AVX."""

import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import msgpack
import numpy as np
import pytest
from engine_corpus import sequential

from snn_engine import Engine
from snn_engine.library import library
from snn_engine.process import executable
from snn_kernel.network import Network

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT.parent / "examples" / "engine_from_c" / "run_network.c"
QEMU = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")

needs_linux = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="for Linux on x86-64"
)
needs_qemu = pytest.mark.skipif(QEMU is None, reason="qemu-x86_64 (qemu-user) is not installed")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The example, compiled."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang, whose C compiler is used, is not installed here")
    if not EXAMPLE.exists():
        pytest.skip(f"{EXAMPLE.name} is not part of this copy of the sources")
    made = tmp_path_factory.mktemp("c") / "run_network"
    folder = Path(library()._name).parent
    command = [sys.executable, "-m", "ziglang", "cc", "-Wall", "-Wextra", "-Werror", "-std=c99"]
    command += ["-mcpu=baseline", str(EXAMPLE), f"-I{folder}", f"-L{folder}", "-lsnn_engine"]
    command += [f"-Wl,-rpath,{folder}", "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [made]


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "some.network"
    path.write_bytes(sequential().pack())
    return path


def logits(command, document):
    """What the example makes of a frame, and what the binding does."""
    frames = np.random.default_rng(0).random((1, 1, 4, 4), np.float32)
    done = subprocess.run(
        [*command, document], input=frames.tobytes(), capture_output=True, check=True, timeout=60
    )
    with Engine.load(Network.unpack(document.read_bytes())) as engine:
        expected = engine.run(frames).logits[0]
    return np.frombuffer(done.stdout, np.float32), expected


@needs_linux
def test_the_example_gives_the_bindings_answer(program, document):
    found, expected = logits(program, document)
    np.testing.assert_array_equal(found, expected)
    assert expected.any()


@needs_linux
def test_the_example_tells_what_the_engine_says(program, tmp_path):
    (tmp_path / "broken.network").write_bytes(b"\x80")
    done = subprocess.run(
        [*program, tmp_path / "broken.network"], input=b"", capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"network: 'format' is missing" in done.stderr
    assert subprocess.run([*program, tmp_path / "none"], check=False).returncode == 1


@needs_linux
@needs_qemu
@pytest.mark.parametrize("cpu", ["Nehalem", "qemu64"])
def test_the_library_on_a_processor_without_avx(program, document, cpu):
    """Nehalem has SSE 4.2, qemu64 only what every x86-64 has. What they lack is an illegal
    instruction, which ends the process."""
    found, expected = logits([QEMU, "-cpu", cpu, *program], document)
    np.testing.assert_array_equal(found, expected)


@needs_linux
@needs_qemu
@pytest.mark.parametrize("cpu", ["Nehalem", "qemu64"])
def test_the_executable_on_a_processor_without_avx(cpu):
    """It chooses kernels that the processor can run, and refuses others by name."""
    load = {"op": "load", "network": msgpack.unpackb(sequential().pack())}
    requests = [{**load, "cpu": "x86_64_v3"}, load]
    data = b"".join(len(p).to_bytes(4, "little") + p for p in map(msgpack.packb, requests))
    done = subprocess.run(
        [QEMU, "-cpu", cpu, executable(), "serve"], input=data, capture_output=True, check=True
    )
    size = int.from_bytes(done.stdout[:4], "little")
    refused = msgpack.unpackb(done.stdout[4 : 4 + size])
    loaded = msgpack.unpackb(done.stdout[8 + size :])
    assert (refused["code"], "than this processor can" in refused["error"]) == ("unsupported", True)
    assert loaded["ok"]
    assert loaded["cpu"] in ("baseline", "x86_64_v2")
