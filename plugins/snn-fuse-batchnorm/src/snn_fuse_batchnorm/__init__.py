"""Batch normalisation folded into the layers before it, for snn-kernel."""

__version__ = "0.1.0"
