"""Every emulated board: what a program on it answers, counts, and how it is stopped."""

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from attrs import evolve

from snn_codegen.boards import CORTEX_M, KIB, RISCV32_BOARDS
from snn_codegen.elf import Image
from snn_codegen.emulator import emulate
from snn_codegen.firmware import Firmware, Limits
from snn_kernel import RunError

PROBE = Path(__file__).parent / "probe"
SUM, LOOP, UNDEFINED, HANG, DEEP, UNALIGNED = range(6)
STACK = 2 * KIB


def marked(name, board):
    reason = f"{board.emulator} is not installed (Debian package {board.package})"
    missing = shutil.which(board.emulator) is None
    return pytest.param(name, board, marks=pytest.mark.skipif(missing, reason=reason), id=name)


BOARDS = [marked(name, board) for name, board in {**CORTEX_M, **RISCV32_BOARDS}.items()]
every_board = pytest.mark.parametrize(("name", "board"), BOARDS)


def probe(folder=PROBE, name="probe"):
    """What a network that was generated into `folder` looks like to those who build it."""
    layers = (SimpleNamespace(name="steps"), SimpleNamespace(name="sum"))
    flags = ("-DSNN_GENERIC", f'-DSNN_HEADER="{name}.h"', f"-I{folder}")
    known = {"source": folder / f"{name}.c", "flags": flags, "trace_flag": "-DPROBE_TRACE"}
    return SimpleNamespace(name=name, network=SimpleNamespace(layers=layers), **known)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The probe as the firmware of a board, built once."""
    made = {}

    def build(name, board):
        if name not in made:
            limits = Limits(board.rom.size, board.ram.size, STACK, patience_s=60)
            folder = tmp_path_factory.mktemp("built")
            made[name] = Firmware.build(probe(), folder, f"board {name}", board, limits)
        made[name].runs.clear()
        return made[name]

    return build


def run(firmware, *samples):
    answers = firmware.run(np.array(samples, "<i4").tobytes(), len(samples))
    return np.frombuffer(answers, "<i4").reshape(len(samples), -1)


@every_board
def test_answers(built, name, board):
    rng = np.random.default_rng(1)
    samples = rng.integers(6, 1 << 20, (50, 2))
    answers = run(built(name, board), *samples)
    np.testing.assert_array_equal(answers[:, :3], [[1, 2, 3]] * 50)  # "spikes" of each timestep
    np.testing.assert_array_equal(answers[:, 3], 3)
    expected = 7 + 3 * (samples @ [3, -5])
    np.testing.assert_array_equal(answers[:, 4], expected)


@every_board
def test_instructions_are_counted_exactly(built, name, board):
    """Loops of known length: to the instruction, and past the wraps of a 24-bit timer."""
    counts = np.array([1, 2, 3, 10, 1000, 12_345, 1_000_003, 5_000_000])
    firmware = built(name, board)
    run(firmware, *[(LOOP, n) for n in counts])
    (counted,) = firmware.runs
    for found in (counted.instructions, counted.traced[:, 0]):
        np.testing.assert_array_equal(found - found[0], 3 * 2 * (counts - 1))
    # One timestep around the loop's two and its return: a call, a switch, a return.
    assert 10 < counted.instructions[0] / 3 - 3 < 60
    table = firmware.table()
    assert [row[0] for row in table.rows] == ["steps", "sum"]
    assert 0 <= table.rows[1][1] < 100
    measures = {m.name: m for m in firmware.counted()}
    assert measures["instructions"].value == counted.instructions.mean()
    assert {m.how for m in measures.values()} == {"counted"}


@every_board
def test_the_stack_is_measured(built, name, board):
    firmware = built(name, board)
    for depth in (0, 1, 2, 4):
        run(firmware, (DEEP, depth))
    used = [counted.stack for counted in firmware.runs]
    frame = used[1] - used[0]
    assert 256 <= frame < 320  # a block of 64 words, and what is saved
    assert [u - used[0] for u in used] == [0, frame, 2 * frame, 4 * frame]
    (ram,) = (m.value for m in firmware.counted() if m.name == "ram")
    assert ram == firmware.image.ram + used[-1]


@every_board
def test_a_stack_that_overflows_is_said_so(built, name, board):
    with pytest.raises(RunError, match="stack overflow"):
        run(built(name, board), (SUM, 1), (DEEP, 9))


@every_board
def test_a_fault_names_registers_and_the_function(built, name, board):
    fault = "mcause 0x00000002" if board.family == "riscv32" else r"hard fault: .*cfsr|r12 0x"
    with pytest.raises(RunError, match=fault) as caught:
        run(built(name, board), (SUM, 1), (UNDEFINED, 0))
    assert "in probe_step" in str(caught.value) or "in undefined" in str(caught.value)
    assert board.machine in str(caught.value)


@pytest.mark.parametrize(("name", "board"), [b for b in BOARDS if b.id in ("M0", "M0+")])
def test_the_smallest_cores_fault_on_unaligned_words(built, name, board):
    with pytest.raises(RunError, match="hard fault"):
        run(built(name, board), (UNALIGNED, 1))


def processes(board):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().split()
        except OSError:
            continue
        if fields[1].startswith("(qemu-system") and fields[3] == str(os.getpid()):
            found.append(path)
    return found


@every_board
def test_a_hang_ends_in_time_and_leaves_no_process(built, name, board):
    firmware = built(name, board)
    firmware = evolve(firmware, limits=evolve(firmware.limits, patience_s=0.5))
    start = time.monotonic()
    with pytest.raises(RunError, match=r"no progress in 0\.5 s"):
        run(firmware, (SUM, 1), (HANG, 0))
    assert time.monotonic() - start < 30
    assert not processes(board)


@every_board
def test_an_interrupted_run_leaves_no_process(built, name, board, tmp_path):
    firmware = built(name, board)
    (tmp_path / "frames").write_bytes(np.array([(SUM, 1)] * 100_000, "<i4").tobytes())

    def interrupt(size):
        assert processes(board)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emulate(board, firmware.path, tmp_path, "counts", 60, interrupt)
    assert not processes(board)


def test_an_emulator_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    board = RISCV32_BOARDS["rv32imac"]
    with pytest.raises(RunError, match=r"qemu-system-riscv32 .*apt-get install qemu-system-misc"):
        emulate(board, tmp_path / "none.elf", tmp_path, "counts", 1)


def test_what_does_not_fit_is_said_with_both_numbers(tmp_path):
    limits = Limits(1000, 2000, STACK, patience_s=60)
    with pytest.raises(RunError) as caught:
        Firmware.build(probe(), tmp_path, "CortexM", CORTEX_M["M0"], limits)
    flash, ram = map(str, caught.value.faults)
    image = Image((tmp_path / "probe.elf").read_bytes())
    assert f"needs {image.rom} bytes of flash, CortexM has 1000" in flash
    assert f"needs {image.ram + STACK} bytes of RAM, CortexM has 2000" in ram
    assert f"({STACK} of these bytes are the reserve that the key 'stack' sets; fewer" in ram
    assert "stack" not in flash


def test_sources_that_do_not_compile_say_why(tmp_path):
    (tmp_path / "bad.h").write_text("#error no such thing\n")
    (tmp_path / "bad.c").write_text('#include "bad.h"\n')
    limits = Limits(1000, 2000, STACK, patience_s=60)
    with pytest.raises(RunError, match="no such thing"):
        Firmware.build(probe(tmp_path, "bad"), tmp_path, "CortexM", CORTEX_M["M4F"], limits)
