"""What snn-models offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl
from snn_models.cnn import CNN
from snn_models.mlp import MLP
from snn_models.resnet import ResNet
from snn_models.scnn import SCNN
from snn_models.smlp import SMLP
from snn_models.sresnet import SResNet, SResNetStride

NEEDS = ("torch", "spikingjelly", "snn_framework_spikingjelly")


@hookimpl
def snnk_models() -> Iterable[Kind]:
    """Spiking networks that SpikingJelly trains, and their formal twins for PyTorch."""
    return [
        Kind("SCNN", SCNN, NEEDS),
        Kind("SMLP", SMLP, NEEDS),
        Kind("SResNet", SResNet, NEEDS),
        Kind("SResNetStride", SResNetStride, NEEDS),
        Kind("CNN", CNN, NEEDS),
        Kind("MLP", MLP, NEEDS),
        Kind("ResNet", ResNet, NEEDS),
    ]
