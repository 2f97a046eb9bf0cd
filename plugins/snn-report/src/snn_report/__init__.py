"""snn-report: a whole run as one HTML page."""

__version__ = "0.1.0"
