"""What snn-preprocessing offers."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl
from snn_preprocessing.copying import CopySet
from snn_preprocessing.flattening import Reshape2DTo1D
from snn_preprocessing.labels import Class2BinMatrix
from snn_preprocessing.normalize import Normalize
from snn_preprocessing.splitter import DatasetSplitter


@hookimpl
def snnk_preprocessings() -> Iterable[Kind]:
    return [
        Kind("Class2BinMatrix", Class2BinMatrix),
        Kind("Normalize", Normalize),
        Kind("DatasetSplitter", DatasetSplitter),
        Kind("CopySet", CopySet),
        Kind("Reshape2DTo1D", Reshape2DTo1D),
    ]
