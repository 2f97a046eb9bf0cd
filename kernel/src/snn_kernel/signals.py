"""What flows into a network: events, samples and the splits of a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from snn_kernel.errors import DataError
from snn_network import equal

EVENT = np.dtype([("x", "<u4"), ("y", "<u4"), ("t", "<u4"), ("p", "<u4")])
Layout = Literal["NC", "NLC", "NHWC", "NTC", "NTLC", "NTHWC"]


@frozen
class Events:
    """Address events of a data set, `records[offsets[i]:offsets[i+1]]` being sample i.

    records [E] of EVENT (t in µs), offsets int64 [N+1], labels int64 [N], size (W, H, P).
    """

    records: NDArray[Any] = field(eq=equal)
    offsets: NDArray[np.int64] = field(eq=equal)
    labels: NDArray[np.int64] = field(eq=equal)
    size: tuple[int, int, int]

    def __attrs_post_init__(self) -> None:
        if self.records.dtype != EVENT:
            raise DataError(f"events are {self.records.dtype}, not records of u32 x, y, t and p")
        ends = self.offsets
        if len(ends) != len(self.labels) + 1 or ends[0] != 0 or ends[-1] != len(self.records):
            raise DataError("event offsets do not cover the records, one sample per label")
        if np.any(np.diff(ends) < 0):
            raise DataError("event offsets are not ascending")

    def __len__(self) -> int:
        return len(self.labels)


@frozen
class Samples:
    """x float32 [N, …] channels last, T after N where timesteps are in the data; y int64 [N]."""

    x: NDArray[np.float32] = field(eq=equal)
    y: NDArray[np.int64] = field(eq=equal)
    layout: Layout

    def __attrs_post_init__(self) -> None:
        x, y = self.x, self.y
        if self.layout not in get_args(Layout):
            raise DataError(f"layout {self.layout!r} is none of {', '.join(get_args(Layout))}")
        if x.dtype != np.float32 or y.dtype != np.int64:
            raise DataError(f"samples are {x.dtype} with labels {y.dtype}, not float32 with int64")
        if x.ndim != len(self.layout) or y.shape != x.shape[:1]:
            raise DataError(f"samples {x.shape}, labels {y.shape} do not fit layout {self.layout}")
        if not np.isfinite(x).all():
            raise DataError("samples hold values that are not finite numbers")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def timed(self) -> bool:
        """Whether timesteps are in the data."""
        return "T" in self.layout

    def take(self, index: Any) -> Samples:
        """Those samples that `index` (slice, mask or integers) picks."""
        return evolve(self, x=self.x[index], y=self.y[index])

    def channels_first(self) -> NDArray[np.float32]:
        """x as a network takes it: [N, C, …], or [N, T, C, …]."""
        return np.ascontiguousarray(np.moveaxis(self.x, -1, 2 if self.timed else 1))


@frozen
class Splits:
    """The three sets of a data set, any of them absent, and the number of classes."""

    train: Samples | Events | None
    valid: Samples | Events | None
    test: Samples | Events | None
    classes: int

    def map(self, change: Callable[[Any], Any]) -> Splits:
        """The same splits with every set that is there replaced by `change(set)`."""
        sets = {n: getattr(self, n) for n in ("train", "valid", "test")}
        return evolve(self, **{n: change(s) for n, s in sets.items() if s is not None})

    def samples(self, name: Literal["train", "valid", "test"]) -> Samples:
        """The set `name` as samples; DataError if it is absent, empty or still events."""
        found: Samples | Events | None = getattr(self, name)
        if isinstance(found, Events):
            raise DataError(f"the {name} set still holds events: a preprocessing must make frames")
        if not found:
            raise DataError(f"the data set has no {name} samples")
        return found
