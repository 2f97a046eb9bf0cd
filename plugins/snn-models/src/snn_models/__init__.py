"""Spiking models for snn-kernel."""

__version__ = "0.1.0"
