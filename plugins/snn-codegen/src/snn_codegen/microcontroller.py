"""The deployers `CortexM` and `RISCV32`: the network on an emulated microcontroller."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, frozen
from attrs.validators import ge, in_, instance_of, optional

from snn_codegen import deployment
from snn_codegen.boards import CORTEX_M, KIB, RISCV32_BOARDS, Board
from snn_codegen.ccode import CCode

if TYPE_CHECKING:
    from snn_kernel import Context, Deployed, Processed, Samples


@frozen(kw_only=True)
class Microcontroller:
    """What both families have in common: how much memory, how much patience.

    flash_kib: KiB of flash that the network must fit into (default: the emulated board's).
    ram_kib: KiB of RAM likewise, stack included (default: the emulated board's).
    stack: bytes of that RAM kept for the stack, at least 256 (default 2048).
    patience_s: seconds that a sample may take before the emulator is stopped (default 60).
    """

    flash_kib: int | None = field(default=None, validator=optional(ge(1)))
    ram_kib: int | None = field(default=None, validator=optional(ge(1)))
    stack: int = field(default=2 * KIB, validator=ge(256))
    patience_s: float = field(default=60.0, validator=ge(0.1))
    quantize: tuple[str, ...] = ()
    converter: CCode = field(factory=CCode)

    @property
    def board(self) -> Board:
        """The board that the core is emulated on."""
        raise NotImplementedError

    @property
    def target(self) -> str:
        """The name that measures have as their source."""
        raise NotImplementedError

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """The emulator must be there, and generated C must be able to serve the plan."""
        board = self.board
        if shutil.which(board.emulator) is None:
            yield (
                f"{self.target} runs in QEMU, but '{board.emulator}' is not installed "
                f"(on Debian and Ubuntu: apt-get install {board.package})"
            )
        yield from deployment.check(self, plan, place)

    def deploy(self, processed: Processed, samples: Samples, context: Context) -> Deployed:
        """Build, run all samples in one emulator, and count.

        Raises RunError if the network does not fit the board, or the program fails or hangs there.
        """
        from snn_codegen.emulated import Emulated, Limits

        board = self.board
        sizes = (self.flash_kib, board.rom.size), (self.ram_kib, board.ram.size)
        rom, ram = (there if kib is None else kib * KIB for kib, there in sizes)
        limits = Limits(rom, ram, self.stack, self.patience_s)
        target = Emulated(self.target, board, limits, self.quantize, self.converter)
        made = deployment.deploy(target, processed, samples, context)
        return evolve(made, tables=(*made.tables, *target.tables()))


@frozen(kw_only=True)
class CortexM(Microcontroller):
    """Build the network for an Arm Cortex-M and run the test set on it, emulated by QEMU.

    ROM, RAM and stack are those of the image; instructions are counted exactly, per sample and per
    layer. They are no times: the emulator executes instructions and knows no cycles.

    core: "M0" (16 KiB of RAM), "M0+" (compiled for it, run on an M4, whose instructions include
        its), "M4F", "M7", "M33" or "M55" (default "M4F").
    flash_kib: KiB of flash that the network must fit into (default: the emulated board's).
    ram_kib: KiB of RAM likewise, stack included (default: the emulated board's).
    stack: bytes of that RAM kept for the stack, at least 256 (default 2048).
    patience_s: seconds that a sample may take before the emulator is stopped (default 60).
    """

    core: Literal["M0", "M0+", "M4F", "M7", "M33", "M55"] = field(
        default="M4F", validator=in_(tuple(CORTEX_M))
    )

    @property
    def board(self) -> Board:
        """The board that the core is emulated on."""
        return CORTEX_M[self.core]

    @property
    def target(self) -> str:
        """The name that measures have as their source."""
        return f"CortexM {self.core}"


@frozen(kw_only=True)
class RISCV32(Microcontroller):
    """Build the network for a 32-bit RISC-V and run the test set on it, emulated by QEMU.

    ROM, RAM and stack are those of the image; instructions are counted exactly, per sample and per
    layer. They are no times: the emulator executes instructions and knows no cycles.

    isa: "rv32imac" or, with single-precision floats, "rv32imafc" (default "rv32imac").
    flash_kib: KiB of flash that the network must fit into (default: the emulated board's).
    ram_kib: KiB of RAM likewise, stack included (default: the emulated board's).
    stack: bytes of that RAM kept for the stack, at least 256 (default 2048).
    patience_s: seconds that a sample may take before the emulator is stopped (default 60).
    """

    isa: Literal["rv32imac", "rv32imafc"] = field(
        default="rv32imac", validator=in_(tuple(RISCV32_BOARDS))
    )

    @property
    def board(self) -> Board:
        """The board that the core is emulated on."""
        return RISCV32_BOARDS[self.isa]

    @property
    def target(self) -> str:
        """The name that measures have as their source."""
        return f"RISCV32 {self.isa}"
