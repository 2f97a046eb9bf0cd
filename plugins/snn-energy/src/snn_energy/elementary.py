"""What one memory access, one addition and one multiplication cost, in pJ."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from attrs import frozen

Operation: TypeAlias = Literal["add", "mul"]
Estimation: TypeAlias = Literal["ICONIP", "saturation", "linear", "quadratic"]
Sram: TypeAlias = Literal["old", "new"]
Compat: TypeAlias = Literal["qualia-2.6"]
Source: TypeAlias = Literal["estimated", "counted", "both"]

# M. Horowitz, Computing's Energy Problem (and what we can do about it), ISSCC 2014: pJ by width.
NARROW, WIDE = 8, 32
ENERGY_PJ: Mapping[Operation, tuple[float, float]] = {"add": (0.03, 0.1), "mul": (0.2, 3.1)}

# "old": a straight line through the SRAMs of 8 KiB, 32 KiB and 1 MiB of the same source.
SLOPE_PJ, INTERCEPT_PJ = 1.09e-5, 13.2
# "new": one 64-bit access of 10 pJ, whatever the size, brings as many data as fit into it.
WORD_BITS, WORD_PJ = 64, 10.0


def iconip(operation: Operation, bits: int) -> float:
    """The 32-bit value at every width, as in the ICONIP 2022 paper."""
    return ENERGY_PJ[operation][1]


def saturation(operation: Operation, bits: int) -> float:
    """The 8-bit value up to 8 bits, the 32-bit value up to 32; ValueError beyond."""
    if bits > WIDE:
        raise ValueError(f"'saturation' knows no '{operation}' wider than {WIDE} bits")
    return ENERGY_PJ[operation][bits > NARROW]


def linear(operation: Operation, bits: int) -> float:
    """y = m·bits + c through the values at 8 and at 32 bits."""
    low, high = ENERGY_PJ[operation]
    return low + (high - low) / (WIDE - NARROW) * (bits - NARROW)


def quadratic(operation: Operation, bits: int) -> float:
    """y = a·bits² + b·bits through the origin and the values at 8 and at 32 bits."""
    low, high = ENERGY_PJ[operation]
    a = (high / WIDE - low / NARROW) / (WIDE - NARROW)
    return (a * (bits - NARROW) + low / NARROW) * bits


ESTIMATIONS: Mapping[Estimation, Callable[[Operation, int], float]] = {
    "ICONIP": iconip,
    "saturation": saturation,
    "linear": linear,
    "quadratic": quadratic,
}


def operation_pj(operation: Operation, estimation: Estimation, bits: int) -> float:
    """Energy of one operation on `bits`-bit operands; ValueError where it makes no sense."""
    energy = ESTIMATIONS[estimation](operation, bits)
    if not (math.isfinite(energy) and energy >= 0):
        raise ValueError(
            f"'{estimation}' gives '{operation}' an energy of {energy:.3g} pJ at {bits} bits"
        )
    return energy


def access_pj(elements: float, bits: int, sram: Sram) -> float:
    """E(n), one read or write of a datum of `bits` bits in a memory that holds `elements` of them.

    "old": 1.09e-5·n·bits + 13.2. "new": 10 / floor(64 / bits). ValueError for "new" above 64 bits.
    """
    if sram == "old":
        return SLOPE_PJ * elements * bits + INTERCEPT_PJ
    if bits > WORD_BITS:
        raise ValueError(f"'new' accesses words of {WORD_BITS} bits; {bits} bits do not fit")
    return WORD_PJ / (WORD_BITS // bits)


@frozen
class Costs:
    """Elementary costs at one width: E(n) by `access`, one addition, one multiplication."""

    bits: int
    sram: Sram
    add_pj: float
    mul_pj: float

    def access(self, elements: float) -> float:
        """E(n) in pJ, n being how many elements the memory holds."""
        return access_pj(elements, self.bits, self.sram)

    @property
    def mac_pj(self) -> float:
        """A multiplication and the addition of its product."""
        return self.mul_pj + self.add_pj
