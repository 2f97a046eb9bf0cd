"""The deployer `Linux`: the network on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from snn_kernel import Context, Deployed, Processed, Samples


@frozen
class Linux:
    """Builds the network for this machine and runs it."""

    def deploy(self, processed: Processed, samples: Samples, context: Context) -> Deployed:
        """Generate, build, run."""
        raise NotImplementedError
