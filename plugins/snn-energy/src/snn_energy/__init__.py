"""Energy and operation counts of spiking neural networks, estimated layer by layer."""

__version__ = "0.1.0"
