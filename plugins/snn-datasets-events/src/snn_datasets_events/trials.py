"""DVS128 Gesture as published: long recordings, and tables of when which gesture was made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_datasets_events import aedat
from snn_datasets_events.store import Folder, Tar, read
from snn_datasets_events.tape import Tape
from snn_kernel import Context, DataError, Fault

# All recordings together have some 3 GB.
BYTES_MAX = 1 << 30
TEXT_MAX = 1 << 20
CLASSES = 11
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
_ROW = re.compile(r"\s*([0-9]{1,2})\s*,\s*([0-9]{1,18})\s*,\s*([0-9]{1,18})\s*")

Signals = list[NDArray[Any]]


@frozen
class Gesture:
    """One row of a table: class 0..10, begin (included) and end (excluded) in µs."""

    label: int
    begin: int
    end: int


@frozen
class Trials:
    """The recordings that the two lists name, each with its table of gestures."""

    store: Folder | Tar

    def missing(self) -> Iterator[Path]:
        """Lists, and recordings and tables that are listed, that are not there; of a folder only.

        An archive has to be unpacked to tell.
        """
        if isinstance(self.store, Tar):
            return
        for name in LISTS.values():
            if not (path := self.store.path / name).is_file():
                yield path
                continue
            for stem in _stems(read(path, TEXT_MAX)):
                parts = (self.store.path / name for name in (f"{stem}.aedat", _table(stem)))
                yield from (part for part in parts if not part.is_file())

    def read(self, tapes: dict[str, Tape], classes: int, context: Context) -> None:
        """Write every gesture of the first `classes` to the tape of its set.

        They are in the order of the lists whatever the order of the archive.
        """
        texts = self._texts()
        order = [(split, s) for split, name in LISTS.items() for s in _stems(texts.get(name, b""))]
        if lacking := [n for n in LISTS.values() if not _stems(texts.get(n, b""))]:
            what = f"has no recordings in {' and '.join(lacking)}"
            raise DataError(Fault(str(self.store.path), what))
        waiting: dict[str, list[tuple[Signals, Gesture, str]]] = {}
        stems, done = {stem: split for split, stem in order}, 0
        for name, content in self._recordings([stem for _, stem in order]):
            stem, table = PurePosixPath(name).stem, _table(name)
            waiting[stem] = []
            with tapes[stems[stem]].judging():
                cut = _cut(content(), texts.get(table), self.store.where(name), classes)
                waiting[stem] += cut
            while done < len(order) and order[done][1] in waiting:
                split, ready = order[done]
                for signals, gesture, where in waiting.pop(ready):
                    tapes[split].write(signals, [gesture.label], [where])
                done += 1
                context.progress("read", done, len(order), {})
        for split, stem in order[done:]:
            if stem not in waiting:
                what = f"has no {stem}.aedat, which {LISTS[split]} lists"
                tapes[split].faults.append(Fault(str(self.store.path), what))

    def _texts(self) -> dict[str, bytes]:
        """The lists and tables by name."""
        if isinstance(self.store, Tar):
            found = self.store.files(lambda n: n.endswith((".txt", "_labels.csv")), TEXT_MAX)
            return {PurePosixPath(name).name: content for name, content in found}
        names = [*self.store.names("trials_to_*.txt"), *self.store.names("*_labels.csv")]
        with self.store.open(TEXT_MAX) as content:
            return {name: content(name) for name in names}

    def _recordings(self, stems: list[str]) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Path and content of the recordings; that of a file that cannot be read is a DataError."""
        names = [f"{stem}.aedat" for stem in stems]
        if isinstance(self.store, Tar):
            found = self.store.files(lambda n: PurePosixPath(n).name in names, BYTES_MAX)
            yield from ((name, partial(bytes, content)) for name, content in found)
            return
        with self.store.open(BYTES_MAX) as content:
            yield from ((name, partial(content, name)) for name in names)


def in_folder(folder: Path) -> Trials | None:
    """The layout of the unpacked archive, if this is it."""
    return Trials(Folder(folder)) if any((folder / n).is_file() for n in LISTS.values()) else None


def in_archive(path: Path) -> Trials | None:
    """The archive itself, if `path` names it."""
    return Trials(Tar(path)) if path.is_file() else None


def _table(name: str) -> str:
    """The name of the table that belongs to a recording."""
    return f"{PurePosixPath(name).stem}_labels.csv"


def _stems(content: bytes) -> list[str]:
    """Names without .aedat of the recordings that a list has, each once."""
    lines = (line.strip() for line in content.decode("utf-8", "replace").splitlines())
    return list(dict.fromkeys(PurePosixPath(line).stem for line in lines if line))


def _cut(
    blob: bytes, table: bytes | None, where: str, classes: int
) -> Iterator[tuple[Signals, Gesture, str]]:
    """The events of each gesture of a recording, t since its begin, and its name for people."""
    if table is None:
        what = "has no table of gestures, <recording>_labels.csv"
        raise DataError(Fault(where, what))
    gestures = [g for g in _gestures(table, where) if g.label < classes]
    x, y, t, p = aedat.decode(blob, where)
    for gesture in gestures:
        part = np.flatnonzero((t >= gesture.begin) & (t < gesture.end))
        name = f"{where}, class {gesture.label + 1} at {gesture.begin}"
        if not len(part):
            raise DataError(Fault(name, f"has no events before {gesture.end}"))
        yield [x[part], y[part], t[part] - gesture.begin, p[part]], gesture, name


def _gestures(table: bytes, where: str) -> list[Gesture]:
    lines = table.decode("utf-8", "replace").splitlines()[1:]
    rows = [(line, _ROW.fullmatch(line)) for line in lines if line.strip()]
    found = [Gesture(int(m[1]) - 1, int(m[2]), int(m[3])) for _, m in rows if m]
    wrong = [line for line, m in rows if not m]
    wrong += [str(g) for g in found if not (0 <= g.label < CLASSES and g.begin < g.end)]
    if wrong or not found:
        what = f"its table of gestures has {wrong[0][:60]!r}" if wrong else "has no gestures"
        raise DataError(Fault(where, what, hint="class 1..11, begin and end in µs are meant"))
    return found
