"""What snn-datasets offers."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_datasets() -> Iterable[Kind]:
    return [
        Kind("Digits", "snn_datasets.digits:Digits", needs=("sklearn:scikit-learn",)),
        Kind("MNIST", "snn_datasets.mnist:MNIST"),
        Kind("FashionMNIST", "snn_datasets.mnist:FashionMNIST"),
        Kind("CIFAR10", "snn_datasets.cifar:CIFAR10"),
        Kind("CIFAR100", "snn_datasets.cifar:CIFAR100"),
        Kind("GSC", "snn_datasets.speech:GSC"),
    ]
