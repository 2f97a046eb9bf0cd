"""Quantised spiking networks for snn-kernel: one integer law, from training to the engine."""

__version__ = "0.1.0"
