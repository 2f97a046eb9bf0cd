"""OperationCounter: operations and memory accesses per inference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from snn_energy.elementary import Compat

if TYPE_CHECKING:
    from snn_kernel import Context, Outcome, Processed, Session, Splits


@frozen
class OperationCounter:
    """Operations and memory accesses per inference after Lemaire et al., ICONIP 2022, by layer.

    total_spikerate_exclude_nonbinary: leave tensors that are not binary out of the total rates,
        default true.
    compat: "qualia-2.6" gives the figures of that system, its errors included, default: not given.
    """

    total_spikerate_exclude_nonbinary: bool = True
    compat: Compat | None = None

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """Table "operations" and measures; RunError where there is nothing to count on."""
        from snn_energy.operations import tally

        return tally(self, processed, session)
