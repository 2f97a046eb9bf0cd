"""The fixed-point law: what a quantised network computes, in integers (docs/fixed_point.md).

An integer X with f fraction bits stands for X·2^-f. Every operation below is exact but two, and
these are the whole of quantisation: `shift`, which rounds, and `saturate`, which clips.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_network.format import Format

Integers = NDArray[np.int64]
FACTOR_BITS = 15  # of the reciprocal that an average over other than 2^p elements multiplies by


@frozen
class Fixed:
    """Integers, and the fraction bits with which they stand for numbers."""

    units: Integers
    fraction: int

    def at(self, fraction: int) -> Integers:
        """The integers with at least as many fraction bits, exactly."""
        assert fraction >= self.fraction
        return self.units << (fraction - self.fraction)

    def quantised(self, format: Format | None) -> Fixed:
        """S_b(R(X, f - out)), or as it is where nothing is asked."""
        if format is None:
            return self
        by, units = self.fraction - format.fraction, self.units
        if by < 0:  # what is saturated after the shift might not survive it in 64 bits
            most = (1 << (format.bits - 1) >> -by) + 1
            units = np.clip(units, -most, most)
        rounded = shift(units, by, format.rounding)
        return Fixed(saturate(rounded, format.bits), format.fraction)

    def numbers(self) -> NDArray[np.float64]:
        """What the integers stand for."""
        return np.ldexp(self.units.astype(np.float64), -self.fraction)


def shift(units: Integers, by: int, rounding: Literal["nearest", "floor", "ceil"]) -> Integers:
    """R(a, s): a·2^-s as an integer; floor, up from the half (nearest), or ceil."""
    if by <= 0:
        return units << -by
    if rounding == "floor":
        return units >> by
    if rounding == "ceil":
        return -((-units) >> by)
    return (units + (1 << (by - 1))) >> by


def saturate(units: Integers, bits: int) -> Integers:
    """S_b(a): a clamped to -2^(b-1) … 2^(b-1) - 1."""
    high = 1 << (bits - 1)
    return np.clip(units, -high, high - 1)


def dyadic(value: float) -> tuple[int, int]:
    """(X, f) of the fewest fraction bits f ≥ 0 with value = X·2^-f, exactly."""
    numerator, denominator = float(value).as_integer_ratio()
    return numerator, denominator.bit_length() - 1


def factor(count: int) -> int:
    """What an average over `count` elements, no power of two, multiplies by: rnd(2^15/count)."""
    return math.floor(Fraction(1 << FACTOR_BITS, count) + Fraction(1, 2))


def aligned(*terms: Fixed) -> tuple[list[Integers], int]:
    """The same numbers with the most fraction bits that any of them has."""
    fraction = max(term.fraction for term in terms)
    return [term.at(fraction) for term in terms], fraction
