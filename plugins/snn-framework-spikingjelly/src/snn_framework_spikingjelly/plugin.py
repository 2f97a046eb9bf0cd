"""What snn-framework-spikingjelly offers to snn-kernel."""

from collections.abc import Iterable

from snn_framework_spikingjelly.framework import SpikingJelly, SpikingJellyMultiStep
from snn_kernel import Kind, hookimpl

NEEDS = ("torch", "spikingjelly", "safetensors")


@hookimpl
def snnk_frameworks() -> Iterable[Kind]:
    """SpikingJelly, one timestep per call or all at once."""
    return [
        Kind("SpikingJelly", SpikingJelly, NEEDS),
        Kind("SpikingJellyMultiStep", SpikingJellyMultiStep, NEEDS),
    ]
