"""What goes in and out of the layers of a lowered network, counted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from attrs import define, field
from torch import Tensor, fx

from snn_framework_spikingjelly.lowered import Laws
from snn_framework_spikingjelly.lowering import Lowered
from snn_kernel import Activity, Tally
from snn_kernel.network import INPUT, Flatten, Network, Neuron, Pool


@define
class _Count:
    """One tensor so far; `values` numbers were seen. `certain`: it can hold nothing but 0 and 1."""

    certain: bool = False
    values: int = 0
    nonzeros: int = 0
    total: float = 0.0
    binary: bool = True

    def add(self, x: Tensor) -> None:
        total = float(x.double().sum())
        self.values += x.numel()
        self.total += total
        if self.certain:
            self.nonzeros += int(total)
            return
        self.nonzeros += int(np.count_nonzero(x.numpy()))  # faster than torch's
        self.binary = self.binary and bool(((x == 0) | (x == 1)).all())


def _certain(network: Network) -> set[str]:
    """The layers that put out nothing but 0 and 1, whatever goes in."""
    found: set[str] = set()
    for layer in network.layers:
        passes = isinstance(layer, Flatten) or (isinstance(layer, Pool) and layer.how == "max")
        if (passes and network.inputs(layer.name)[0] in found) or (
            isinstance(layer, Neuron) and layer.payload == 1
        ):
            found.add(layer.name)
    return found


@define
class Counter:
    """Runs a lowered network's graph and counts the output of every layer."""

    found: Lowered
    counts: dict[str, _Count] = field(factory=dict)
    _interpreter: Any = None

    def __attrs_post_init__(self) -> None:
        certain = _certain(self.found.network)
        self.counts = {name: _Count(name in certain) for name in (INPUT, *self.found.nodes)}
        self._interpreter = _Counting(self.found, self.counts)

    def __call__(self, x: Tensor) -> Any:
        """The model's output for `x`, its tensors counted."""
        self.counts[INPUT].add(x)
        return self._interpreter.run(x)

    def activities(self, samples: int) -> tuple[Activity, ...]:
        """One for each layer, in the order of the document; an Add's inputs count together."""
        network = self.found.network
        cells = samples * network.timesteps
        return tuple(
            Activity(
                layer.name,
                _tally((self.counts[s] for s in network.inputs(layer.name)), cells),
                _tally([self.counts[layer.name]], cells),
                samples,
                network.timesteps,
            )
            for layer in network.layers
        )


def _tally(counts: Iterable[_Count], cells: int) -> Tally:
    counts = list(counts)
    return Tally(
        elements=sum(c.values for c in counts) // cells,
        nonzeros=sum(c.nonzeros for c in counts),
        total=sum(c.total for c in counts),
        binary=all(c.binary for c in counts),
    )


class _Counting(Laws):
    def __init__(self, found: Lowered, counts: dict[str, _Count]) -> None:
        super().__init__(found)
        self.names = {node: layer for layer, node in found.nodes.items()}
        self.counts = counts

    def run_node(self, n: fx.Node) -> Any:
        """The value of one node, counted if it is a layer's."""
        value = super().run_node(n)
        if n.name in self.names:
            self.counts[self.names[n.name]].add(value)
        return value


def neurons(network: Network) -> dict[str, int]:
    """How many neurons each neuron layer has."""
    shapes = network.shapes
    return {n.name: math.prod(shapes[n.name]) for n in network.only(Neuron)}
