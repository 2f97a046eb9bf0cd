"""The idx format of the MNIST files: a big-endian header, then the bytes of an array.

Two zero bytes, the type (0x08: unsigned byte), the number of dimensions; each dimension as a
32-bit integer; the data, last dimension fastest (Y. LeCun, C. Cortes, C. Burges, "The MNIST
database of handwritten digits", file formats).
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_kernel import DataError, Fault, Samples

# Five times the largest file of these data sets: whatever is larger (a gzip bomb) is none of them.
BYTES_MAX = 1 << 28
GZIP = b"\x1f\x8b"
UBYTE = 8
_MEANT = {1: "labels, bytes in one dimension,", 3: "images, bytes in three dimensions,"}


def read(path: Path) -> bytes:
    """A file as it is; DataError where it cannot be read or is beyond BYTES_MAX."""
    try:
        if (size := path.stat().st_size) > BYTES_MAX:
            raise DataError(Fault(str(path), f"holds {size} bytes, more than {BYTES_MAX}"))
        return path.read_bytes()
    except OSError as error:
        raise DataError(Fault(str(path), f"cannot be read: {error.strerror}")) from None


def unpack(blob: bytes, where: str) -> bytes:
    """`blob` unpacked if it is gzip, else as it is; DataError where it is damaged or too large."""
    if not blob.startswith(GZIP):
        return blob
    try:
        with gzip.open(io.BytesIO(blob)) as file:
            content = file.read(BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(Fault(where, f"is damaged: {error}", hint="fetch it again")) from None
    if len(content) > BYTES_MAX:
        raise DataError(Fault(where, f"unpacks to more than {BYTES_MAX} bytes"))
    return content


def parse(content: bytes, dims: int, where: str) -> NDArray[np.uint8]:
    """The array of `dims` dimensions that idx `content` holds, nothing missing, nothing beyond.

    DataError, naming `where`, for another magic number, a length that is not what the header says,
    or an array without elements.
    """
    magic, head = bytes((0, 0, UBYTE, dims)), 4 + 4 * dims
    if content[:4] != magic:
        what = f"begins with '{content[:4].hex(' ')}', not with the magic number '{magic.hex(' ')}'"
        raise DataError(Fault(where, what, hint=f"{_MEANT[dims]} are meant"))
    if len(content) < head:
        raise DataError(Fault(where, f"ends within its header, after {len(content)} bytes"))
    shape = struct.unpack(f">{dims}I", content[4:head])
    if not math.prod(shape):
        raise DataError(Fault(where, f"is empty: its header says {_times(shape)}"))
    if len(content) - head != math.prod(shape):
        what = f"holds {len(content) - head} bytes of data; its header says {_times(shape)}"
        raise DataError(Fault(where, what))
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


@frozen
class Content:
    """The unpacked bytes of a file, and where it lies."""

    where: str
    data: bytes


def samples(images: Content, labels: Content, classes: int) -> Samples:
    """Samples, layout NHWC, of two idx files: images [N, H, W] and labels [N] of 0..classes-1.

    x is [N, H, W, 1], the pixels 0..255 divided by 255. A DataError tells everything that is wrong
    with both files.
    """
    arrays: list[NDArray[np.uint8]] = []
    faults: list[Fault] = []
    for file, dims in ((images, 3), (labels, 1)):
        try:
            arrays.append(parse(file.data, dims, file.where))
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(*faults)
    x, y = arrays
    if len(x) != len(y):
        what = f"holds {len(y)} labels for {len(x)} images in {images.where}"
        faults.append(Fault(labels.where, what))
    if len(wrong := np.flatnonzero(y >= classes)):
        what = f"label {y[wrong[0]]} of sample {wrong[0]} is not one of 0..{classes - 1}"
        more = f", nor are {len(wrong) - 1} more" if len(wrong) > 1 else ""
        faults.append(Fault(labels.where, what + more))
    if faults:
        raise DataError(*faults)
    pixels = np.divide(x[..., None], np.float32(255), dtype=np.float32)
    return Samples(pixels, y.astype(np.int64), "NHWC")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
