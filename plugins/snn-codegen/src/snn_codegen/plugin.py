"""What snn-codegen offers to the kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl

COMPILER = ("ziglang",)
AARCH64 = ("qemu-aarch64-static:qemu-user-static",)  # except on such a machine


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """The sources, by our name and by the documented one."""
    names = ("CCode", "QualiaCodeGen")
    return [Kind(name, "snn_codegen.ccode:CCode") for name in names]


@hookimpl
def snnk_deployers() -> Iterable[Kind]:
    """The targets that generated C is written for, built for and run on."""
    boards = "snn_codegen.microcontroller"
    return [
        Kind("Linux", "snn_codegen.linux:Linux", COMPILER),
        Kind("LinuxAArch64", "snn_codegen.aarch64:LinuxAArch64", COMPILER, AARCH64),
        Kind("Wasm", "snn_codegen.wasm:Wasm", COMPILER, ("node:nodejs",)),
        Kind("CortexM", f"{boards}:CortexM", COMPILER, ("qemu-system-arm",)),
        Kind("RISCV32", f"{boards}:RISCV32", COMPILER, ("qemu-system-riscv32:qemu-system-misc",)),
        Kind("Source", "snn_codegen.source:Source"),
    ]
