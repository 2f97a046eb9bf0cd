"""Preprocessings for snn-kernel that turn address events into frames, and frames into timesteps."""

__version__ = "0.1.0"
