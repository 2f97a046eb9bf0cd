"""The emulated boards: which machine, which core, where their memories lie."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from importlib.resources import files
from string import Template

from attrs import frozen

SOURCES = files("snn_codegen") / "boards"
COMMON = ("main.c", "semihosting.c", "startup.c")
SHIFT = 7  # 2^7 ns of emulated time to an instruction where a timer counts them
NS = 10**9


@frozen
class Memory:
    """A memory of a board: its first address, its bytes."""

    origin: int
    size: int


@frozen
class Board:
    """A core on a machine that QEMU emulates.

    `triple` and `cpu` are what the compiler is asked for; `family` is the start-up code;
    `clock_hz` is the rate of the core's timer, 0 where the core counts its instructions itself.
    """

    machine: str
    triple: str
    cpu: str
    rom: Memory
    ram: Memory
    family: str = "cortex_m"
    clock_hz: int = 0
    options: tuple[str, ...] = ()

    @property
    def emulator(self) -> str:
        """The command that emulates it."""
        return "qemu-system-arm" if self.family == "cortex_m" else "qemu-system-riscv32"

    @property
    def package(self) -> str:
        """The Debian package that the command comes from."""
        return "qemu-system-arm" if self.family == "cortex_m" else "qemu-system-misc"

    @property
    def machine_arguments(self) -> tuple[str, ...]:
        """The emulator's arguments for a machine that counts instructions."""
        shift = SHIFT if self.clock_hz else 0
        counting = ("-icount", f"shift={shift},align=off,sleep=off")
        return ("-machine", self.machine, *self.options, *counting)

    @property
    def compiler_arguments(self) -> tuple[str, ...]:
        """The compiler's arguments for the core."""
        return ("-target", self.triple, f"-mcpu={self.cpu}")

    @property
    def macros(self) -> Mapping[str, str]:
        """How the start-up code makes instructions of ticks: numerator / 2^shift."""
        if not self.clock_hz:
            return {}
        ratio = Fraction(NS, self.clock_hz << SHIFT)
        shift = ratio.denominator.bit_length() - 1
        return {"BOARD_NUMERATOR": f"{ratio.numerator}u", "BOARD_SHIFT": str(shift)}

    def script(self, stack: int) -> str:
        """The linker script, with `stack` bytes of stack."""
        text = (SOURCES / "image.ld").read_text("utf-8")
        places = {"rom_origin": hex(self.rom.origin), "ram_origin": hex(self.ram.origin)}
        return Template(text).substitute(places, stack=stack)


KIB, MIB = 1 << 10, 1 << 20
HARD, SOFT = "thumb-freestanding-eabihf", "thumb-freestanding-eabi"
SSRAM1, SSRAM23 = Memory(0, 4 * MIB), Memory(0x2000_0000, 4 * MIB)  # of the MPS2 boards
RV32 = "riscv32-freestanding-none"

CORTEX_M = {
    "M0": Board(
        *("microbit", SOFT, "cortex_m0", Memory(0, 256 * KIB), Memory(0x2000_0000, 16 * KIB)),
        clock_hz=16_000_000,
    ),
    "M0+": Board(  # no machine of QEMU has one; its instructions are a subset of the M4's
        *("mps2-an386", SOFT, "cortex_m0plus", SSRAM1, SSRAM23),
        clock_hz=25_000_000,
    ),
    "M4F": Board(
        *("mps2-an386", HARD, "cortex_m4+vfp4d16sp", SSRAM1, SSRAM23),
        clock_hz=25_000_000,
    ),
    "M7": Board(
        *("mps2-an500", HARD, "cortex_m7+fp_armv8d16", SSRAM1, SSRAM23),
        clock_hz=25_000_000,
    ),
    "M33": Board(  # starts in the secure state: the secure aliases of its memories
        *("mps2-an505", HARD, "cortex_m33+fp_armv8d16sp"),
        *(Memory(0x1000_0000, 4 * MIB), Memory(0x3800_0000, 4 * MIB)),
        clock_hz=20_000_000,
    ),
    "M55": Board(  # likewise; the tightly coupled memories
        *("mps3-an547", HARD, "cortex_m55+mve+fp_armv8d16"),
        *(Memory(0x1000_0000, 512 * KIB), Memory(0x3000_0000, 512 * KIB)),
        clock_hz=32_000_000,
    ),
}
RISCV32_BOARDS = {
    isa: Board(
        *("virt", RV32, f"generic_rv32+{features}"),
        *(Memory(0x8000_0000, 64 * MIB), Memory(0x8400_0000, 64 * MIB)),
        family="riscv32",
        options=("-bios", "none"),
    )
    for isa, features in (("rv32imac", "m+a+c"), ("rv32imafc", "m+a+f+c"))
}
