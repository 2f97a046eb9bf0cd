"""snn-kernel: one spiking-neural-network experiment from one TOML file.

Everything a plugin author imports stands here; each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from snn_kernel.errors import (
        ConfigError as ConfigError,
        DataError as DataError,
        Fault as Fault,
        NetworkError as NetworkError,
        RunError as RunError,
        SnnkError as SnnkError,
    )
    from snn_kernel.hookspecs import hookimpl as hookimpl
    from snn_kernel.kinds import (
        Context as Context,
        Kind as Kind,
        Session as Session,
        Shapes as Shapes,
        Training as Training,
        chosen as chosen,
    )
    from snn_kernel.record import write_atomic as write_atomic
    from snn_kernel.results import (
        Activity as Activity,
        Agreement as Agreement,
        Deployed as Deployed,
        Epoch as Epoch,
        Measure as Measure,
        ModelReport as ModelReport,
        Outcome as Outcome,
        Prediction as Prediction,
        Processed as Processed,
        Report as Report,
        Table as Table,
        Tally as Tally,
        Trained as Trained,
    )
    from snn_kernel.signals import EVENT as EVENT, Events as Events, Samples as Samples, Splits as Splits

_ROOMS = {
    "errors": "ConfigError DataError Fault NetworkError RunError SnnkError",
    "hookspecs": "hookimpl",
    "kinds": "Context Kind Session Shapes Training chosen",
    "record": "write_atomic",
    "results": "Activity Agreement Deployed Epoch Measure ModelReport Outcome Prediction Processed "
    "Report Table Tally Trained",
    "signals": "EVENT Events Samples Splits",
}
_ROOM = {name: room for room, names in _ROOMS.items() for name in names.split()}
__all__ = sorted(_ROOM)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module 'snn_kernel' has no attribute '{name}'")
    return getattr(import_module(f"snn_kernel.{_ROOM[name]}"), name)
