"""A network at any spike rate and number of timesteps, beside its formal twin."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs
from attrs import frozen

from snn_energy.counts import count
from snn_energy.elementary import Costs
from snn_energy.energy import PJ_PER_NJ, Energy, energy
from snn_energy.layers import Described, Signal, describe
from snn_energy.twin import formal
from snn_kernel import Activity, Processed, Tally, Trained
from snn_kernel.network import INPUT, Add, Flatten, Network, Neuron, Pool, Relu


@frozen
class Flow:
    """What a tensor holds: a share of non-zeros, the mean of its values, nothing but 0 and 1?"""

    share: float
    mean: float
    binary: bool


NUMBERS = Flow(1.0, 0.5, False)  # whatever is no spike is taken to be nowhere zero


@frozen
class Point:
    """Energy of one inference in nJ, of the network and of its formal twin."""

    rate: float
    timesteps: int
    bits: int
    spiking_nj: float
    formal_nj: float

    @property
    def ratio(self) -> float:
        """Below 1 the spiking network wins."""
        return self.spiking_nj / self.formal_nj


@frozen
class Sweep:
    """A spiking network, shown inputs that make it spike at any rate."""

    network: Network
    fifo_size: int

    def at(self, rate: float, timesteps: int, costs: Costs) -> Point:
        """One point: non-zeros per element and timestep in every tensor of spikes."""
        layers = [_shown(layer, timesteps) for layer in describe(self.active(rate))]
        spent = [energy(layer, count(layer), costs, self.fifo_size) for layer in layers]
        sums = Energy.sum(spent).total, Energy.sum(formal(layers, costs)).total
        return Point(rate, timesteps, costs.bits, *(total / PJ_PER_NJ for total in sums))

    def threshold(self, timesteps: int, costs: Costs) -> float:
        """The rate below which the spiking network wins; negative where it never does, above 1
        where it always does. Energy is a straight line over the rate."""
        none, all_ = (self.at(rate, timesteps, costs) for rate in (0.0, 1.0))
        if all_.spiking_nj == none.spiking_nj:
            return math.copysign(math.inf, none.formal_nj - none.spiking_nj)
        return (none.formal_nj - none.spiking_nj) / (all_.spiking_nj - none.spiking_nj)

    def active(self, rate: float) -> Processed:
        """The network as if one sample had made it spike at `rate`."""
        flows = self.flows(rate)

        def tally(name: str) -> Tally:
            elements = math.prod(self.network.shapes[name])
            cells, flow = elements * self.network.timesteps, flows[name]
            return Tally(elements, flow.share * cells, flow.mean * cells, flow.binary)  # type: ignore[arg-type]

        names = [layer.name for layer in self.network.layers]
        activity = tuple(
            Activity(n, tally(self.network.inputs(n)[0]), tally(n), 1, self.network.timesteps)
            for n in names
        )
        return Processed("sweep", None, Trained(None), network=self.network, activity=activity)

    def flows(self, rate: float) -> Mapping[str, Flow]:
        """What each layer puts out, and the input: spikes where the data have timesteps."""
        spikes = Flow(rate, rate, True)
        made = {INPUT: spikes if self.network.mode == "sequence" else NUMBERS}
        for layer in self.network.layers:
            first, *others = (made[s] for s in self.network.inputs(layer.name))
            if isinstance(layer, Neuron):
                made[layer.name] = Flow(rate, rate * layer.payload, layer.payload == 1)
            elif isinstance(layer, Add):
                flows = (first, *others)
                shares, means = (sum(getattr(f, n) for f in flows) for n in ("share", "mean"))
                made[layer.name] = Flow(min(1.0, shares), means, False)
            elif isinstance(layer, Flatten | Relu) or (
                isinstance(layer, Pool) and layer.how == "max"
            ):
                made[layer.name] = first
            else:
                made[layer.name] = NUMBERS
        return made


def _shown(layer: Described, timesteps: int) -> Described:
    """`layer` at another number of timesteps, its rates kept."""

    def longer(signal: Signal) -> Signal:
        return attrs.evolve(signal, count=signal.step * timesteps, timesteps=timesteps)

    return attrs.evolve(
        layer, timesteps=timesteps, input=longer(layer.input), output=longer(layer.output)
    )
