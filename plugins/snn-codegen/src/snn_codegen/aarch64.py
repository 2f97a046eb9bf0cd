"""The deployer `LinuxAArch64`: generated C for 64-bit ARM."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from snn_codegen.deployment import Answer, Executable, Execution

if TYPE_CHECKING:
    from snn_codegen.sources import Sources

EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
NATIVE = ("aarch64", "arm64")
TARGET = ("-target", "aarch64-linux-musl", "-static")


@frozen(kw_only=True)
class LinuxAArch64(Execution):
    """Builds the network as C for Linux on 64-bit ARM, and runs it on the test set.

    On another machine it runs in QEMU's user-mode emulator, so no time is told. It writes <name>.h,
    <name>.c and a static program, compiled with the pinned Zig's C compiler. The kernel compares
    its spikes and logits with the framework's. Measures: accuracy, "rom" (bytes of constants),
    "ram" (bytes of the state).

    converter: {kind = "QualiaCodeGen" or "CCode", params}, how the C is generated.
    quantize: which of "float32", "int8" and "int16" a model may be; one that is none of them is
        refused when planning (default: all of them).
    optimize: [""], as documented files have it.
    compress: [1], likewise.
    """

    target: ClassVar[str] = "LinuxAArch64"

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Also that there is something to run it on."""
        yield from super().check(plan, place)
        if _emulator() is None:
            yield (
                "64-bit ARM programs need QEMU's user-mode emulator here, which is not installed "
                "(apt-get install qemu-user-static)"
            )

    def build(self, sources: Sources, folder: Path) -> Executable:
        """The program `<name>_aarch64`."""
        from snn_codegen.compiler import compiled

        return compiled(sources, folder / f"{sources.name}_aarch64", TARGET)

    def run(self, executable: Executable, frames: bytes, samples: int) -> Answer:
        """What it makes of a stream of samples."""
        from snn_codegen.process import answered

        return answered([*(_emulator() or ()), str(executable.path)], frames)


def _emulator() -> tuple[str, ...] | None:
    """What a program for 64-bit ARM is started with, nothing on such a machine; None: it cannot."""
    if platform.system() == "Linux" and platform.machine() in NATIVE:
        return ()
    found = (shutil.which(name) for name in EMULATORS)
    return next(((path,) for path in found if path), None)
