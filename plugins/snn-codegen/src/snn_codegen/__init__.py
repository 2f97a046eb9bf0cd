"""Networks of snn-kernel as C99 sources, built and run on targets."""

__version__ = "0.1.0"
