"""Preprocessings for snn-kernel: Class2BinMatrix, Normalize, DatasetSplitter."""

__version__ = "0.1.0"
