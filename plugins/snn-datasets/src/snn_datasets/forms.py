"""The forms that a data set is published in: a folder of files, or the archive of that folder."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from attrs import frozen

from snn_datasets.idx import Content, read, unpack
from snn_kernel import DataError, Fault

if TYPE_CHECKING:
    import tarfile

MEMBERS_MAX = 256  # of an archive; those of CIFAR have ten


@frozen
class Form:
    """A folder of files, as the archive of the given MD5 has it; .bin files are binary."""

    folder: str
    archive: str
    md5: str
    train: tuple[str, ...]
    test: str

    @property
    def names(self) -> tuple[str, ...]:
        """Those of all files."""
        return (*self.train, self.test)

    @property
    def binary(self) -> bool:
        """Whether it is the binary form."""
        return self.test.endswith(".bin")

    def folders(self, path: Path) -> tuple[Path, ...]:
        """Where its files may lie, if a user names `path`: in there, or in its folder there."""
        return (path, path / self.folder)

    def archives(self, path: Path) -> tuple[Path, ...]:
        """Where its archive may lie: in `path`, or where that would have been unpacked."""
        beside = (path.parent / self.archive,) if path.name == self.folder else ()
        return (path / self.archive, *beside)

    def missing(self, folder: Path) -> list[str]:
        """The names of the files that are not in `folder`."""
        return [name for name in self.names if not os.path.isfile(folder / name)]


@frozen
class Found:
    """A form, and where it lies: the folder of its files, or its archive."""

    form: Form
    path: Path

    def contents(self) -> dict[str, Content]:
        """All files by their names; DataError with everything that cannot be read."""
        if os.path.isfile(self.path):
            return _unpacked(self.form, self.path)
        found: dict[str, Content] = {}
        faults: list[Fault] = []
        for name in self.form.names:
            try:
                found[name] = Content(str(self.path / name), read(self.path / name))
            except DataError as error:
                faults += error.faults
        if faults:
            raise DataError(*faults)
        return found


def find(path: Path, forms: tuple[Form, ...]) -> Found | None:
    """The first of `forms` that is complete in `path`: files count before archives."""
    for form in forms:
        for folder in form.folders(path):
            if not form.missing(folder):
                return Found(form, folder)
    for form in forms:
        for archive in form.archives(path):
            if os.path.isfile(archive):
                return Found(form, archive)
    return None


def lack(path: Path, forms: tuple[Form, ...]) -> str:
    """What is missing, and where it was looked for, if `find` finds nothing."""
    if os.path.isfile(path):
        return f"{path} is a file, not the folder of the data set"
    places = [(form, folder) for form in forms for folder in form.folders(path)]
    form, folder = min(places, key=lambda p: len(p[0].missing(p[1])) / len(p[0].names))
    missing = form.missing(folder)
    if len(missing) < len(form.names):
        what = f"{len(missing)} of {len(form.names)} files are missing in {folder.absolute()}: "
        return what + ", ".join(missing)
    files = [f"{form.folder}/ with {', '.join(form.names)}" for form in forms]
    files += [f"{form.archive} (MD5 {form.md5})" for form in forms]
    state = "holds none of" if os.path.isdir(path) else "is not there; it must hold one of"
    return f"the folder {path.absolute()} {state}\n  " + "\n  ".join(files) + "\n "


def _unpacked(form: Form, path: Path) -> dict[str, Content]:
    """The files of an archive; nothing of it is written anywhere."""
    import tarfile

    found: dict[str, Content] = {}
    archive = unpack(read(path), str(path))
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for member in _members(tar, path):
                place = PurePosixPath(member.name)
                if place.parent.name == form.folder and place.name in form.names:
                    file = tar.extractfile(member)
                    content = file.read() if file else b""
                    found[place.name] = Content(f"{path}/{place}", content)
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        what = f"is damaged: {error}"
        raise DataError(Fault(str(path), what, hint="fetch it again")) from None
    if lacks := [name for name in form.names if name not in found]:
        what = f"lacks {', '.join(f'{form.folder}/{name}' for name in lacks)}"
        hint = f"as published, its MD5 is {form.md5}"
        raise DataError(Fault(str(path), what, hint=hint))
    return found


def _members(tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """The plain files: links lead elsewhere, and sparse ones are larger than what holds them."""
    for count, member in enumerate(tar):
        if count == MEMBERS_MAX:
            raise DataError(Fault(str(path), f"holds more than {MEMBERS_MAX} files"))
        if member.isreg() and not member.issparse():
            yield member
