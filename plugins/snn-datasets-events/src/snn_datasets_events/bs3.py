""".bs3 recordings: 7 bytes an event, big endian: x 12 bit, y 12 bit, p 8 bit, t 24 bit in µs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_kernel import DataError, Fault

EVENT_BYTES = 7


def decode(blob: bytes, where: str) -> list[NDArray[Any]]:
    """x, y, t, p of all events. DataError, naming `where`, if the last one is cut short."""
    if len(blob) % EVENT_BYTES:
        what = f"holds {len(blob)} bytes, not {EVENT_BYTES} for each event"
        raise DataError(Fault(where, what, hint="fetch it again"))
    b = np.frombuffer(blob, np.uint8).reshape(-1, EVENT_BYTES).T.astype(np.uint32)
    x, y = b[0] << 4 | b[1] >> 4, (b[1] & 15) << 8 | b[2]
    return [x, y, b[4] << 16 | b[5] << 8 | b[6], b[3]]
