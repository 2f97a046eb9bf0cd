"""Operations and memory accesses of one inference, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snn_energy.counts import Counts
from snn_energy.ledger import ledger
from snn_energy.tables import ACTIVITY, TOTAL, activity_cells, counted, source
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
    """The table and the measures of OperationCounter, and its errors."""
    book = ledger(counter.compat, processed, session)
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
    about = f"{KIND}: {counted(processed, counter.compat)}"
    columns = ("name", *OPERATIONS, *ACTIVITY)
    table = Table("operations", columns, rows, "operations", about, BRIEF)
    found = dict(zip(OPERATIONS, total, strict=True))
    values = (
        ("synaptic_operations", found["syn_acc"] + found["syn_mac"], "operations"),
        ("accumulates", found["total_acc"], "operations"),
        ("multiply_accumulates", found["total_mac"], "operations"),
        ("memory_reads", found["mem_read"], "accesses"),
        ("memory_writes", found["mem_write"], "accesses"),
    )
    whose = source(KIND, counter.compat)
    measures = tuple(Measure(n, v, unit, "estimated", "sample", whose) for n, v, unit in values)
    return Outcome(measures, (table,))
