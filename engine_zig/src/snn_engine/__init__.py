"""snn-engine: runs a network document on the CPU, spike for spike as it was trained."""

from snn_engine.conversion import Converted, from_model
from snn_engine.engine import COUNTERS, Engine, Run
from snn_engine.events import Event, EventEngine, EventRun
from snn_engine.library import EngineError
from snn_engine.specksim import SpecksimNetwork, from_sequential

__version__ = "0.1.0"
__all__ = [
    "COUNTERS",
    "Converted",
    "Engine",
    "EngineError",
    "Event",
    "EventEngine",
    "EventRun",
    "Run",
    "SpecksimNetwork",
    "from_model",
    "from_sequential",
]
