"""A network on an emulated microcontroller: built, fitted, run, and its instructions counted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from snn_codegen.boards import COMMON, SOURCES, Board
from snn_codegen.ccode import CCode
from snn_codegen.compiler import compile_c
from snn_codegen.deployment import Program, Sources
from snn_codegen.elf import Image
from snn_codegen.emulator import emulate
from snn_kernel import Fault

if TYPE_CHECKING:
    from snn_kernel import Measure, Table

FLAGS = ("-std=c11", "-O2", "-g", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections")
WORD = np.dtype("<u4")


@frozen
class Counted:
    """What a run counted: the most bytes of stack, instructions [N] and, traced, [N, layers] of
    the layers by their `names`."""

    stack: int
    names: tuple[str, ...]
    instructions: NDArray[np.uint32] = field(eq=False)
    layers: NDArray[np.uint32] = field(eq=False)


@frozen
class BoardProgram(Program):
    """`path` is the program as it would be shipped, `traced` its twin that tells spikes as well;
    both are of the network's `layers` for one board."""

    traced: Path
    layers: tuple[str, ...]
    image: Image


@frozen
class Limits:
    """Bytes of ROM and RAM that there are, bytes of stack in that RAM, and how many seconds may
    pass without a sample being done."""

    rom: int
    ram: int
    stack: int
    patience_s: float


@define
class Emulated:
    """A target of generated C: one board. What a run counted stays here until it is asked for."""

    target: str
    board: Board
    limits: Limits
    quantize: tuple[str, ...] = ()
    converter: CCode = field(factory=CCode)
    traced: ClassVar[bool] = True
    counted: Counted | None = field(default=None, init=False)

    def build(self, sources: Sources, folder: Path) -> BoardProgram:
        """Two ELF files in `folder`; RunError with what the compiler says, or with all numbers
        where the network does not fit the board."""
        shipped = self._compile(sources, folder / f"{sources.name}.elf")
        image = Image(shipped.read_bytes())
        self._fit(sources.name, image)
        trace = (f"-D{sources.name.upper()}_TRACE", "-DSNN_TRACED")
        traced = self._compile(sources, folder / f"{sources.name}_traced.elf", *trace)
        names = tuple(layer.name for layer in sources.network.layers)
        return BoardProgram(shipped, traced, names, image)

    def run(
        self,
        program: BoardProgram,
        frames: bytes,
        samples: int,
        progress: Callable[[int, int], None],
    ) -> bytes:
        """The answers of the traced program, whose logits must be those of the shipped one."""
        from snn_kernel import RunError

        def told(before: int, layers: int) -> Callable[[int], None]:
            return lambda size: progress(before + size // (layers * WORD.itemsize), 2 * samples)

        with tempfile.TemporaryDirectory(prefix="snnk-") as name:
            folder = Path(name)
            (folder / "frames").write_bytes(frames)
            shipped = self._emulate(program.path, folder, samples, told(0, 1))
            (stack,) = np.fromfile(folder / "stack", WORD).tolist()
            instructions = np.fromfile(folder / "counts", WORD)
            layers = len(program.layers)
            traced = self._emulate(program.traced, folder, samples, told(samples, layers))
            each = np.fromfile(folder / "counts", WORD).reshape(samples, layers)
        self.counted = Counted(stack, program.layers, instructions, each)
        logits, answers = (np.frombuffer(a, "u1").reshape(samples, -1) for a in (shipped, traced))
        if not np.array_equal(logits, answers[:, -logits.shape[1] :]):
            raise RunError(f"{self.target}: the program answers otherwise when it is traced")
        return traced

    def measures(self, program: BoardProgram) -> Iterator[Measure]:
        """Bytes of the image, stack in use, instructions: all counted, none of them a time."""
        from snn_kernel import Measure

        assert self.counted is not None
        stack = self.counted.stack
        for name, value in (("rom", program.image.rom), ("ram", program.image.ram + stack)):
            yield Measure(name, value, "B", "counted", "run", self.target)
        yield Measure("stack", stack, "B", "counted", "run", self.target)
        mean = float(self.counted.instructions.mean())
        yield Measure("instructions", mean, "", "counted", "sample", self.target)

    def tables(self) -> Iterator[Table]:
        """How many instructions each layer takes for a sample, all timesteps together."""
        from snn_kernel import Table

        assert self.counted is not None
        columns = ("layer", "mean", "least", "most")
        each = self.counted.layers
        found = zip(each.mean(axis=0), each.min(axis=0), each.max(axis=0), strict=True)
        rows = zip(self.counted.names, found, strict=True)
        lines = tuple((name, float(a), int(b), int(c)) for name, (a, b, c) in rows)
        yield Table("instructions", columns, lines, "per sample", self.target, ("layer", "mean"))

    def _compile(self, sources: Sources, path: Path, *more: str) -> Path:
        """The sources, the harness and the start-up code as one ELF file at `path`."""
        from snn_kernel import write_atomic

        board = self.board
        script = write_atomic(path.with_suffix(".ld"), board.script(self.limits.stack))
        texts = [str(SOURCES / name) for name in (*COMMON, f"{board.family}.c")]
        macros = [f"-D{name}={value}" for name, value in board.macros.items()]
        inputs = [str(sources.folder / f"{sources.name}.c"), *texts, f"-I{SOURCES}"]
        options = (*board.compiler_arguments, *FLAGS, *sources.defines, *macros, *more)
        compile_c(*options, *inputs, "-Wl,--gc-sections", "-T", str(script), "-o", str(path))
        return path

    def _fit(self, name: str, image: Image) -> None:
        """RunError unless ROM and RAM suffice."""
        from snn_kernel import RunError

        limits, machine = self.limits, self.board.machine
        needs = {"flash": (image.rom, limits.rom), "RAM": (image.ram + limits.stack, limits.ram)}
        short = [
            f"'{name}' needs {needed} bytes of {memory}, {self.target} has {there}"
            for memory, (needed, there) in needs.items()
            if needed > there
        ]
        if short:
            hint = f"fewer or smaller filters, fewer bits, or a larger board than {machine}"
            raise RunError(*(Fault("[deploy]", what, hint=hint) for what in short))

    def _emulate(
        self, program: Path, folder: Path, samples: int, told: Callable[[int], None]
    ) -> bytes:
        """What `program` answers; its other files lie in `folder` then."""
        from snn_kernel import RunError

        for old in ("answers", "counts", "stack"):
            (folder / old).unlink(missing_ok=True)
        emulate(self.board, program, folder, "counts", self.limits.patience_s, told)
        answers, counts = ((folder / n).stat().st_size for n in ("answers", "counts"))
        if not answers or answers % samples or counts % (samples * WORD.itemsize):
            raise RunError(
                f"{self.target}: {answers} bytes of answers and {counts} of counts "
                f"are not those of {samples} samples"
            )
        return (folder / "answers").read_bytes()
