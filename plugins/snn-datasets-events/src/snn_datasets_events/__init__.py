"""Event data sets for snn-kernel: NMNIST, DVSGesture, SHD, SSC."""

__version__ = "0.1.0"
