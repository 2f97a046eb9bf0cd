"""The deployer `Linux`: generated C on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from snn_codegen.deployment import Answer, Executable, Execution

if TYPE_CHECKING:
    from snn_codegen.sources import Sources


@frozen(kw_only=True)
class Linux(Execution):
    """Builds the network as C for this machine, runs it on the test set, and measures its time.

    It writes <name>.h, <name>.c and a program, compiled with the pinned Zig's C compiler. The
    kernel compares its spikes and logits with the framework's. Measures: accuracy, "rom" (bytes
    of constants), "ram" (bytes of the state), "inference_time" (processor time).

    converter: {kind = "QualiaCodeGen" or "CCode", params}, how the C is generated.
    quantize: which of "float32", "int8" and "int16" a model may be; one that is none of them is
        refused when planning (default: all of them).
    optimize: [""], as documented files have it.
    compress: [1], likewise.
    """

    target: ClassVar[str] = "Linux"

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Also that this is a machine of that kind."""
        yield from super().check(plan, place)
        if sys.platform != "linux":
            yield f"this is {sys.platform}, not Linux (Wasm runs anywhere, Source runs nothing)"

    def build(self, sources: Sources, folder: Path) -> Executable:
        """The program `<name>`."""
        from snn_codegen.compiler import compiled

        return compiled(sources, folder / sources.name)

    def run(self, executable: Executable, frames: bytes, samples: int) -> Answer:
        """What it makes of a stream of samples."""
        from snn_codegen.process import answered

        return answered([str(executable.path)], frames, clocked=True)
