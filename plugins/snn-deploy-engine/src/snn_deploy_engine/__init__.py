"""Deploys networks of snn-kernel into the Zig engine."""

__version__ = "0.1.0"
