"""One program on one emulated board: started, watched, and never left behind."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from snn_codegen.boards import Board
from snn_codegen.elf import Image
from snn_kernel import RunError

POLL_S = 0.05
NOTHING = ("-display", "none", "-monitor", "none", "-serial", "none", "-nodefaults")


def emulate(
    board: Board,
    program: Path,
    folder: Path,
    growing: str,
    patience_s: float,
    told: Callable[[int], None] = lambda _: None,
) -> None:
    """Run `program` on `board` until it ends; the host's files that it sees are those of `folder`.

    `growing` is the file there whose size shows how far it is; `told` is called with it. RunError
    if the program fails, with what it said, or if that file does not grow for `patience_s` seconds.
    """
    command = (board.emulator, *board.machine_arguments, *NOTHING, "-semihosting-config")
    command += ("enable=on,target=native", "-kernel", str(program.resolve()))
    said = folder / "said"
    with said.open("wb") as stderr:
        try:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr
            )
        except OSError as error:
            raise RunError(
                f"{board.emulator} cannot be run: {error.strerror} (on Debian and Ubuntu: "
                f"apt-get install {board.package})"
            ) from None
        with process:
            try:
                _watch(process, folder / growing, patience_s, told)
            finally:
                process.kill()
                process.wait()  # after a Ctrl-C, leaving the block would not
    if process.returncode:
        raise RunError(_why(board, program, said, process.returncode))


def _watch(
    process: subprocess.Popen[bytes], path: Path, patience_s: float, told: Callable[[int], None]
) -> None:
    """Wait for the end of `process` as long as the file `path` grows."""
    size, since = 0, time.monotonic()
    while True:
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            pass
        else:
            return
        now = path.stat().st_size if path.exists() else 0
        if now > size:
            size, since = now, time.monotonic()
            told(size)
        elif time.monotonic() - since > patience_s:
            raise RunError(
                f"the emulated program made no progress in {patience_s:g} s and was stopped "
                f"(it had written {size} bytes of '{path.name}')"
            )


def _why(board: Board, program: Path, said: Path, status: int) -> str:
    """What the program, or the emulator, said before it ended; with the function it was in."""
    text = said.read_text("utf-8", "replace").strip()
    line = text.splitlines()[-1] if text else "it said nothing"
    for name in ("pc", "mepc"):
        words = line.split()
        if name in words[:-1]:
            address = int(words[words.index(name) + 1], 16)
            if function := Image(program.read_bytes()).function(address):
                line += f", in {function}"
    return f"the program failed on {board.machine} (status {status}): {line}"
