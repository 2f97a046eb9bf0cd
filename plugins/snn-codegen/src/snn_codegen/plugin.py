"""What snn-codegen offers to the kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """The sources, by our name and by the documented one."""
    return [Kind(name, "snn_codegen.ccode:CCode") for name in ("CCode", "QualiaCodeGen")]


@hookimpl
def snnk_deployers() -> Iterable[Kind]:
    """The targets that generated C is built for and run on."""
    return [Kind("Linux", "snn_codegen.linux:Linux", needs=("ziglang",))]
