"""A program over some samples, as a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from snn_codegen.deployment import Answer

SECONDS = 3600  # no test set takes longer


def answered(command: Sequence[str], frames: bytes, clocked: bool = False) -> Answer:
    """What `command` writes when it is given `frames`; its last words on the standard error are the
    seconds that it took, if it is `clocked`. RunError if it fails or hangs."""
    from snn_kernel import RunError

    try:
        done = subprocess.run(
            command, input=frames, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"{command[0]} was not done after {SECONDS} s") from None
    except OSError as error:
        raise RunError(f"{command[0]} cannot be run: {error.strerror}") from None
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode:
        raise RunError(f"{command[0]} ended with status {done.returncode}: {said[-2000:]}")
    return Answer(done.stdout, float(said.splitlines()[-1]) if clocked else None)
