"""Samples cut into timesteps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen, validators

from snn_kernel import Context, DataError, Events, Fault, Samples, Splits
from snn_preprocessing_events.sets import convert


@frozen
class Split2TimeSteps:
    """Cuts every sample into timesteps along its first axis, as signals over time have it.

    [N, S, …] becomes [N, chunks, floor(S / chunks), …]: each timestep has as many consecutive
    positions, and the rest at the end is dropped.

    chunks: timesteps in a sample, at least 1; what the model's `timesteps` must be
    """

    example: ClassVar[Mapping[str, Any]] = {"chunks": 2}

    chunks: int = field(validator=validators.ge(1))

    def apply(self, splits: Splits, context: Context) -> Splits:
        """Samples in NTLC, NTHWC or NTC for every set; labels stay.

        DataError for events, samples that have timesteps already, and samples shorter than
        `chunks`.
        """
        return convert(splits, self._cut)

    def _cut(self, found: Any, where: str) -> Samples:
        if isinstance(found, Events):
            raise self._fault(where, "holds events, not samples", "integrate them to frames first")
        if found.timed:
            raise self._fault(where, f"has timesteps in the data already ({found.layout})")
        count, length, *rest = found.x.shape
        if not (size := length // self.chunks):
            raise self._fault(where, f"samples of {length} cannot be cut in {self.chunks} chunks")
        x = found.x[:, : size * self.chunks].reshape(count, self.chunks, size, *rest)
        layout: Any = "NT" + found.layout[1:]
        return Samples(x, found.y, layout)

    def _fault(self, where: str, what: str, hint: str = "") -> DataError:
        return DataError(Fault(where, what, type(self).__name__, hint))
