"""What flows between the layers of generated C, and where it is kept."""

from __future__ import annotations

import math

from attrs import field, frozen

from snn_codegen.element import Element, length
from snn_kernel.network import Shape

Map = tuple[int, int, int]  # channels, height, width


@frozen(eq=False)
class Tensor:
    """A map of `shape` (channels, height, width), channels last or first in memory.

    Integers stand for units of 2^-fraction and reach ±peak; if a format has put them there, they
    are of `bits` bits. Spikes are bits that stand for `value` (in those units; of a float network
    a number) and 0. `static`: the same at every timestep.
    """

    element: Element
    shape: Map
    last: bool = True
    fraction: int = 0
    peak: int = 0
    bits: int = 0
    value: float = 1
    static: bool = False
    storage: object = field(factory=object, repr=False)  # shared by those that share their memory

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def length(self) -> int:
        """How long its array is."""
        return length(self.element, self.count)

    @property
    def flat(self) -> bool:
        """Whether channels first and channels last are the same."""
        return self.shape[0] == 1 or self.shape[1] * self.shape[2] == 1


def as_map(shape: Shape) -> Map:
    """[C], [C, x] or [C, y, x] as channels, height, width."""
    channels, *axes = shape
    height, width = [1, 1, *axes][-2:]
    return channels, height, width


def as_pair(sizes: Shape, absent: int = 1) -> tuple[int, int]:
    """(x,) or (y, x) of a window as (y, x)."""
    y, x = [absent, *sizes][-2:]
    return y, x
