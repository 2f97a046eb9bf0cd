"""Data sets of images and sounds for snn-kernel: Digits, MNIST, FashionMNIST, CIFAR, GSC."""

__version__ = "0.1.0"
