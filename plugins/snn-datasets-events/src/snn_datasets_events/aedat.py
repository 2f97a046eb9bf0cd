"""AEDAT 3.1, the files of an event camera, as DVS128 Gesture has them (inivation, file formats).

Lines of text that begin with #, the first "#!AER-DAT3.1", the last "#!END-HEADER"; then packets,
little endian: a header of 28 bytes and `capacity` events of `size` bytes. Of polarity events, type
1, the first word has bit 0 "valid", bit 1 the polarity, bits 2-16 y, 17-31 x; the second the time
in µs, 31 bit, how often it ran over being in the header. Packets of other types are passed over.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_kernel import DataError, Fault

HEADER = np.dtype(
    [
        ("type", "<u2"),
        ("source", "<u2"),
        ("size", "<u4"),
        ("t_offset", "<u4"),
        ("t_overflow", "<u4"),
        ("capacity", "<u4"),
        ("number", "<u4"),
        ("valid", "<u4"),
    ]
)
POLARITY = 1
EVENT_BYTES = 8
_VERSION, _END = b"#!AER-DAT3.1", b"#!END-HEADER\r\n"


def decode(blob: bytes, where: str) -> list[NDArray[Any]]:
    """x, y, t (int64) and p of all valid polarity events.

    DataError, naming `where`, for other formats and for files that end within a packet.
    """
    at = _begin(blob, where)
    words, overflows = [], []
    while at < len(blob):
        if len(blob) - at < HEADER.itemsize:
            raise _cut(where, at)
        (header,) = np.frombuffer(blob, HEADER, 1, at).tolist()
        kind, _, size, _, overflow, capacity, number, _ = header
        at += HEADER.itemsize
        if len(blob) - at < size * capacity:
            raise _cut(where, at)
        if kind == POLARITY:
            if size != EVENT_BYTES or number > capacity:
                what = f"has {number} events in a packet of {capacity} with {size} bytes each"
                raise DataError(Fault(where, what, hint=f"{EVENT_BYTES} bytes are meant"))
            words.append(np.frombuffer(blob, "<u4", 2 * number, at).reshape(-1, 2))
            overflows.append(np.full(number, overflow, np.int64))
        at += size * capacity
    word, t = np.concatenate([np.empty((0, 2), np.uint32), *words]).T
    passed = np.concatenate([np.empty(0, np.int64), *overflows])
    kept = word & 1 == 1
    word, t = word[kept], t[kept].astype(np.int64) | passed[kept] << 31
    return [word >> 17, word >> 2 & 0x7FFF, t, word >> 1 & 1]


def _begin(blob: bytes, where: str) -> int:
    """Where the packets begin."""
    end = blob.find(_END)
    if not blob.startswith(_VERSION) or end < 0:
        what = f"is no AEDAT 3.1 file: it begins with {blob[: len(_VERSION)]!r}"
        if blob.startswith(_VERSION):
            what = f"is no AEDAT 3.1 file: its header has no line {_END.decode().strip()}"
        raise DataError(Fault(where, what))
    return end + len(_END)


def _cut(where: str, at: int) -> DataError:
    return DataError(Fault(where, f"ends within the packet at byte {at}", hint="fetch it again"))
