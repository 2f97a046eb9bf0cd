"""Image data sets for snn-kernel: Digits, MNIST, FashionMNIST."""

__version__ = "0.1.0"
