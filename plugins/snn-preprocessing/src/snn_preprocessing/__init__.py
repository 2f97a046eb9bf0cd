"""Preprocessings for snn-kernel: scales, labels, sets and shapes of samples."""

__version__ = "0.1.0"
