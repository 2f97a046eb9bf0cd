"""ATIF, the integrate-and-fire neuron that learns its threshold, as a kind of snn-kernel."""

__version__ = "0.1.0"
