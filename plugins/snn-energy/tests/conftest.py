"""Networks with an activity that is written down, not run."""

import math

import pytest

from snn_kernel import Activity, Processed, Tally, Trained
from snn_kernel.network import INPUT, Network


@pytest.fixture(scope="session")
def processed():
    """`processed(layers, shape, timesteps, counts, samples, edges)`: a model with these layers, in
    a chain if no edges are given, and `counts`: name → non-zeros where that tensor is binary,
    name → (non-zeros, total) where it is not; every other tensor is full of numbers."""

    def make(layers, shape, timesteps=1, counts=(), *, samples=1, edges=None, layout=None):
        names = [layer.name for layer in layers]
        network = Network(
            tuple(layers),
            tuple(edges or zip([INPUT, *names], names, strict=False)),
            shape,
            timesteps,
            input_format=layout,
        )
        counts = dict(counts)

        def tally(name):
            elements = math.prod(network.shapes[name])
            full = elements * samples * timesteps
            match counts.get(name, (full, 0.5)):
                case (nonzeros, total):
                    return Tally(elements, nonzeros, total, False)
                case nonzeros:
                    return Tally(elements, nonzeros, float(nonzeros), True)

        activity = tuple(
            Activity(n, tally(network.inputs(n)[0]), tally(n), samples, timesteps) for n in names
        )
        return Processed("net", None, Trained(None), network=network, activity=activity)

    return make
