"""OperationCounter: operations and memory accesses per inference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import frozen

from snn_energy.elementary import Compat, Source
from snn_energy.planned import uncountable, uncounted, unlowered

if TYPE_CHECKING:
    from snn_kernel import Context, Outcome, Processed, Session, Splits


@frozen
class OperationCounter:
    """Operations and memory accesses per inference after Lemaire et al., ICONIP 2022, by layer.

    total_spikerate_exclude_nonbinary: leave tensors that are not binary out of the total rates,
        default true.
    compat: "qualia-2.6" gives the figures of that system, its errors included, default: not given.
    source: "estimated" (rates × sizes), "counted" (the events that a postprocessing before this one
        has counted one by one, such as EventCounter) or "both", with their ratio, default
        "estimated".
    """

    total_spikerate_exclude_nonbinary: bool = True
    compat: Compat | None = None
    source: Source = "estimated"

    def __attrs_post_init__(self) -> None:
        uncountable(self.source, self.compat)

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Every model must have a lowered form; counted events must have been counted by then, of
        a spiking network."""
        yield from unlowered(plan, type(self).__name__)
        yield from uncounted(self, plan)

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """Table "operations" and measures; RunError where there is nothing to count on."""
        from snn_energy.operations import tally

        return tally(self, processed, session)
