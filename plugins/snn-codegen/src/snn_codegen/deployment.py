"""What all targets have in common: generate, build, run the test set, decode, measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from snn_codegen.ccode import CCode

if TYPE_CHECKING:
    from snn_kernel import Context, Deployed, Measure, Processed, Samples
    from snn_kernel.network import Network


@frozen
class Sources:
    """A generated network on disk: `folder` holds <name>.h and <name>.c; `network` is the document
    that they were made of. A program is compiled with `defines` (SNN_GENERIC, SNN_HEADER), and with
    -D<NAME>_TRACE where it supplies snn_trace."""

    name: str  # of the network, a C identifier
    folder: Path
    network: Network
    # how to encode frames and decode what a program writes comes here; nothing a target needs

    @property
    def defines(self) -> tuple[str, ...]:
        """Compiler flags for a program that serves every network."""
        return ("-DSNN_GENERIC", f'-DSNN_HEADER="{self.name}.h"', f"-I{self.folder}")


@frozen
class Program:
    """A network built for a target."""

    path: Path


class Target(Protocol):
    """One way of building and running generated C. A deployer kind is one, and calls `deploy`.

    A program reads frames (input_t, little-endian, sample after sample, SNN_FRAMES each) until their
    end and writes for each sample, at each timestep, the spikes of every layer with SNN_SPIKES(layer)
    (the words that snn_trace gets), and after the last timestep the logits (logit_t); all
    little-endian. `traced` says whether it writes the spikes.
    """

    target: str  # its name, which its measures have as their source
    traced: bool
    quantize: tuple[str, ...]
    converter: CCode

    def build(self, sources: Sources, folder: Path) -> Program:
        """The program, in `folder`; RunError with what the compiler says."""

    def run(
        self, program: Program, frames: bytes, samples: int, progress: Callable[[int, int], None]
    ) -> bytes:
        """What the program writes of `samples` samples; RunError if it fails or hangs."""

    def measures(self, program: Program) -> Iterable[Measure]:
        """What only this target knows: sizes, cycles."""


def deploy(target: Target, processed: Processed, samples: Samples, context: Context) -> Deployed:
    """The network of `processed` built for `target` and run on `samples`."""
    raise NotImplementedError


def check(target: Target, plan: object, place: str) -> Iterator[str]:
    """What of a plan generated C cannot serve; for the `check` of every target."""
    yield from ()
