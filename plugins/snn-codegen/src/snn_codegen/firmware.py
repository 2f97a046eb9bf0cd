"""A network as the firmware of a microcontroller: built, fitted, run, its instructions counted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from snn_codegen.boards import COMMON, SOURCES, Board
from snn_codegen.compiler import built
from snn_codegen.deployment import Executable
from snn_codegen.elf import Image
from snn_codegen.emulator import emulate
from snn_kernel import Fault, Measure, RunError, Table, write_atomic

if TYPE_CHECKING:
    from snn_codegen.sources import Sources

FLAGS = ("-g", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
WORD = np.dtype("<u4")
ANSWERS, COUNTS, STACK = "answers", "counts", "stack"  # files that boards/main.c writes


@frozen
class Limits:
    """Bytes of flash and RAM that there are, bytes of that RAM kept for the stack, and how many
    seconds may pass without a sample being done."""

    flash: int
    ram: int
    stack: int
    patience_s: float


@frozen
class Counted:
    """What a run counted: the most bytes of stack, instructions [N] of the firmware, and of its
    traced twin [N, layers]."""

    stack: int
    instructions: NDArray[np.uint32] = field(eq=False)
    traced: NDArray[np.uint32] = field(eq=False)


@frozen(kw_only=True)
class Firmware(Executable):
    """The firmware that would be shipped (at `path`) and its twin `traced`, which tells spikes and
    the instructions of each of `layers`. `runs` is what they counted."""

    target: str
    board: Board
    limits: Limits
    traced: Path
    layers: tuple[str, ...]
    image: Image = field(repr=False)
    runs: list[Counted] = field(factory=list)

    @classmethod
    def build(
        cls, sources: Sources, folder: Path, target: str, board: Board, limits: Limits
    ) -> Firmware:
        """Two ELF files in `folder`; RunError with what the compiler says, or, where the network
        does not fit, with what it needs and what there is."""
        script = write_atomic(folder / f"{sources.name}.ld", board.script(limits.stack))
        shipped, traced = (folder / f"{sources.name}{end}.elf" for end in ("", "_traced"))
        _compile(sources, shipped, script, board)
        image = Image(shipped.read_bytes())
        _fit(sources.name, image, target, board, limits)
        _compile(sources, traced, script, board, (sources.trace_flag, "-DSNN_TRACED"))
        rom = Measure("rom", image.rom, "B", "counted", "run", target)
        return cls(
            path=shipped,
            measures=(rom,),
            target=target,
            board=board,
            limits=limits,
            traced=traced,
            layers=tuple(layer.name for layer in sources.network.layers),
            image=image,
        )

    def run(self, frames: bytes, samples: int) -> bytes:
        """The answers of the traced twin, whose logits must be those of what would be shipped."""
        with tempfile.TemporaryDirectory(prefix="snnk-") as name:
            folder = Path(name)
            (folder / "frames").write_bytes(frames)
            shipped, instructions = self._emulate(self.path, folder, samples, 1)
            (stack,) = np.fromfile(folder / STACK, WORD).tolist()
            answers, traced = self._emulate(self.traced, folder, samples, len(self.layers))
        self.runs.append(Counted(stack, instructions[:, 0], traced))
        logits, told = (np.frombuffer(a, "u1").reshape(samples, -1) for a in (shipped, answers))
        if not np.array_equal(logits, told[:, -logits.shape[1] :]):
            raise RunError(f"{self.target}: the program answers otherwise when it is traced")
        return answers

    def counted(self) -> Iterator[Measure]:
        """RAM with the stack that was in use, that stack, and instructions; none is a time."""
        stack = max(run.stack for run in self.runs)
        for name, value in (("ram", self.image.ram + stack), (STACK, stack)):
            yield Measure(name, value, "B", "counted", "run", self.target)
        mean = np.concatenate([run.instructions for run in self.runs]).mean()
        yield Measure("instructions", float(mean), "", "counted", "sample", self.target)

    def table(self) -> Table:
        """Instructions of each layer for a sample, all its timesteps together."""
        each = np.concatenate([run.traced for run in self.runs])
        found = zip(self.layers, each.mean(axis=0), each.min(axis=0), each.max(axis=0), strict=True)
        rows = tuple((name, float(a), int(b), int(c)) for name, a, b, c in found)
        columns = ("layer", "mean", "least", "most")
        return Table("instructions", columns, rows, "per sample", self.target, columns[:2])

    def _emulate(
        self, program: Path, folder: Path, samples: int, columns: int
    ) -> tuple[bytes, NDArray[np.uint32]]:
        """What `program` answers and counts; its other files lie in `folder` then."""
        for old in (ANSWERS, COUNTS, STACK):
            (folder / old).unlink(missing_ok=True)
        emulate(self.board, program, folder, COUNTS, self.limits.patience_s)
        answers, counts = (folder / ANSWERS).read_bytes(), np.fromfile(folder / COUNTS, WORD)
        if not answers or len(answers) % samples or len(counts) != samples * columns:
            raise RunError(
                f"{self.target}: {len(answers)} bytes of answers and {len(counts)} counts are not "
                f"those of {samples} samples"
            )
        return answers, counts.reshape(samples, columns)


def _compile(
    sources: Sources, path: Path, script: Path, board: Board, more: Sequence[str] = ()
) -> None:
    """The network, the harness and the start-up code as one ELF file at `path`."""
    macros = [f"-D{name}={value}" for name, value in board.macros.items()]
    with resources.as_file(SOURCES) as texts:
        files = [texts / name for name in (*COMMON, f"{board.family}.c")]
        flags = (*board.compiler_arguments, *FLAGS, *macros, *more, f"-I{texts}")
        built(sources, files, path, (*flags, "-T", str(script)))


def _fit(name: str, image: Image, target: str, board: Board, limits: Limits) -> None:
    """RunError unless flash and RAM suffice."""
    hint = f"fewer or smaller filters, fewer bits, or a larger board than {board.machine}"
    stack = f"{limits.stack} of these bytes are the reserve that the key 'stack' sets; {hint}"
    needs = (
        ("flash", image.rom, limits.flash, hint),
        ("RAM", image.ram + limits.stack, limits.ram, stack),
    )
    faults = [
        Fault("", f"'{name}' needs {needed} bytes of {memory}, {target} has {there}", hint=mend)
        for memory, needed, there, mend in needs
        if needed > there
    ]
    if faults:
        raise RunError(*faults)
