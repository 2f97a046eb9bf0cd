"""The C compiler: that of the pinned Zig, which brings every target with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from snn_codegen.deployment import Executable
from snn_codegen.sources import Sources

STANDARD = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-ffp-contract=off")
SECONDS = 600  # a first build for a target also builds its C library


def compiled(sources: Sources, path: Path, flags: Sequence[str] = ()) -> Executable:
    """A program at `path` that runs a stream of samples; RunError with what the compiler says."""
    with resources.as_file(resources.files("snn_codegen") / "programs" / "stream.c") as stream:
        built(sources, [stream], path, (*flags, sources.trace_flag))
    return Executable(path)


def built(sources: Sources, texts: Sequence[Path], path: Path, flags: Sequence[str] = ()) -> None:
    """The network and the C files `texts` as a program at `path`; RunError with what the compiler
    says."""
    from snn_kernel import RunError

    command = [sys.executable, "-m", "ziglang", "cc", *STANDARD, "-O2", *flags, *sources.flags]
    command += [*map(str, texts), str(sources.source), "-o", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise RunError(f"the C compiler was not done after {SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip()
        errors = [line for line in said.splitlines() if "error:" in line][:3]
        raise RunError(f"the C compiler refuses {sources.source}: {'; '.join(errors) or said}")
