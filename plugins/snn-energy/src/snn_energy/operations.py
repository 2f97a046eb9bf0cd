"""Operations and memory accesses of one inference, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from snn_energy.counts import Counts
from snn_energy.ledger import Ledger, ledgers
from snn_energy.sides import sides
from snn_energy.tables import ACTIVITY, TOTAL, activity_cells, counted, found, source
from snn_kernel import Measure, Outcome, Table

if TYPE_CHECKING:
    from snn_energy.counter import OperationCounter
    from snn_kernel import Processed, Session

KIND = "OperationCounter"
OPERATIONS = (
    *("syn_acc", "syn_mac", "addr_acc", "addr_mac"),
    *("total_acc", "total_mac", "mem_write", "mem_read"),
)
BRIEF = ("name", "syn_acc", "syn_mac", "addr_acc", "addr_mac", "mem_read", "mem_write")


def operations(c: Counts) -> tuple[float, ...]:
    """The columns OPERATIONS: synapses and neurons, addressing, both, and memory accesses."""
    syn_mac = c.macs + c.muls
    reads = c.input_reads + c.weight_reads + c.bias_reads + c.potential_reads
    writes = c.potential_writes + c.output_writes
    total_acc, total_mac = c.accs + c.addr_accs, syn_mac + c.addr_macs
    return c.accs, syn_mac, c.addr_accs, c.addr_macs, total_acc, total_mac, writes, reads


def tally(counter: OperationCounter, processed: Processed, session: Session) -> Outcome:
    """The tables and the measures of OperationCounter, and its errors."""
    first, *others = books = ledgers(counter.source, counter.compat, processed, session)
    about = f"{KIND}: {counted(processed, counter.compat)}"
    tables = [_table("operations", first, counter, about)]
    for other in others:
        tables += [_table(f"operations_{other.how}", other, counter, about)]
        tables += [sides("operations_by_source", "operations", _done(first), _done(other), about)]
    return Outcome(tuple(m for book in books for m in _measures(book, counter)), tuple(tables))


def _table(name: str, book: Ledger, counter: OperationCounter, about: str) -> Table:
    total = operations(Counts.total(book.operations))
    cells = [activity_cells(lay) for lay in book.layers]
    cells.append(book.total(counter.total_spikerate_exclude_nonbinary))
    names = (*(lay.name for lay in book.layers), TOTAL)
    rows = tuple(
        (name, *numbers, *activity)
        for name, numbers, activity in zip(
            names, (*map(operations, book.operations), total), cells, strict=True
        )
    )
    columns = ("name", *OPERATIONS, *ACTIVITY)
    return Table(name, columns, rows, "operations", about + found(book.how), BRIEF)


def _done(book: Ledger) -> dict[str, float]:
    """Additions and multiply-accumulates of synapses and neurons, by row and in all."""
    names = (*(lay.name for lay in book.layers), TOTAL)
    counts = (*book.operations, Counts.total(book.operations))
    return {name: c.accs + c.macs + c.muls for name, c in zip(names, counts, strict=True)}


def _measures(book: Ledger, counter: OperationCounter) -> Iterator[Measure]:
    made = dict(zip(OPERATIONS, operations(Counts.total(book.operations)), strict=True))
    values = (
        ("synaptic_operations", made["syn_acc"] + made["syn_mac"], "operations"),
        ("accumulates", made["total_acc"], "operations"),
        ("multiply_accumulates", made["total_mac"], "operations"),
        ("memory_reads", made["mem_read"], "accesses"),
        ("memory_writes", made["mem_write"], "accesses"),
    )
    whose = source(KIND, counter.compat, book.how)
    for name, value, unit in values:
        yield Measure(name, value, unit, book.how, "sample", whose)
