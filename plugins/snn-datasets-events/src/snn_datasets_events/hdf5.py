"""The HDF5 files of the Heidelberg data sets: spikes/times, spikes/units and labels.

The HDF5 library crashes on some damaged files. It therefore reads in a process of its own,
`python -m snn_datasets_events.hdf5 FILE`, which writes .npy arrays, the length before each, to
standard output, and what is wrong with the file to standard error. What comes of a crash is a
DataError, like all other damage.
"""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from attrs import astuple, fields, frozen
from numpy.typing import NDArray

from snn_datasets_events import npy
from snn_datasets_events.store import Zip
from snn_kernel import DataError, Fault

LENGTH = struct.Struct("<Q")
DONE = "done"
PIECE = 256  # samples that are read at once
# No list of spikes packs to a fiftieth; what unpacks to more (a bomb) is none.
RATIO_MAX = 50
# Addresses that the process may take, as a damaged file may ask for anything: 8 GiB, most of which
# libraries reserve and never use, and what an archive needs that unpacks to 4 times its size.
ADDRESSES_MAX = 8 << 30
FILE_RATIO = 8
# What h5py raises for damaged files, from opening them to reading the last value.
_DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
)


@frozen
class Piece:
    """Consecutive samples: the first's number and how many the file has, labels, how many times
    and units each sample has, and all of these."""

    position: NDArray[Any]
    labels: NDArray[Any]
    times_each: NDArray[Any]
    units_each: NDArray[Any]
    times: NDArray[Any]
    units: NDArray[Any]


def pieces(path: Path) -> Iterator[Piece]:
    """All samples of a file. DataError, naming `path`, where it is damaged or something else."""
    command = [sys.executable, "-P", "-m", __name__, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            count = len(fields(Piece))
            while len(arrays := list(islice(_received(child.stdout, path), count))) == count:
                yield Piece(*arrays)
        finally:
            child.kill()
        said = child.stderr.read().decode("utf-8", "replace").strip().splitlines()
    if not said or said[-1] != DONE:
        what = said[-1] if child.returncode == 1 and said else "is damaged: HDF5 crashes on it"
        raise DataError(Fault(str(path), what, hint="fetch it again"))


def _received(stream: IO[bytes], path: Path) -> Iterator[NDArray[Any]]:
    """The arrays that the other process writes, as far as they are whole."""
    while len(head := stream.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        if len(blob := stream.read(length)) < length:
            return
        yield npy.decode(blob, str(path))


def _send(array: NDArray[Any], stream: IO[bytes]) -> None:
    blob = io.BytesIO()
    np.save(blob, array, allow_pickle=False)
    stream.write(LENGTH.pack(len(blob.getbuffer())))
    stream.write(blob.getbuffer())


def main(path: Path, out: IO[bytes]) -> str:
    """Write all samples of a file to `out`; what is wrong with it, or DONE."""
    try:
        with _opened(path) as file:
            times, units, labels = (file[n] for n in ("spikes/times", "spikes/units", "labels"))
            if not _fitting(times, units, labels):
                return "is no list of samples: times, units and labels differ in number or type"
            for begin in range(0, len(labels), PIECE):
                part = slice(begin, begin + PIECE)
                own = _piece(begin, len(labels), labels[part], times[part], units[part])
                for array in astuple(own):
                    _send(array, out)
    except DataError as error:
        return error.faults[0].what
    except _DAMAGED as error:
        return f"is damaged: {' '.join(str(error).split())}"
    return DONE


def _piece(begin: int, total: int, labels: Any, times: Any, units: Any) -> Piece:
    t_each, x_each = (np.array([len(found) for found in column]) for column in (times, units))
    position = np.array([begin, total])
    return Piece(position, labels, t_each, x_each, np.concatenate(times), np.concatenate(units))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file, unpacked in memory if it is an archive."""
    import h5py

    source: Any = path
    if path.suffix == ".gz":
        source = io.BytesIO(_unpacked(path))
    elif path.suffix == ".zip":
        store = Zip(path)
        inside = [name for name in store.names() if name.endswith(".h5")]
        if len(inside) != 1:
            raise DataError(Fault(str(path), f"has {len(inside)} .h5 files, not one"))
        with store.open(RATIO_MAX * path.stat().st_size) as member:
            source = io.BytesIO(member(inside[0]))
    with h5py.File(source, "r") as file:
        yield file


def _unpacked(path: Path) -> bytes:
    limit = RATIO_MAX * path.stat().st_size
    try:
        with gzip.open(path) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(Fault(str(path), f"is damaged: {error}")) from None
    if len(content) > limit:
        raise DataError(Fault(str(path), f"unpacks to more than {RATIO_MAX} times its size"))
    return content


def _fitting(times: Any, units: Any, labels: Any) -> bool:
    import h5py

    if not all(isinstance(found, h5py.Dataset) for found in (times, units, labels)):
        return False
    kinds = [h5py.check_vlen_dtype(found.dtype) for found in (times, units)]
    numbers = [getattr(kind, "kind", "") for kind in kinds]
    shapes = {times.shape, units.shape, labels.shape}
    right = numbers[0] == "f" and numbers[1] in ("i", "u") and labels.dtype.kind in "iu"
    return right and len(shapes) == 1 and len(labels.shape) == 1


def _limit(path: Path) -> None:
    """Bound the memory of this process, where the system can."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        most = ADDRESSES_MAX + FILE_RATIO * path.stat().st_size
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    file = Path(sys.argv[1])
    _limit(file)
    text = main(file, sys.stdout.buffer)
    sys.stdout.flush()
    print(text, file=sys.stderr)
    sys.exit(text != DONE)
