"""Values of frames [N, T, …, C] at other places, given for each sample."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from snn_augmentation.augmentation import Floats

Places = NDArray[np.float64]


def taken(frames: Floats, axis: int, index: NDArray[np.int64]) -> Floats:
    """Along `axis` of sample n, what stands at index[n]; index [N, length] is within the axis."""
    shape = [1] * frames.ndim
    shape[0], shape[axis] = index.shape
    made: Floats = np.take_along_axis(frames, index.reshape(shape), axis)
    return made


def interpolated(frames: Floats, rows: Places, columns: Places, fill: float) -> Floats:
    """Frames [N, T, H, W, C] read at (rows, columns), which broadcast to [N, H', W'].

    Bilinear: between four pixels, each weighs what is left of 1 by its distance in rows times the
    same in columns. Every pixel outside has the value `fill`. At whole numbers it is exact.
    """
    n, t, h, w, c = frames.shape
    rows, columns = np.broadcast_arrays(rows, columns)
    pixels = np.moveaxis(frames, 1, 3).reshape(n * h * w, t * c)
    first = h * w * np.arange(n)[:, None, None]
    top, left = np.floor(rows), np.floor(columns)
    made = np.zeros((*rows.shape, t * c), np.float32)
    for down, right in product((0, 1), (0, 1)):
        row, column = (top + down).astype(np.int64), (left + right).astype(np.int64)
        weight = (1 - np.abs(rows - row)) * (1 - np.abs(columns - column))
        if not weight.any():
            continue
        inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
        index = first + row.clip(0, h - 1) * w + column.clip(0, w - 1)
        values = np.where(inside[..., None], pixels[index], np.float32(fill))
        made += weight[..., None].astype(np.float32) * values
    return np.moveaxis(made.reshape(*rows.shape, t, c), 3, 1)
