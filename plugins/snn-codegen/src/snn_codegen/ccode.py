"""CCode: a network as C99 sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from snn_kernel import Context, Outcome, Processed, Session, Splits


@frozen
class CCode:
    """Writes the network as C99 sources."""

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """The sources."""
        raise NotImplementedError
