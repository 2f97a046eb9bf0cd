"""What snn-energy offers to the kernel."""

from collections.abc import Iterable

from snn_energy.counter import OperationCounter
from snn_energy.metric import EnergyEstimationMetric
from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """The two postprocessings that tell what an inference costs."""
    return [
        Kind("EnergyEstimationMetric", EnergyEstimationMetric),
        Kind("OperationCounter", OperationCounter),
    ]
