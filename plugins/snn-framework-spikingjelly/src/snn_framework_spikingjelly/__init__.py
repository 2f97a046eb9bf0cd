"""SpikingJelly as a learning framework of snn-kernel; `SNN` is the class to inherit models from."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from snn_framework_spikingjelly.generic import GenericNeuron as GenericNeuron
    from snn_framework_spikingjelly.snn import SNN as SNN

_ROOM = {"SNN": "snn", "GenericNeuron": "generic"}  # rooms that import torch


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
