"""What snn-datasets offers."""

from collections.abc import Iterable

from snn_datasets.digits import Digits
from snn_datasets.mnist import MNIST, FashionMNIST
from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_datasets() -> Iterable[Kind]:
    return [
        Kind("Digits", Digits, needs=("sklearn:scikit-learn",)),
        Kind("MNIST", MNIST),
        Kind("FashionMNIST", FashionMNIST),
    ]
