"""What snn-framework-spikingjelly offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl

NEEDS = ("torch", "spikingjelly", "safetensors")


@hookimpl
def snnk_frameworks() -> Iterable[Kind]:
    """SpikingJelly, one timestep per call or all at once, from static or from timed samples; and
    PyTorch, without timesteps."""
    names = (
        "PyTorch",
        "SpikingJelly",
        "SpikingJellyMultiStep",
        "SpikingJellyTimeStepsInData",
        "SpikingJellyMultiStepTimeStepsInData",
    )
    return [Kind(name, f"snn_framework_spikingjelly.framework:{name}", NEEDS) for name in names]


@hookimpl
def snnk_catalogues() -> Iterable[Kind]:
    """SpikingJelly's neuron classes, for those that no plugin offers by that name."""
    return [
        Kind(
            "SpikingJellyNeurons",
            "snn_framework_spikingjelly.natives:SpikingJellyNeurons",
            ("torch", "spikingjelly"),
        )
    ]
