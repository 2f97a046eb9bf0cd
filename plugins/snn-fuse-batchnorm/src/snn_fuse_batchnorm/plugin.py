"""What snn-fuse-batchnorm offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """The postprocessing that folds batch normalisation."""
    return [
        Kind(
            "FuseBatchNorm",
            "snn_fuse_batchnorm.postprocessing:FuseBatchNorm",
            needs=("torch", "spikingjelly"),
        )
    ]
