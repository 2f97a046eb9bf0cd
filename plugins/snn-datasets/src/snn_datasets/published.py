"""The files of data sets as their makers published them, and how to fetch them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from snn_datasets.idx import BYTES_MAX, unpack
from snn_kernel import DataError, Fault

TIMEOUT_S = 30
CHUNK = 1 << 18  # bytes between two reports of progress


@frozen
class Published:
    """One file: its name without .gz, the MD5 of the .gz as published, and of its content.

    The content's may be unknown (""). MD5 is what the publishers give; it tells damage and mix-ups,
    not malice.
    """

    name: str
    gz_md5: str
    md5: str = ""

    def __str__(self) -> str:
        content = f"MD5 {self.md5}, " if self.md5 else ""
        return f"{self.name}[.gz] ({content}.gz as published {self.gz_md5})"

    def find(self, folder: Path) -> Path | None:
        """Where it lies in `folder`, unpacked or gzipped; None where it is missing."""
        for path in (folder / self.name, folder / f"{self.name}.gz"):
            if os.path.isfile(path):  # which takes a forbidden folder for an empty one
                return path
        return None

    def genuine(self, blob: bytes, content: bytes) -> bool | None:
        """Whether `blob`, which unpacks to `content`, is this file; None where nothing can tell.

        A .gz packed by somebody else is told by its content.
        """
        if self.md5:
            return _md5(content) == self.md5
        return True if _md5(blob) == self.gz_md5 else None

    def fetch(self, url: str, progress: Callable[[int, int], None]) -> bytes:
        """`url`/name.gz, its digest checked; `progress(done, total)` in bytes, total 0 if unknown.

        DataError where it cannot be had or is not the published file.
        """
        where = f"{url.rstrip('/')}/{self.name}.gz"
        blob = _download(where, progress)
        if not self.genuine(blob, unpack(blob, where)):
            what = f"is not the published file: its MD5 is {_md5(blob)}, not {self.gz_md5}"
            hint = "it was not kept; params.url names another mirror"
            raise DataError(Fault(where, what, hint=hint))
        return blob


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _download(url: str, progress: Callable[[int, int], None]) -> bytes:
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:
            total, blob = int(answer.headers.get("Content-Length") or 0), bytearray()
            while chunk := answer.read(CHUNK):
                blob += chunk
                if len(blob) > BYTES_MAX:
                    raise DataError(Fault(url, f"sends more than {BYTES_MAX} bytes"))
                progress(len(blob), total)
    except (OSError, HTTPException, ValueError) as error:
        hint = "params.url names another mirror, params.path a folder where the files lie"
        raise DataError(Fault(url, f"cannot be fetched: {error}", hint=hint)) from None
    return bytes(blob)


MNIST_FILES = (
    Published(
        "train-images-idx3-ubyte",
        gz_md5="f68b3c2dcbeaaa9fbdd348bbdeb94873",
        md5="6bbc9ace898e44ae57da46a324031adb",
    ),
    Published(
        "train-labels-idx1-ubyte",
        gz_md5="d53e105ee54ea40749a09fcbcd1e9432",
        md5="a25bea736e30d166cdddb491f175f624",
    ),
    Published(
        "t10k-images-idx3-ubyte",
        gz_md5="9fb629c4189551a2d022fa330f9573f3",
        md5="2646ac647ad5339dbf082846283269ea",
    ),
    Published(
        "t10k-labels-idx1-ubyte",
        gz_md5="ec29112dd5afa0611ce80d1b7f02629c",
        md5="27ae3e4e09519cfbb04c329615203637",
    ),
)
FASHION_FILES = (
    Published("train-images-idx3-ubyte", gz_md5="8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    Published("train-labels-idx1-ubyte", gz_md5="25c81989df183df01b3e8a0aad5dffbe"),
    Published("t10k-images-idx3-ubyte", gz_md5="bef4ecab320f06d8554ea6380940ec79"),
    Published("t10k-labels-idx1-ubyte", gz_md5="bb300cfdad3c16e7a12a480ee83cd310"),
)
