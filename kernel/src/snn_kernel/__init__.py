"""snn-kernel: one spiking-neural-network experiment from one TOML file.

Everything a plugin author imports stands here; each name is imported when it is first used, so
that the command answers before numpy is there.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# fmt: off
# isort: off
if TYPE_CHECKING:
    from snn_kernel.config import configure
    from snn_kernel.errors import ConfigError, DataError, Fault, RunError, SnnkError
    from snn_kernel.hookspecs import hookimpl
    from snn_kernel.kinds import Context, Kind, Session, Shapes, Training, chosen
    from snn_kernel.record import cache, write_atomic
    from snn_kernel.results import Deployed, Epoch, Measure, ModelReport, Outcome, Processed
    from snn_kernel.results import Report, Table, Trained
    from snn_kernel.signals import EVENT, Events, Samples, Splits
    from snn_network import Activity, Agreement, NetworkError, Prediction, Tally

__version__ = "0.1.0"
__all__ = [
    "EVENT", "Activity", "Agreement", "ConfigError", "Context", "DataError", "Deployed", "Epoch",
    "Events", "Fault", "Kind", "Measure", "ModelReport", "NetworkError", "Outcome", "Prediction",
    "Processed", "Report", "RunError", "Samples", "Session", "Shapes", "SnnkError", "Splits",
    "Table", "Tally", "Trained", "Training", "cache", "chosen", "configure", "hookimpl",
    "write_atomic",
]
_ROOMS = ("errors", "hookspecs", "kinds", "config", "record", "network", "results", "signals")
# fmt: on


def __getattr__(name: str) -> Any:
    if name in __all__:
        for room in _ROOMS:
            module = import_module(f"snn_kernel.{room}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'snn_kernel' has no attribute '{name}'")
