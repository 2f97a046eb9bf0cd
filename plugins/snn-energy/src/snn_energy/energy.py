"""Energy of one inference, layer by layer, from the counts and what each of them costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import attrs
from attrs import frozen

from snn_energy.counts import Counts
from snn_energy.elementary import Costs
from snn_energy.layers import Described
from snn_energy.ledger import Ledger, ledgers
from snn_energy.sides import sides
from snn_energy.tables import ACTIVITY, TOTAL, activity_cells, counted, found, source
from snn_kernel import Fault, Measure, Outcome, RunError, Table

if TYPE_CHECKING:
    from snn_energy.metric import EnergyEstimationMetric
    from snn_kernel import Processed, Session

KIND = "EnergyEstimationMetric"
ENERGY = (
    *("mem_pot", "mem_weights", "mem_bias", "mem_io", "mem_total"),
    *("ops", "addr", "opsaddr", "total"),
)
BRIEF = ("name", "mem_pot", "mem_weights", "mem_bias", "mem_io", "opsaddr", "total")
MEASURES = {
    "energy": "total",
    "energy_memory": "mem_total",
    "energy_operations": "ops",
    "energy_addressing": "addr",
}
PJ_PER_NJ = 1000


@frozen
class Energy:
    """Energy of one layer in pJ per inference: memory, operations, addressing."""

    mem_pot: float = 0
    mem_weights: float = 0
    mem_bias: float = 0
    mem_io: float = 0
    ops: float = 0
    addr: float = 0

    @property
    def mem_total(self) -> float:
        """All accesses to memory."""
        return self.mem_pot + self.mem_weights + self.mem_bias + self.mem_io

    @property
    def opsaddr(self) -> float:
        """All arithmetic."""
        return self.ops + self.addr

    @property
    def total(self) -> float:
        """Memory and arithmetic."""
        return self.mem_total + self.opsaddr

    def sound(self, costs: Costs) -> bool:
        """Whether every part is a number, and none is negative unless an operation itself is."""
        lowest = 0 if min(costs.add_pj, costs.mul_pj) >= 0 else -math.inf
        return all(math.isfinite(part) and part >= lowest for part in attrs.astuple(self))

    @classmethod
    def sum(cls, energies: Iterable[Energy]) -> Energy:
        """The sum, part by part."""
        rows = [attrs.astuple(e) for e in energies]
        return cls(*(sum(column) for column in zip(*rows, strict=True)))


def energy(layer: Described, counts: Counts, costs: Costs, fifo_size: int) -> Energy:
    """What `counts` of `layer` cost; inputs and outputs pass through FIFOs of `fifo_size` elements
    where neurons are, else through memories that hold them."""
    c = counts
    size_in, size_out = layer.elements_in, layer.elements_out
    if layer.spiking:
        size_in = size_out = fifo_size
    inputs = c.input_reads * costs.access(size_in) + c.output_writes * costs.access(size_out)
    potentials = (c.potential_reads + c.potential_writes) * costs.access(layer.elements_out)
    s = layer.synapses
    return Energy(
        mem_pot=potentials,
        mem_weights=c.weight_reads * costs.access(s.weights) if s else 0,
        mem_bias=c.bias_reads * costs.access(s.cout) if s else 0,
        mem_io=inputs,
        ops=c.macs * costs.mac_pj + c.muls * costs.mul_pj + c.accs * costs.add_pj,
        addr=c.addr_macs * costs.mac_pj + c.addr_accs * costs.add_pj,
    )


@frozen
class Bill:
    """What each row of a ledger costs."""

    book: Ledger
    energies: tuple[Energy, ...]

    @property
    def total(self) -> Energy:
        """What all of them cost."""
        return Energy.sum(self.energies)

    @property
    def nj(self) -> dict[str, float]:
        """The total of each row in nJ, and that of all."""
        rows = zip(self.book.layers, self.energies, strict=True)
        return {lay.name: e.total / PJ_PER_NJ for lay, e in rows} | {
            TOTAL: self.total.total / PJ_PER_NJ
        }


def bill(metric: EnergyEstimationMetric, book: Ledger) -> Bill:
    """RunError names the layers whose energy is negative or undefined."""
    costs, rows = metric.costs, tuple(zip(book.layers, book.costed, strict=True))
    made = tuple(energy(layer, counts, costs, metric.fifo_size) for layer, counts in rows)
    spent = zip(book.layers, made, strict=True)
    if wrong := [lay.name for lay, e in spent if not e.sound(costs)]:
        what = "negative or undefined energy: its activity is not that of a network"
        raise RunError(*(Fault(f"{KIND}, layer '{name}'", what) for name in wrong))
    return Bill(book, made)


def estimate(
    metric: EnergyEstimationMetric,
    processed: Processed,
    session: Session,
    warn: Callable[[str], None],
) -> Outcome:
    """The tables and the measures of EnergyEstimationMetric, its warnings and its errors."""
    books = ledgers(metric.source, metric.compat, processed, session)
    spiking = books[0].layers[0].spiking
    if spiking and metric.fifo_size == 0 and metric.costs.sram == "old":
        what = "the inputs and outputs of layers are costed as accesses to a memory of no size"
        warn(f"{KIND}: fifo_size is 0, so {what}")
    first, *others = bills = [bill(metric, book) for book in books]
    about = _about(metric, processed)
    tables = [_table("energy", first, metric, about)]
    for other in others:
        tables += [_table(f"energy_{other.book.how}", other, metric, about)]
        tables += [sides("energy_by_source", "nj", first.nj, other.nj, about)]
    measures = tuple(m for each in bills for m in _measures(each, metric))
    made = Outcome(measures, tuple(tables))
    if not metric.twin:
        return made
    if not spiking:
        warn(f"{KIND}: twin = true, but '{processed.name}' is a formal network")
        return made
    from snn_energy.twin import compared

    beside = compared(first.book.layers, first.energies, metric.costs, tables[0].source)
    return Outcome(made.measures + beside.measures, made.tables + beside.tables)


def _table(name: str, spent: Bill, metric: EnergyEstimationMetric, about: str) -> Table:
    layers = spent.book.layers
    cells = [activity_cells(layer) for layer in layers]
    cells.append(spent.book.total(metric.total_spikerate_exclude_nonbinary))
    names = (*(layer.name for layer in layers), TOTAL)
    rows = tuple(
        (name, *(getattr(e, column) for column in ENERGY), *activity)
        for name, e, activity in zip(names, (*spent.energies, spent.total), cells, strict=True)
    )
    columns = ("name", *ENERGY, *ACTIVITY)
    return Table(name, columns, rows, "pJ", about + found(spent.book.how), BRIEF)


def _measures(spent: Bill, metric: EnergyEstimationMetric) -> Iterator[Measure]:
    whose = source(KIND, metric.compat, spent.book.how)
    for name, part in MEASURES.items():
        value = getattr(spent.total, part) / PJ_PER_NJ
        yield Measure(name, value, "nJ", spent.book.how, "sample", whose)


def _about(metric: EnergyEstimationMetric, processed: Processed) -> str:
    costs, add, mul = metric.costs, metric.estimation("add"), metric.estimation("mul")
    return (
        f"{KIND}: {costs.bits}-bit memory ({costs.sram}), FIFOs of {metric.fifo_size}, "
        f"add {costs.add_pj:g} pJ ({add}), mul {costs.mul_pj:g} pJ ({mul}), "
        f"{counted(processed, metric.compat)}"
    )
