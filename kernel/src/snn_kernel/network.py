"""The network document, where plugin authors look for it; it stands in the package snn_network."""

from snn_network import *  # noqa: F403
from snn_network import __all__ as __all__
