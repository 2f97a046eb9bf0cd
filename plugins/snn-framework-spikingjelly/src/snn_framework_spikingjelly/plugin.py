"""What snn-framework-spikingjelly offers to snn-kernel."""

from collections.abc import Iterable

from snn_framework_spikingjelly.framework import (
    SpikingJelly,
    SpikingJellyMultiStep,
    SpikingJellyMultiStepTimeStepsInData,
    SpikingJellyTimeStepsInData,
)
from snn_kernel import Kind, hookimpl

NEEDS = ("torch", "spikingjelly", "safetensors")


@hookimpl
def snnk_frameworks() -> Iterable[Kind]:
    """SpikingJelly, one timestep per call or all at once, from static or from timed samples."""
    configs = (
        SpikingJelly,
        SpikingJellyMultiStep,
        SpikingJellyTimeStepsInData,
        SpikingJellyMultiStepTimeStepsInData,
    )
    return [Kind(config.__name__, config, NEEDS) for config in configs]
