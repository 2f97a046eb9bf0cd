"""The .bin files of N-MNIST: 5 bytes an event, big endian, as the ATIS sensor was recorded.

x 8 bit, y 8 bit, polarity 1 bit (1: brighter), time 23 bit in µs. An event with y = 240 is none: it
marks that the clock ran over, and from there on 2^13 µs are added, as G. Orchard's own reader
does (Event-Python, eventvision.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVENT_BYTES = 5
MARK_Y = 240
MARK_US = 1 << 13


def decode(blobs: Sequence[bytes]) -> tuple[list[NDArray[Any]], list[int]]:
    """x, y, t, p of the events of all blobs, and how many events each has.

    Many small files are decoded as one array; each must be a multiple of EVENT_BYTES long.
    """
    b = np.frombuffer(b"".join(blobs), np.uint8).reshape(-1, EVENT_BYTES).T
    x, y, p = b[0], b[1], b[2] >> 7
    t = (b[2] & 127).astype(np.int64) << 16
    t |= b[3].astype(np.int64) << 8
    t |= b[4]
    lengths = [len(blob) // EVENT_BYTES for blob in blobs]
    if not (marks := y == MARK_Y).any():
        return [x, y, t, p], lengths
    # How often the clock ran over so far, in this blob alone.
    passed = np.concatenate([[0], np.cumsum(marks)])
    bounds = np.cumsum([0, *lengths])
    t += (passed[1:] - np.repeat(passed[bounds[:-1]], lengths)) * MARK_US
    kept = ~marks
    counts = np.array(lengths) - np.diff(passed[bounds])
    return [signal[kept] for signal in (x, y, t, p)], counts.tolist()
