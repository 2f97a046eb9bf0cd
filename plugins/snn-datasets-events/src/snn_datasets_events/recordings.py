"""DVS128 Gesture as files of one sample each: how such folders are told, and how they are read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_datasets_events import bs3, npy
from snn_datasets_events.store import read
from snn_datasets_events.tape import Tape
from snn_kernel import Context, DataError, Fault

Decode = Callable[[bytes, str], list[NDArray[Any]]]

# A gesture lasts seconds: some 10^5 to 10^6 events, of at most 32 bytes.
BYTES_MAX = 1 << 28
CLASSES = 11
SPLITS = ("train", "valid", "test")


@frozen
class Recording:
    """One sample: its file, its set and its class 0..10."""

    path: Path
    split: str
    label: int


@frozen
class Recordings:
    """All samples of a folder and the decoder of their format."""

    found: tuple[Recording, ...]
    decode: Decode

    def missing(self) -> Iterator[Path]:
        """Files that are listed and not there."""
        return (r.path for r in self.found if not r.path.is_file())

    def read(self, tapes: dict[str, Tape], classes: int, context: Context) -> None:
        """Write every sample of the first `classes` to the tape of its set."""
        kept = [r for r in self.found if r.label < classes]
        for i, one in enumerate(kept):
            context.progress("read", i, len(kept), {})
            with tapes[one.split].judging():
                self._copy(one, tapes[one.split])
        context.progress("read", len(kept), len(kept), {})

    def _copy(self, one: Recording, tape: Tape) -> None:
        where = str(one.path)
        x, y, t, p = self.decode(read(one.path, BYTES_MAX), where)
        if not len(t):
            raise DataError(Fault(where, "has no events"))
        tape.write((x, y, t, p), [one.label], [where])


def of_npy(folder: Path) -> Recordings | None:
    """ibmGestureTrain/<recording>/<class>.npy and ibmGestureTest/…, as Tonic has them."""
    found: list[Recording] = []
    for split in ("Train", "Test"):
        paths = (folder / f"ibmGesture{split}").rglob("*.npy")
        numbered = [(p.parent, int(p.stem), p) for p in paths if re.fullmatch("[0-9]{1,2}", p.stem)]
        found += [Recording(p, split.lower(), label) for _, label, p in sorted(numbered)]
    return Recordings(tuple(found), _columns) if found else None


def of_npz(folder: Path) -> Recordings | None:
    """train/<class>/*.npz and test/<class>/*.npz, as SpikingJelly has them in events_np."""
    found = [
        Recording(path, split, label)
        for split in ("train", "test")
        for label in range(CLASSES)
        for path in sorted((folder / split / str(label)).glob("*.npz"))
    ]
    return Recordings(tuple(found), _arrays) if found else None


def of_bs3(folder: Path) -> Recordings | None:
    """The .bs3 files that labels.csv lists; DataError for what is wrong with that list."""
    path = folder / "labels.csv"
    if not path.is_file() or not any(folder.glob("*.bs3")):
        return None
    try:
        rows = list(csv.DictReader(io.StringIO(read(path, BYTES_MAX).decode())))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(Fault(str(path), f"is no table: {error}")) from None
    lines = [_line(folder, row) for row in rows]
    faults = [Fault(f"{path}, row {i + 1}", n) for i, n in enumerate(lines) if isinstance(n, str)]
    if faults or not rows:
        hint = "columns: file; label or index0 (0..10), or ibm_label (1..11); if you like, split"
        raise DataError(*(faults or [Fault(str(path), "lists no recording", hint=hint)]))
    return Recordings(tuple(n for n in lines if isinstance(n, Recording)), bs3.decode)


def _line(folder: Path, row: dict[str, Any]) -> Recording | str:
    """The recording of a row of labels.csv, or what is wrong with it."""
    columns = {"label": 0, "index0": 0, "ibm_label": 1}
    label = next((row[c] for c in columns if row.get(c)), "")
    first = next((first for c, first in columns.items() if row.get(c)), 0)
    if not (name := row.get("file")):
        return "names no file"
    if not re.fullmatch("[0-9]{1,2}", label) or not first <= int(label) < first + CLASSES:
        return f"'{label}' is not a class {first}..{first + CLASSES - 1}"
    if (split := row.get("split") or "train") not in SPLITS:
        return f"'{split}' is not one of {', '.join(SPLITS)}"
    return Recording(folder / name, split, int(label) - first)


def _columns(blob: bytes, where: str) -> list[NDArray[Any]]:
    """x, y, t, p of an array [N, 4] of x, y, p and t in ms."""
    array = npy.decode(blob, where)
    if array.ndim != 2 or array.shape[1] != 4:
        raise DataError(Fault(where, f"is {array.shape}, not [events, 4]", hint="x, y, p, t in ms"))
    x, y, p, t = array.T
    return [x, y, _since_first(np.rint(t.astype(np.float64) * 1000)), p]


def _arrays(blob: bytes, where: str) -> list[NDArray[Any]]:
    """x, y, t, p of arrays of these names, t in µs."""
    x, y, t, p = npy.members(blob, "xytp", where, BYTES_MAX)
    if any(a.shape != t.shape or a.ndim != 1 for a in (x, y, t, p)):
        shapes = ", ".join(str(a.shape) for a in (x, y, t, p))
        raise DataError(Fault(where, f"x, y, t, p are {shapes}, not of one length"))
    return [x, y, _since_first(t if t.dtype.kind == "f" else t.astype(np.int64)), p]


def _since_first(t: NDArray[Any]) -> NDArray[Any]:
    return t - t[:1]
