"""The number format of a quantised tensor."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from attrs import frozen
from numpy.typing import NDArray


@frozen
class Format:
    """Fixed point: integer X stands for X·2^-fraction, with `bits` bits, the sign included."""

    bits: int
    fraction: int
    rounding: Literal["nearest", "floor", "ceil"] = "nearest"

    def quantise(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """The integers of `x`, as float64: S_b(rnd(x·2^f))."""
        scaled = np.ldexp(np.asarray(x, np.float64), self.fraction)
        half_up = scaled + 0.5 if self.rounding == "nearest" else scaled
        high = 2.0 ** (self.bits - 1)
        return np.clip((np.ceil if self.rounding == "ceil" else np.floor)(half_up), -high, high - 1)

    def apply(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """`x` on the grid of this format, as float32 (exact up to 25 bits, the sign included)."""
        return np.ldexp(self.quantise(x), -self.fraction).astype(np.float32)
