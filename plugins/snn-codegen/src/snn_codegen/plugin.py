"""What snn-codegen offers to the kernel."""

from collections.abc import Iterable

from snn_codegen.ccode import CCode
from snn_codegen.linux import Linux
from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """The sources, by our name and by the documented one."""
    return [Kind("CCode", CCode), Kind("QualiaCodeGen", CCode)]


@hookimpl
def snnk_deployers() -> Iterable[Kind]:
    """The targets that generated C is built for and run on."""
    return [Kind("Linux", Linux, needs=("ziglang",))]
