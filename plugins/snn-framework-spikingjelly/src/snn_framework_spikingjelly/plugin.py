"""What snn-framework-spikingjelly offers to snn-kernel."""

from collections.abc import Iterable, Mapping

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


@hookimpl
def snnk_doctor() -> Mapping[str, str]:
    """torch with its devices, SpikingJelly with the back ends that can be had here."""
    from importlib.metadata import version
    from importlib.util import find_spec

    from snn_framework_spikingjelly.threads import patience

    patience()
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    device = f"GPU {', '.join(gpus)}" if gpus else "no GPU"
    found = ["torch", *(name for name in ("cupy", "triton") if gpus and find_spec(name))]
    return {
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads, {device}",
        "spikingjelly": f"{version('spikingjelly')}, back ends: {', '.join(found)}",
    }
