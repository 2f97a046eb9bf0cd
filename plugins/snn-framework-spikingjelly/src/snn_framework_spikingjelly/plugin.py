"""What snn-framework-spikingjelly offers to snn-kernel."""

from collections.abc import Iterable

from snn_framework_spikingjelly.framework import (
    PyTorch,
    SpikingJelly,
    SpikingJellyMultiStep,
    SpikingJellyMultiStepTimeStepsInData,
    SpikingJellyTimeStepsInData,
)
from snn_framework_spikingjelly.natives import SpikingJellyNeurons
from snn_kernel import Kind, hookimpl

NEEDS = ("torch", "spikingjelly", "safetensors")


@hookimpl
def snnk_frameworks() -> Iterable[Kind]:
    """SpikingJelly, one timestep per call or all at once, from static or from timed samples; and
    PyTorch, without timesteps."""
    configs = (
        PyTorch,
        SpikingJelly,
        SpikingJellyMultiStep,
        SpikingJellyTimeStepsInData,
        SpikingJellyMultiStepTimeStepsInData,
    )
    return [Kind(config.__name__, config, NEEDS) for config in configs]


@hookimpl
def snnk_catalogues() -> Iterable[Kind]:
    """SpikingJelly's neuron classes, for those that no plugin offers by that name."""
    return [Kind("SpikingJellyNeurons", SpikingJellyNeurons, ("torch", "spikingjelly"))]
