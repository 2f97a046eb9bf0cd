"""What snn-datasets-events offers."""

from collections.abc import Iterable

from snn_datasets_events.gesture import DVSGesture
from snn_datasets_events.heidelberg import SHD, SSC
from snn_datasets_events.nmnist import NMNIST
from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_datasets() -> Iterable[Kind]:
    return [
        Kind("NMNIST", NMNIST),
        Kind("DVSGesture", DVSGesture),
        Kind("SHD", SHD, needs=("h5py",)),
        Kind("SSC", SSC, needs=("h5py",)),
    ]
