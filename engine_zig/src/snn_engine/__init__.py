"""snn-engine: runs a network document on the CPU, spike for spike as it was trained."""

from snn_engine.engine import Engine as Engine, EngineError as EngineError, Run as Run

__version__ = "0.1.0"
__all__ = ["Engine", "EngineError", "Run"]
