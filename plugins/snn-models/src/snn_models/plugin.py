"""What snn-models offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl

NEEDS = ("torch", "spikingjelly", "snn_framework_spikingjelly")


@hookimpl
def snnk_models() -> Iterable[Kind]:
    """Spiking networks that SpikingJelly trains, and their formal twins for PyTorch."""
    return [
        Kind("SCNN", "snn_models.scnn:SCNN", NEEDS),
        Kind("SMLP", "snn_models.smlp:SMLP", NEEDS),
        Kind("SResNet", "snn_models.sresnet:SResNet", NEEDS),
        Kind("SResNetStride", "snn_models.sresnet:SResNetStride", NEEDS),
        Kind("CNN", "snn_models.cnn:CNN", NEEDS),
        Kind("MLP", "snn_models.mlp:MLP", NEEDS),
        Kind("ResNet", "snn_models.resnet:ResNet", NEEDS),
    ]
