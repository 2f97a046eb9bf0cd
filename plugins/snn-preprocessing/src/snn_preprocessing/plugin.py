"""What snn-preprocessing offers."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_preprocessings() -> Iterable[Kind]:
    return [
        Kind("Class2BinMatrix", "snn_preprocessing.labels:Class2BinMatrix"),
        Kind("Normalize", "snn_preprocessing.normalize:Normalize"),
        Kind("DatasetSplitter", "snn_preprocessing.splitter:DatasetSplitter"),
        Kind("CopySet", "snn_preprocessing.copying:CopySet"),
        Kind("Reshape2DTo1D", "snn_preprocessing.flattening:Reshape2DTo1D"),
    ]
