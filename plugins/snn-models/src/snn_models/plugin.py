"""What snn-models offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl
from snn_models.scnn import SCNN


@hookimpl
def snnk_models() -> Iterable[Kind]:
    """Spiking networks that SpikingJelly trains."""
    return [Kind("SCNN", SCNN, needs=("torch", "spikingjelly", "snn_framework_spikingjelly"))]
