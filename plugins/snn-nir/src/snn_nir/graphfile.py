"""Graphs in files: HDF5, as the package nir writes it."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define, field

from snn_kernel import DataError, Fault, write_atomic

if TYPE_CHECKING:
    import nir

BYTES_MAX = 1 << 30  # of a file, and of all its arrays together when unpacked
TEXTS_MAX = 1 << 16  # in an array of names; edges have two
ITEMS_MAX = 1 << 16  # groups and arrays of a file
PATIENCE_S = 60.0  # that another process may take to walk through a file
DEPTH_MAX = 64  # of groups within groups: a graph within a graph takes two


def write(path: Path, graph: nir.NIRGraph) -> Path:
    """The graph at `path`, whole or not at all."""
    import nir

    file = io.BytesIO()
    nir.write(file, graph)
    return write_atomic(path, file.getvalue())


def read(path: Path, own: bool = False) -> nir.NIRGraph:
    """The graph at `path`; DataError with all that is wrong with it.

    Nothing is read before its size is known, and nothing that lies in another file. A damaged file
    can make the library HDF5 loop or crash, so another process tries it before, unless it is our
    `own`, just written. Types are not checked by the package, which knows neither groups nor
    windows that are not square.
    """
    import nir

    tree = _tree(path, own)
    faults: list[Fault] = []
    made = _node(tree.get("node"), str(path), "", faults)
    if not faults and not isinstance(made, nir.NIRGraph):
        faults.append(Fault(str(path), f"holds a {type(made).__name__}, no graph"))
    if faults:
        raise DataError(*faults)
    return made


def _tree(path: Path, own: bool) -> Mapping[str, Any]:
    try:
        if (size := path.stat().st_size) > BYTES_MAX:
            what = f"has {size} bytes, more than the {BYTES_MAX} that are read"
            raise DataError(Fault(str(path), what))
        blob = path.read_bytes()
    except OSError as error:
        raise DataError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    try:
        if not own:
            _tried(blob)
        return _walked(blob)
    except _RefusedError as refusal:
        raise DataError(Fault(str(path), str(refusal))) from None
    except Exception as error:  # HDF5 tells damage by whatever the place where it is found raises
        what = f"is no HDF5 file, or damaged: {str(error) or type(error).__name__}"
        raise DataError(Fault(str(path), what)) from None


def _tried(blob: bytes) -> None:
    """Walk through it in another process; RefusedError if that does not come back."""
    command = [sys.executable, "-m", "snn_nir.graphfile"]
    try:
        done = subprocess.run(
            command, input=blob, capture_output=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise _RefusedError(f"is damaged: HDF5 found no end in {PATIENCE_S:g} s") from None
    if done.returncode:
        raise _RefusedError(f"is damaged: HDF5 ended with status {done.returncode}")


def _walked(blob: bytes) -> Mapping[str, Any]:
    import h5py

    with h5py.File(io.BytesIO(blob), "r") as file:
        return _Walk(h5py).group(file, 0)


class _RefusedError(Exception):
    """A file is sound, but not what is read."""


@define
class _Walk:
    """From the groups of a file to dictionaries; what it has met so far is counted."""

    h5py: Any
    items: int = 0
    bytes: int = 0
    limits: Mapping[str, int] = field(factory=lambda: {"items": ITEMS_MAX, "bytes": BYTES_MAX})

    def group(self, group: Any, depth: int) -> dict[str, Any]:
        """What is in a group, by name."""
        if depth > DEPTH_MAX:
            raise _RefusedError(f"has groups within groups, more than {DEPTH_MAX} deep")
        made: dict[str, Any] = {}
        for name in group:
            self.count("items", 1)
            if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
                raise _RefusedError(f"'{group.name}/{name}' is a link to elsewhere")
            item = group[name]
            inside = isinstance(item, self.h5py.Group)
            made[name] = self.group(item, depth + 1) if inside else self.value(item)
        return made

    def value(self, item: Any) -> Any:
        """A number, a text, an array of either."""
        if not isinstance(item, self.h5py.Dataset) or item.is_virtual or item.external:
            raise _RefusedError(f"'{item.name}' is no array in this file")
        if item.shape is None or item.dtype.kind not in "fiubOS":
            raise _RefusedError(f"'{item.name}' is no array of numbers or texts")
        count = math.prod(item.shape)
        if item.dtype.kind in "OS" and count > TEXTS_MAX:
            raise _RefusedError(f"'{item.name}' has {count} texts, more than {TEXTS_MAX}")
        self.count("bytes", count * item.dtype.itemsize)
        value = item[()]
        if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
            return np.array([_text(v) for v in value.flat], object).reshape(value.shape)
        return _text(value) if isinstance(value, bytes) else value

    def count(self, what: str, by: int) -> None:
        """Add to what has been met."""
        setattr(self, what, getattr(self, what) + by)
        if getattr(self, what) > self.limits[what]:
            raise _RefusedError(f"has more than {self.limits[what]} {what}")


def _text(value: Any) -> str:
    if not isinstance(value, bytes):
        raise _RefusedError("has an array of what are neither numbers nor texts")
    return value.decode()


def _node(tree: Any, where: str, name: str, faults: list[Fault]) -> Any:
    """The node of a dictionary, None if there is none; `faults` takes why."""
    import nir

    place = f"{where}, node '{name}'" if name else where
    kind = tree.get("type") if isinstance(tree, Mapping) else None
    if not isinstance(kind, str):
        faults.append(Fault(place, "is no node of NIR: it has no type"))
        return None
    if kind == "NIRGraph":
        return _graph(tree, where, name, faults)
    try:
        return nir.dict2NIRNode(dict(tree))
    except Exception as error:  # the package checks little, and by what comes
        known = kind in nir.ir.__all__
        why = f"{type(error).__name__}: {error}" if known else "NIR has no such node"
        faults.append(Fault(f"{place} ({kind})", f"is damaged, or of a later NIR: {why}"))
        return None


def _graph(tree: Mapping[str, Any], where: str, name: str, faults: list[Fault]) -> Any:
    import nir

    place = f"{where}, node '{name}'" if name else where
    inside, edges = tree.get("nodes"), tree.get("edges", ())
    if not isinstance(inside, Mapping) or not inside:
        faults.append(Fault(place, "is a graph without nodes"))
        return None
    under = f"{name}." if name else ""
    nodes = {key: _node(value, where, under + key, faults) for key, value in inside.items()}
    pairs = list(_edges(edges))
    if len(pairs) != len(np.asarray(edges)):
        faults.append(Fault(place, "has edges that are not pairs of names"))
    if faults:
        return None
    metadata = tree.get("metadata", {})
    own = metadata if isinstance(metadata, dict) else {}
    return nir.NIRGraph(nodes, pairs, metadata=own, type_check=False)


def _edges(edges: Any) -> Iterator[tuple[str, str]]:
    for edge in np.asarray(edges, object).reshape(-1, 2) if np.size(edges) % 2 == 0 else ():
        if all(isinstance(end, str) for end in edge):
            yield str(edge[0]), str(edge[1])


if __name__ == "__main__":
    with suppress(Exception):  # what is raised here is raised, and told, where it is read again
        _walked(sys.stdin.buffer.read())
