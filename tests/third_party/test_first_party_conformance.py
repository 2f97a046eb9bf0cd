"""The conformance kit on what is installed of ours: nothing is asked that we do not do."""

from __future__ import annotations

from typing import Any

import pytest

from snn_kernel import configure, testing
from snn_kernel.registry import Registry
from snn_kernel.testing.conformance import CHECKS

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")

IF = {"kind": "IFNode", "params": {"v_reset": False}}
SHARED = {"timesteps": 4, "neuron": IF}
CONVOLUTIONS = {"filters": [4, 4], "kernel_sizes": [3, 3], "paddings": [1, 1]}
BLOCKS = {"filters": [4, 4], "kernel_sizes": [3, 3], "paddings": [1, 1], "strides": [1, 1]}
CNN = {**CONVOLUTIONS, "pool_sizes": [0, 2]}
RESNET = {**BLOCKS, "num_blocks": [1]}
# What kinds take that have required parameters, or whose defaults leave their forms free to differ.
PARAMS: dict[str, dict[str, Any]] = {
    "ATIF": {"vth_init_l": 1.0},  # no room to draw a threshold from
    "Group2TimeStepsBySample": {"timesteps": 2},
    "Split2TimeSteps": {"chunks": 2},
    "IntegrateEventsByFixedDuration": {"duration": 5000},
    "IntegrateEventsByFixedFramesNumber": {"frames_num": 4, "split_by": "time"},
    "SMLP": {**SHARED, "units": [16]},
    "SCNN": {**SHARED, **CNN},
    "SResNet": {**SHARED, **RESNET},
    "SResNetStride": {**SHARED, **RESNET},
    "MLP": {"units": [16]},
    "CNN": CNN,
    "ResNet": RESNET,
    "QuantizationAwareTraining": {
        "epochs": 1,
        "batch_size": 8,
        "model": {"params": {"quant_params": {"bits": 8}}},
    },
    "EnergyEstimationMetric": {"mem_width": 32, "fifo_size": 64},
}
FILES = {
    "MNIST",
    "FashionMNIST",
    "CIFAR10",
    "CIFAR100",
    "GSC",
    "NMNIST",
    "DVSGesture",
    "SHD",
    "SSC",
}
FORMAL = {"MLP", "CNN", "ResNet"}
OFFERS = [o for o in Registry.discover().offers if o.slot in CHECKS and o.kind.name not in FILES]


def framework(name: str = "SpikingJelly") -> Any:
    return configure("framework", name, {"enable_confusion_matrix": False})


def model(step_mode: str, **more: Any) -> Any:
    neuron = {"kind": "IFNode", "params": {"v_reset": False, "step_mode": step_mode}}
    return configure("model", "SCNN", {**SHARED, **CNN, **more, "neuron": neuron})


@pytest.mark.parametrize("offer", OFFERS, ids=lambda o: f"{o.slot}-{o.kind.name}")
def test_ours_conform(offer: Any) -> None:
    torch.set_num_threads(1)
    name, given = offer.kind.name, {}
    if offer.slot == "model":
        given = {"framework": framework("PyTorch" if name in FORMAL else "SpikingJelly")}
    elif offer.slot == "framework":
        multi = "m" if "MultiStep" in name else "s"
        formal = configure("model", "CNN", CNN)
        given = {"model": formal if name == "PyTorch" else model(multi)}
    elif name in ("FuseBatchNorm", "QuantizationAwareTraining"):
        given = {"framework": framework(), "model": model("s", batch_norm=True)}
    check = getattr(testing, f"check_{offer.slot}")
    check(offer.kind, PARAMS.get(name), **given)


@pytest.mark.parametrize("name", ["IFNode", "LIFNode"])
@pytest.mark.parametrize("v_reset", [False, 0.0, -0.25])
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_neurons_conform_with_other_parameters(name: str, v_reset: float, step_mode: str) -> None:
    params = {"v_reset": v_reset, "step_mode": step_mode, "v_threshold": 0.8}
    testing.check_neuron(configure("neuron", name, params))
