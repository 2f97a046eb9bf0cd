"""The network document: one trained network as plain data, read by energy, engine, C and NIR alike.

Arrays are channels first, as in torch. The document says what is computed at every timestep; who
computes it, and in which order of operations where that is open, may not change a single spike.
It stands beside the kernel, not in it: what runs a network needs this package and nothing else.
"""

from snn_network.activity import Activity, Tally
from snn_network.document import Network
from snn_network.errors import NetworkError
from snn_network.format import Format
from snn_network.layers import (
    INPUT,
    Add,
    Array,
    BatchNorm,
    Conv,
    Flatten,
    GlobalSum,
    Layer,
    Linear,
    Neuron,
    Pool,
    Relu,
    Shape,
    equal,
)
from snn_network.prediction import Agreement, Prediction, agree

__all__ = [
    "INPUT",
    "Activity",
    "Add",
    "Agreement",
    "Array",
    "BatchNorm",
    "Conv",
    "Flatten",
    "Format",
    "GlobalSum",
    "Layer",
    "Linear",
    "Network",
    "NetworkError",
    "Neuron",
    "Pool",
    "Prediction",
    "Relu",
    "Shape",
    "Tally",
    "agree",
    "equal",
]
