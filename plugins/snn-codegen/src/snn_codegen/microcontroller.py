"""The deployers `CortexM` and `RISCV32`: generated C on an emulated microcontroller."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen
from attrs.validators import ge, in_, optional

from snn_codegen.boards import CORTEX_M, KIB, RISCV32_BOARDS, Board
from snn_codegen.deployment import Answer, Executable, Execution

if TYPE_CHECKING:
    from snn_codegen.firmware import Firmware
    from snn_codegen.sources import Sources
    from snn_kernel import Measure, Table


@frozen(kw_only=True)
class Microcontroller(Execution):
    """What both families have in common: how much memory, how much patience."""

    lanes: ClassVar[bool] = True

    flash_kib: int | None = field(default=None, validator=optional(ge(1)))
    ram_kib: int | None = field(default=None, validator=optional(ge(1)))
    stack: int = field(default=2 * KIB, validator=ge(256))
    patience_s: float = field(default=60.0, validator=ge(0.1))

    @property
    @abstractmethod
    def board(self) -> Board:
        """The board that the core is emulated on."""

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """The emulator must be there, and the plan be one that C can serve."""
        board = self.board
        if shutil.which(board.emulator) is None:
            yield (
                f"{self.target} runs in QEMU, but '{board.emulator}' is not installed "
                f"(on Debian and Ubuntu: apt-get install {board.package})"
            )
        yield from super().check(plan, place)

    def build(self, sources: Sources, folder: Path) -> Firmware:
        """The firmware; RunError if it does not compile or does not fit the board."""
        from snn_codegen.firmware import Firmware, Limits

        board = self.board
        sizes = (self.flash_kib, board.rom.size), (self.ram_kib, board.ram.size)
        flash, ram = (there if kib is None else kib * KIB for kib, there in sizes)
        limits = Limits(flash, ram, self.stack, self.patience_s)
        return Firmware.build(sources, folder, self.target, board, limits)

    def run(self, executable: Executable, frames: bytes, samples: int) -> Answer:
        """All samples in one emulator, as the firmware and as its traced twin."""
        return Answer(_firmware(executable).run(frames, samples))

    def counted(self, executable: Executable) -> tuple[tuple[Measure, ...], tuple[Table, ...]]:
        """RAM, stack and instructions, and instructions for each layer."""
        firmware = _firmware(executable)
        return tuple(firmware.counted()), (firmware.table(),)


def _firmware(executable: Executable) -> Firmware:
    """What `build` made."""
    from snn_codegen.firmware import Firmware

    assert isinstance(executable, Firmware)
    return executable


@frozen(kw_only=True)
class CortexM(Microcontroller):
    """Builds the network as C for an Arm Cortex-M and runs the test set on it, emulated by QEMU.

    ROM, RAM and stack are those of the image; instructions are counted exactly, per sample and per
    layer. They are no times: the emulator executes instructions and knows no cycles.

    core: "M0" (16 KiB of RAM), "M0+" (compiled for it, run on an M4, whose instructions include
        its), "M4F", "M7", "M33" or "M55" (default "M4F").
    flash_kib: KiB of flash that the network must fit into (default: the emulated board's).
    ram_kib: KiB of RAM likewise, stack included (default: the emulated board's).
    stack: bytes of that RAM kept for the stack, at least 256 (default 2048).
    patience_s: seconds that a sample may take before the emulator is stopped (default 60).
    converter: {kind = "QualiaCodeGen" or "CCode", params}, how the C is generated.
    quantize: which of "float32", "int8" and "int16" a model may be; one that is none of them is
        refused when planning (default: all of them).
    optimize: [""], as documented files have it.
    compress: [1], likewise.
    """

    target: ClassVar[str] = "CortexM"

    core: Literal["M0", "M0+", "M4F", "M7", "M33", "M55"] = field(
        default="M4F", validator=in_(tuple(CORTEX_M))
    )

    @property
    def board(self) -> Board:
        """The board that the core is emulated on."""
        return CORTEX_M[self.core]


@frozen(kw_only=True)
class RISCV32(Microcontroller):
    """Builds the network as C for a 32-bit RISC-V and runs the test set on it, emulated by QEMU.

    ROM, RAM and stack are those of the image; instructions are counted exactly, per sample and per
    layer. They are no times: the emulator executes instructions and knows no cycles.

    isa: "rv32imac" or, with single-precision floats, "rv32imafc" (default "rv32imac").
    flash_kib: KiB of flash that the network must fit into (default: the emulated board's).
    ram_kib: KiB of RAM likewise, stack included (default: the emulated board's).
    stack: bytes of that RAM kept for the stack, at least 256 (default 2048).
    patience_s: seconds that a sample may take before the emulator is stopped (default 60).
    converter: {kind = "QualiaCodeGen" or "CCode", params}, how the C is generated.
    quantize: which of "float32", "int8" and "int16" a model may be; one that is none of them is
        refused when planning (default: all of them).
    optimize: [""], as documented files have it.
    compress: [1], likewise.
    """

    target: ClassVar[str] = "RISCV32"

    isa: Literal["rv32imac", "rv32imafc"] = field(
        default="rv32imac", validator=in_(tuple(RISCV32_BOARDS))
    )

    @property
    def board(self) -> Board:
        """The board that the core is emulated on."""
        return RISCV32_BOARDS[self.isa]
