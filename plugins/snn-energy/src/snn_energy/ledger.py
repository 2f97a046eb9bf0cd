"""What both tools read of a network: its rows, what each of them counts, and what all did."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from snn_energy.counts import Counts, count
from snn_energy.elementary import Compat, Source
from snn_energy.layers import Described, describe
from snn_energy.tables import Cell, How, total_cells

if TYPE_CHECKING:
    from snn_kernel import Processed, Session


@frozen
class Ledger:
    """Rows in the order of both tables; `costed` is what energy is computed from, `operations` what
    OperationCounter shows, `total` makes the activity cells of the last row, non-binary tensors
    excluded or not; `how` the counts were found."""

    layers: tuple[Described, ...]
    costed: tuple[Counts, ...]
    operations: tuple[Counts, ...]
    total: Callable[[bool], tuple[Cell, ...]]
    how: How = "estimated"


def ledgers(
    source: Source, compat: Compat | None, processed: Processed, session: Session
) -> tuple[Ledger, ...]:
    """One, or of "both" the estimated and the counted one; RunError as `ledger`."""
    hows: tuple[How, ...] = ("estimated", "counted") if source == "both" else (source,)
    return tuple(ledger(how, compat, processed, session) for how in hows)


def ledger(how: How, compat: Compat | None, processed: Processed, session: Session) -> Ledger:
    """That of the documented equations, the recorded one, or that of counted events; RunError as
    `describe` and `counted`."""
    if how == "counted":
        from snn_energy.events import counted

        layers, counts = counted(processed)
        return Ledger(layers, counts, counts, lambda excluded: total_cells(layers, excluded), how)
    if compat is not None:
        from snn_energy.compat import recorded

        return recorded(processed, getattr(session, "multi_step", False))
    layers = describe(processed)
    counts = tuple(count(layer) for layer in layers)
    return Ledger(layers, counts, counts, lambda excluded: total_cells(layers, excluded))
