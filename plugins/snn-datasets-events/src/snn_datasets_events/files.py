"""Recordings of one file each, by the suffix of its name: what `snnk engine run` reads.

Entry points of group `snn_kernel.recordings` name these functions; each takes the bytes of a file
and where it lies, and gives x, y, t (µs) and p of all events. DataError for what is damaged.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from snn_datasets_events import atis, bs3, npy
from snn_kernel import DataError, Fault

BYTES_MAX = 1 << 32
_HEADER_MAX = 1000  # characters: four fields need some hundred
FIELDS = ("x", "y", "t", "p")


def of_bin(blob: bytes, where: str) -> list[NDArray[Any]]:
    """A recording of N-MNIST, 5 bytes an event."""
    if len(blob) % atis.EVENT_BYTES:
        what = f"holds {len(blob)} bytes, not {atis.EVENT_BYTES} for each event"
        raise DataError(Fault(where, what, hint="fetch it again"))
    return atis.decode([blob])[0]


def of_bs3(blob: bytes, where: str) -> list[NDArray[Any]]:
    """A .bs3 recording, 7 bytes an event."""
    return bs3.decode(blob, where)


def of_npz(blob: bytes, where: str) -> list[NDArray[Any]]:
    """Arrays x, y, t and p, t in µs."""
    signals = npy.members(blob, "xytp", where, BYTES_MAX)
    if any(s.ndim != 1 or s.shape != signals[0].shape for s in signals):
        shapes = ", ".join(str(s.shape) for s in signals)
        raise DataError(Fault(where, f"x, y, t, p are {shapes}, not of one length"))
    return signals


def of_npy(blob: bytes, where: str) -> list[NDArray[Any]]:
    """Records with the fields x, y, t (µs) and p, in any order and of any type of number."""
    file = io.BytesIO(blob)
    try:
        version = npy_format.read_magic(file)
        read = npy_format.read_array_header_1_0 if version == (1, 0) else _header_2_0
        shape, _, dtype = read(file, max_header_size=_HEADER_MAX)  # type: ignore[no-untyped-call]
    except Exception as error:  # numpy promises ValueError and lets others through
        raise DataError(Fault(where, f"is no .npy file: {error}")) from None
    if sorted(dtype.names or ()) != sorted(FIELDS):
        found = ", ".join(dtype.names) if dtype.names else str(dtype)
        hint = "as numpy.save of a record array makes it, t in µs"
        raise DataError(Fault(where, f"events have the fields x, y, t, p; found {found}", "", hint))
    if wrong := [name for name in FIELDS if dtype[name].kind not in "iuf"]:
        raise DataError(Fault(where, f"the fields {', '.join(wrong)} are not numbers"))
    if len(shape) != 1:
        what = f"holds an array of shape {shape}, not one record after the other"
        raise DataError(Fault(where, what, hint="numpy.save(path, records.ravel())"))
    left = len(blob) - file.tell()
    if left != shape[0] * dtype.itemsize:
        what = f"holds {left} bytes of data; its header says {shape} of {dtype.itemsize} each"
        raise DataError(Fault(where, what, hint="fetch it again"))
    records = np.frombuffer(blob, dtype, offset=file.tell())
    return [records[name] for name in FIELDS]


def _header_2_0(file: Any, max_header_size: int) -> Any:
    return npy_format.read_array_header_2_0(file, max_header_size)  # type: ignore[no-untyped-call]
