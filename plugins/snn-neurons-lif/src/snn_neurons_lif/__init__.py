"""IFNode and LIFNode, the neurons of SpikingJelly, as kinds of snn-kernel."""

__version__ = "0.1.0"
