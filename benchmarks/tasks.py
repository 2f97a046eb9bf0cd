"""What benchmarks train: two data sets, and a spiking network for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from snn_kernel import configure


@frozen
class Task:
    """A data set, and the parameters of an SCNN for it."""

    name: str
    dataset: Any
    params: dict[str, Any]


def tasks(mnist: str | None) -> Iterator[Task]:
    """Digits, and MNIST where its folder is known."""
    neuron = {"v_threshold": 1.0, "v_reset": False, "detach_reset": True, "step_mode": "m"}
    shared = {"timesteps": 4, "neuron": {"kind": "IFNode", "params": neuron}, "filters": [16, 32]}
    small = {"kernel_sizes": [3, 3], "paddings": [1, 1], "pool_sizes": [0, 2]}
    yield Task("Digits", configure("dataset", "Digits", {}), shared | small)
    if mnist:
        large = {"kernel_sizes": [5, 5], "paddings": [2, 2], "pool_sizes": [2, 2]}
        yield Task("MNIST", configure("dataset", "MNIST", {"path": mnist}), shared | large)
