"""Arrays as numpy saves them: .npy, and .npz archives of several.

The header of an .npy file is a Python expression. It is matched here, never evaluated, and its
shape believed only if the bytes are there, so that no file of 100 bytes can ask for gigabytes.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets_events.store import DAMAGED
from snn_kernel import DataError, Fault

MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': '([<>|][fiub][1248])', 'fortran_order': (True|False), "
    rb"'shape': \(([0-9]{1,18},(?: [0-9]{1,18})?)\),? *\} *\n"
)


def decode(blob: bytes, where: str) -> NDArray[Any]:
    """The numbers of an .npy file, in one or two dimensions.

    DataError, naming `where`, for anything else, and where bytes are missing or left over.
    """
    head, size = (10, 2) if blob[6:7] == b"\x01" else (12, 4)
    end = head + int.from_bytes(blob[8:head], "little")
    match = _HEADER.fullmatch(blob[head:end])
    if blob[: len(MAGIC)] != MAGIC or len(blob) < end or not match or size not in (2, 4):
        what = "is no .npy file of numbers in one or two dimensions"
        raise DataError(Fault(where, what, hint="pickled objects are not read"))
    dtype = _dtype(match[1], where)
    shape = tuple(int(n) for n in match[3].split(b",") if n.strip())
    if len(blob) - end != math.prod(shape) * dtype.itemsize:
        what = f"holds {len(blob) - end} bytes of data; its header says {shape} of {dtype}"
        raise DataError(Fault(where, what, hint="fetch it again"))
    order: Any = "F" if match[2] == b"True" else "C"
    return np.frombuffer(blob, dtype, offset=end).reshape(shape, order=order)


def members(blob: bytes, names: str, where: str, bytes_max: int) -> list[NDArray[Any]]:
    """The arrays of an .npz file that `names` name, a letter each, of at most `bytes_max` each.

    DataError, naming `where`, for archives that are damaged or lack one.
    """
    found = []
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            for name in names:
                with archive.open(f"{name}.npy") as file:
                    found.append(file.read(bytes_max + 1))
    except KeyError:
        what = f"has no array '{name}', only {', '.join(sorted(archive.namelist())[:10])}"
        raise DataError(Fault(where, what, hint=f"its arrays must be {', '.join(names)}")) from None
    except (*DAMAGED, NotImplementedError) as error:
        raise DataError(Fault(where, f"is no .npz archive: {error}")) from None
    both = list(zip(names, found, strict=True))
    if large := [n for n, content in both if len(content) > bytes_max]:
        raise DataError(Fault(where, f"array '{large[0]}' unpacks to more than {bytes_max} bytes"))
    return [decode(content, f"{where}/{name}.npy") for name, content in both]


def _dtype(descr: bytes, where: str) -> np.dtype[Any]:
    try:
        return np.dtype(descr.decode())
    except TypeError:
        raise DataError(Fault(where, f"has numbers of unknown type {descr.decode()}")) from None
