"""The formal twin of a spiking network: the same layers at the same bit width, without neurons.

Neurons become ReLU, the input is shown once, and activity is dense, so that what a formal layer
costs follows from the document alone (formal.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
from attrs import frozen

from snn_energy.counts import count
from snn_energy.energy import KIND, PJ_PER_NJ, Energy, energy
from snn_energy.tables import TOTAL
from snn_kernel import Measure, Outcome, Table

if TYPE_CHECKING:
    from snn_energy.elementary import Costs
    from snn_energy.layers import Described

COLUMNS = ("name", "spiking_nj", "formal_nj", "ratio")


def twin(layer: Described) -> Described:
    """`layer` as one of a formal network."""
    return attrs.evolve(layer, spiking=False, timesteps=1, neuron=False, leak=False)


def formal(layers: Sequence[Described], costs: Costs) -> tuple[Energy, ...]:
    """What the twins of `layers` cost; their inputs and outputs lie in memories, not in FIFOs."""
    twins = [twin(layer) for layer in layers]
    return tuple(energy(layer, count(layer), costs, fifo_size=0) for layer in twins)


@frozen
class Pair:
    """A row: what a layer costs in nJ per inference, spiking and formal."""

    name: str
    spiking_nj: float
    formal_nj: float

    @property
    def ratio(self) -> float | None:
        """Spiking over formal, above 1 where the spiking network loses; None if undefined."""
        return self.spiking_nj / self.formal_nj if self.formal_nj else None


def compared(
    layers: Sequence[Described], energies: Sequence[Energy], costs: Costs, whose: str
) -> Outcome:
    """Table "twin" of every layer that costs anything, with a total, and two measures."""
    sums = (Energy.sum(energies), Energy.sum(twins := formal(layers, costs)))
    rows = zip(
        (*(lay.name for lay in layers), TOTAL), (*energies, sums[0]), (*twins, sums[1]), strict=True
    )
    pairs = [Pair(name, a.total / PJ_PER_NJ, b.total / PJ_PER_NJ) for name, a, b in rows]
    cells = tuple(
        (p.name, p.spiking_nj, p.formal_nj, p.ratio) for p in pairs if p.spiking_nj or p.formal_nj
    )
    source = f"{whose}; formal: the same layers without neurons, shown the input once"
    table = Table("twin", COLUMNS, cells, source=source, brief=COLUMNS)
    total = pairs[-1]
    measures = [Measure("energy_twin", total.formal_nj, "nJ", "estimated", "sample", KIND)]
    if total.ratio is not None:
        measures.append(Measure("energy_ratio", total.ratio, "", "estimated", "run", KIND))
    return Outcome(tuple(measures), (table,))
