"""Spiking models for snn-kernel, and their formal twins."""

__version__ = "0.1.0"
