"""Networks of snn-kernel as graphs of NIR (Neuromorphic Intermediate Representation), and back."""

__version__ = "0.1.0"
