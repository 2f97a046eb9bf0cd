"""Data augmentation for snn-kernel: what happens to batches before a network sees them."""

__version__ = "0.1.0"
