"""What snn-datasets-events offers."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_datasets() -> Iterable[Kind]:
    return [
        Kind("NMNIST", "snn_datasets_events.nmnist:NMNIST"),
        Kind("DVSGesture", "snn_datasets_events.gesture:DVSGesture"),
        Kind("SHD", "snn_datasets_events.heidelberg:SHD", needs=("h5py",)),
        Kind("SSC", "snn_datasets_events.heidelberg:SSC", needs=("h5py",)),
    ]
