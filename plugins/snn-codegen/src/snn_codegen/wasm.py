"""The deployer `Wasm`: generated C as WebAssembly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from snn_codegen.deployment import Answer, Executable, Execution

if TYPE_CHECKING:
    from snn_codegen.sources import Sources

TARGET = ("-target", "wasm32-wasi")


@frozen(kw_only=True)
class Wasm(Execution):
    """Builds the network as C for WebAssembly, and runs it on the test set in Node.js.

    It writes <name>.h, <name>.c and <name>.wasm (WASI preview 1), compiled with the pinned Zig's C
    compiler. The kernel compares its spikes and logits with the framework's. Measures: accuracy,
    "rom" (bytes of constants), "ram" (bytes of the state).

    converter: {kind = "QualiaCodeGen" or "CCode", params}, how the C is generated.
    quantize: which of "float32", "int8" and "int16" a model may be; one that is none of them is
        refused when planning (default: all of them).
    optimize: [""], as documented files have it.
    compress: [1], likewise.
    """

    target: ClassVar[str] = "Wasm"

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Also that there is something to run it on."""
        yield from super().check(plan, place)
        if shutil.which("node") is None:
            yield "WebAssembly is run in Node.js, which is not installed (apt-get install nodejs)"

    def build(self, sources: Sources, folder: Path) -> Executable:
        """The program `<name>.wasm`."""
        from snn_codegen.compiler import compiled

        return compiled(sources, folder / f"{sources.name}.wasm", TARGET)

    def run(self, executable: Executable, frames: bytes, samples: int) -> Answer:
        """What it makes of a stream of samples."""
        from snn_codegen.process import answered

        with resources.as_file(resources.files("snn_codegen") / "programs" / "wasi.mjs") as runner:
            command = ["node", "--no-warnings", str(runner), str(executable.path)]
            return answered(command, frames)
