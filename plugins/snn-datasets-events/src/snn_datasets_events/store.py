"""Where the files of a data set lie: a folder or an archive, read one file at a time."""

from __future__ import annotations

import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from snn_kernel import DataError, Fault

Read = Callable[[str], bytes]

# What zipfile and tarfile let through when an archive is damaged; they promise none of them.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    OverflowError,
)


def folder_of(path: str, otherwise: Path) -> Path:
    """The folder that `path` names, ~ being the home folder; `otherwise` if it names none."""
    # os.path.expanduser leaves the ~ of nobody as it is, where Path.expanduser would raise.
    return Path(os.path.expanduser(path)) if path else otherwise


def read(path: Path, bytes_max: int) -> bytes:
    """A file as it is; DataError where it cannot be read or is larger than `bytes_max`."""
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise DataError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    return _bounded(content, str(path), bytes_max)


@frozen
class Folder:
    """The files below a folder; names are paths from there, with slashes."""

    path: Path

    def names(self, pattern: str) -> list[str]:
        """Files that match the glob `pattern`; none where the folder cannot be read."""
        return [p.relative_to(self.path).as_posix() for p in self.path.glob(pattern)]

    def where(self, name: str) -> str:
        """Where a file is, for people."""
        return str(self.path / name)

    @contextmanager
    def open(self, bytes_max: int) -> Iterator[Read]:
        """Lends a function from a name to what the file holds; it raises DataError."""
        yield lambda name: read(self.path / name, bytes_max)


@frozen
class Zip:
    """The files in a zip archive, unpacked in memory and never onto the disk."""

    path: Path

    def names(self) -> list[str]:
        """All files; DataError where the archive is damaged."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return sorted(set(archive.namelist()))
        except (*DAMAGED, NotImplementedError) as error:
            raise DataError(Fault(str(self.path), f"is no zip archive: {error}")) from None

    def where(self, name: str) -> str:
        """Where a file is, for people."""
        return f"{self.path}/{name}"

    @contextmanager
    def open(self, bytes_max: int) -> Iterator[Read]:
        """Lends a function from a name to what the file holds; it raises DataError."""
        with zipfile.ZipFile(self.path) as archive:

            def member(name: str) -> bytes:
                try:
                    with archive.open(name) as file:
                        content = file.read(bytes_max + 1)
                except (*DAMAGED, NotImplementedError, KeyError) as error:
                    raise DataError(Fault(self.where(name), f"is damaged: {error}")) from None
                return _bounded(content, self.where(name), bytes_max)

            yield member


@frozen
class Tar:
    """The files in a tar archive, packed or not, which can only be read from its beginning."""

    path: Path

    def where(self, name: str) -> str:
        """Where a file is, for people."""
        return f"{self.path}/{name}"

    def files(self, wanted: Callable[[str], bool], bytes_max: int) -> Iterator[tuple[str, bytes]]:
        """Path and content of the files whose path is wanted, in the order of the archive.

        DataError where the archive is damaged, or a wanted file is larger than `bytes_max`.
        """
        try:
            with tarfile.open(self.path, "r|*") as archive:
                for member in archive:
                    if member.isreg() and wanted(member.name):
                        file = archive.extractfile(member)
                        content = file.read(bytes_max + 1) if file else b""
                        yield member.name, _bounded(content, self.where(member.name), bytes_max)
        except DAMAGED as error:
            what = f"is damaged, or no tar archive: {error}"
            raise DataError(Fault(str(self.path), what, hint="fetch it again")) from None


def _bounded(content: bytes, where: str, bytes_max: int) -> bytes:
    if len(content) > bytes_max:
        raise DataError(Fault(where, f"holds more than {bytes_max} bytes"))
    return content
