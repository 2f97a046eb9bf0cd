"""The deployer `Source`: generated C for a project of one's own."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from attrs import frozen

from snn_codegen.deployment import Deployment
from snn_codegen.element import DTYPES, literals

if TYPE_CHECKING:
    from snn_codegen.sources import Sources
    from snn_kernel import Context, Deployed, Prediction, Processed, Samples

SAMPLES = 4  # of the test set, in the example


@frozen(kw_only=True)
class Source(Deployment):
    """Writes a folder for a project of your own: the network as C, and an example that uses it.

    <name>.h and <name>.c are all that a project needs. example.c runs the first samples of the test
    set and compares the classes with those that the framework found; README.md says how to build
    it. Nothing is compiled or run. Measures: "rom" (bytes of constants), "ram" (of the state).

    converter: {kind = "QualiaCodeGen" or "CCode", params}, how the C is generated.
    quantize: which of "float32", "int8" and "int16" a model may be; one that is none of them is
        refused when planning (default: all of them).
    optimize: [""], as documented files have it.
    compress: [1], likewise.
    """

    target: ClassVar[str] = "Source"

    def deploy(self, processed: Processed, samples: Samples, context: Context) -> Deployed:
        """Write the folder. RunError if the network cannot become C, DataError if the samples do
        not fit it."""
        from snn_codegen.ccode import sizes
        from snn_codegen.sources import fit
        from snn_kernel import DataError, Deployed, write_atomic

        sources = self.converter.sources(processed, context)
        if fault := fit(sources.network, samples.x):
            raise DataError(fault)
        assert processed.prediction is not None  # the kernel evaluates before it deploys
        texts = {
            "example.c": _example(sources, samples, processed.prediction),
            "README.md": _template("project.md").format(**_facts(sources)),
        }
        files = dict(sources.write().files)
        for name, text in texts.items():
            files[name] = write_atomic(sources.folder / name, text)
        return Deployed(self.target, files, measures=tuple(sizes(sources, self.target)))


def _example(sources: Sources, samples: Samples, prediction: Prediction) -> str:
    """The program that runs the first samples."""
    some = samples.channels_first()[:SAMPLES]
    element = sources.writer.assembly.input.element
    frames = np.frombuffer(sources.frames(some), DTYPES[element]).tolist()
    classes = prediction.logits[: len(some)].argmax(axis=1).tolist()
    text = _template("example.c")
    for key, value in _facts(sources).items():
        text = text.replace(f"@{key}@", str(value))
    text = text.replace("@samples@", str(len(some))).replace(
        "@classes@", ", ".join(map(str, classes))
    )
    return text.replace("@frames@", literals(element, frames))


def _facts(sources: Sources) -> dict[str, Any]:
    memory = sources.writer.memory
    timed = sources.network.mode == "sequence"
    return {
        **{"name": sources.name, "upper": sources.name.upper(), "rom": memory.rom_bytes},
        **{"ram": memory.state_bytes, "frame": "one frame per timestep" if timed else "one frame"},
    }


def _template(name: str) -> str:
    return (resources.files("snn_codegen") / "programs" / name).read_text("utf-8")
