"""What snn-energy offers to the kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """The two postprocessings that tell what an inference costs."""
    return [
        Kind("EnergyEstimationMetric", "snn_energy.metric:EnergyEstimationMetric"),
        Kind("OperationCounter", "snn_energy.counter:OperationCounter"),
    ]
