"""What snn-datasets offers."""

from collections.abc import Iterable

from snn_datasets.cifar import CIFAR10, CIFAR100
from snn_datasets.digits import Digits
from snn_datasets.mnist import MNIST, FashionMNIST
from snn_datasets.speech import GSC
from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_datasets() -> Iterable[Kind]:
    return [
        Kind("Digits", Digits, needs=("sklearn:scikit-learn",)),
        Kind("MNIST", MNIST),
        Kind("FashionMNIST", FashionMNIST),
        Kind("CIFAR10", CIFAR10),
        Kind("CIFAR100", CIFAR100),
        Kind("GSC", GSC),
    ]
