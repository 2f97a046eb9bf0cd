"""The engine in a process of its own: what goes wrong in there stays there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from snn_engine.library import LIMIT_BYTES, EngineError
from snn_engine.message import BIN_HEAD, bin_head

NAMES = ("snn-engine", "snn-engine.exe")
HEAD_BYTES = 4  # the length of a message, little-endian


def executable() -> Path:
    """The program `snn-engine`; EngineError if it is missing."""
    folder = Path(__file__).with_name("_lib")
    for name in NAMES:
        if (path := folder / name).exists():
            return path
    raise EngineError(f"{folder}: the engine's executable is missing (reinstall snn-engine)")


def main() -> int:
    """Become `snn-engine`, with the arguments of this process."""
    command = [str(executable()), *sys.argv[1:]]
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.call(command)


class Process:
    """A running `snn-engine serve`, with the methods of a Handle. One call at a time."""

    def __init__(self) -> None:
        # Not a pipe: nobody reads it while the engine runs, and it must not fill up.
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed in _end
        self._process = subprocess.Popen(
            [executable(), "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            bufsize=0,
            start_new_session=True,  # an interrupt is for us; we end the process if need be
        )
        self._open = True

    def call(
        self, request: bytes | bytearray, frames: NDArray[np.float32] | None = None
    ) -> memoryview:
        """The reply to `request`; `frames` take the place of its last value, a nil. EngineError if
        the process has ended, and why."""
        if not self._open:
            raise EngineError("the engine is closed")
        size = len(request) + (0 if frames is None else BIN_HEAD.size - 1 + frames.nbytes)
        if size > LIMIT_BYTES:
            raise EngineError(f"a request of {size} bytes exceeds {LIMIT_BYTES}", "limit")
        try:
            self._send(size.to_bytes(HEAD_BYTES, "little"))
            if frames is None:
                self._send(request)
            else:
                self._send(request[:-1] + bin_head(frames.nbytes))
                self._send(frames)
            return self._take(int.from_bytes(self._take(HEAD_BYTES), "little"))
        except BaseException as error:
            # Whatever stays in the pipes belongs to no later call.
            why = self._end()
            if isinstance(error, (OSError, EOFError)):
                raise EngineError(why, "process") from None
            raise

    def close(self) -> None:
        """End the process; a closed one refuses every call."""
        if self._open:
            self._end()

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            self.close()

    def _send(self, data: bytes | bytearray | NDArray[np.float32]) -> None:
        pipe, view = self._process.stdin, memoryview(data).cast("B")
        assert pipe is not None
        while view:
            view = view[pipe.write(view) :]

    def _take(self, count: int) -> memoryview:
        pipe, data = self._process.stdout, memoryview(bytearray(count))
        assert pipe is not None
        at = 0
        while at < count:
            if not (got := pipe.readinto(data[at:])):  # type: ignore[attr-defined]
                raise EOFError
            at += got
        return data

    def _end(self) -> str:
        """Stop the process; how it had ended by itself, if it had."""
        self._open = False
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            # Without its pipes it ends at once, unless it computes.
            status = self._process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._words.seek(0)
        told = self._words.read()[-2000:].decode(errors="replace").strip()
        self._words.close()
        what = f"status {status}" if status >= 0 else _signal(-status)
        return f"the engine's process ended ({what})" + (f": {told}" if told else "")


def _signal(number: int) -> str:
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"
