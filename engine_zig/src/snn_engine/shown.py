"""Frames as the engine takes them: on the grid of the network's input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_engine.library import EngineError
from snn_kernel.network import Format

BLOCK = 1 << 14  # elements: what is made of them stays in the second cache
FRACTION_MAX = 126  # a larger power of two is no float32


def show(frames: NDArray[np.float32], grid: Format | None, whole: bool, into: NDArray[Any]) -> None:
    """Write `frames` on `grid`, if there is one, into `into`, as float32, or, if `whole`, as the
    integers (int32) that they then are.

    The same as `grid.apply` and `grid.quantise`, but several times faster where nothing need be
    rounded, as with events and pixels. Raises EngineError for a NaN that is to be an integer.
    """
    flat = frames.reshape(-1)
    if grid is None:
        into[:] = flat
        return
    holds = 0 <= grid.fraction < grid.bits - 1  # a spike
    spikes = np.empty((2, min(BLOCK, len(flat))), bool)
    for start in range(0, len(flat), BLOCK):
        block, made = flat[start : start + BLOCK], into[start : start + BLOCK]
        ones, known = spikes[:, : len(block)]
        np.equal(block, 1, out=ones)
        np.equal(block, 0, out=known)
        if holds and np.logical_or(ones, known, out=known).all():
            np.multiply(ones, made.dtype.type(2**grid.fraction if whole else 1), out=made)
            continue
        units = _units(block, grid)
        if units is None and whole and np.isnan(block).any():
            raise EngineError("frames hold a NaN, for which no integer stands")
        if units is None:
            made[:] = grid.quantise(block) if whole else grid.apply(block)
        elif whole:
            made[:] = units
        else:
            np.add(block, np.float32(0), out=made)  # -0 becomes 0


def _units(block: NDArray[np.float32], grid: Format) -> NDArray[np.float32] | None:
    """The integers that `block` stands for; None unless it lies on `grid` altogether."""
    if not 0 <= grid.fraction <= FRACTION_MAX:
        return None
    units = block
    if grid.fraction > 0:
        with np.errstate(over="ignore"):
            units = block * np.float32(2.0**grid.fraction)
    high = 2.0 ** (grid.bits - 1)
    inside = -high <= units.min() and units.max() < high
    return units if inside and np.array_equal(np.rint(units), units) else None
