"""Events from a file, and events and counts into one.

Who reads a file is decided by its suffix: an entry point of group `snn_kernel.recordings` of this
name is a function from its bytes, and where it lies, to arrays x, y, t (µs) and p.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_kernel import EVENT, ConfigError, DataError, Fault, write_atomic
from snn_kernel.errors import near

GROUP = "snn_kernel.recordings"
WRITTEN = (".npy", ".csv")
BYTES_MAX = 1 << 32  # of a file: 268 million events of 16 bytes


def read(path: Path) -> NDArray[Any]:
    """The events of a file as records (x, y, t, p), t in µs.

    ConfigError where nobody reads such files, DataError for what cannot be read or is no event.
    """
    readers = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in readers:
        hint = near(suffix, readers) if readers else "pip install snn-datasets-events"
        raise ConfigError(Fault(str(path), f"nobody here reads .{suffix} files", "", hint))
    try:
        if (size := path.stat().st_size) > BYTES_MAX:
            what = f"has {size} bytes, more than the {BYTES_MAX} that are read"
            raise DataError(Fault(str(path), what, "", "split it"))
        blob = path.read_bytes()
    except OSError as error:
        raise DataError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    x, y, t, p = readers[suffix].load()(blob, str(path))
    records = np.empty(len(t), [("x", "<u4"), ("y", "<u4"), ("t", "<i8"), ("p", "<u4")])
    for name, signal in zip("xytp", (x, y, t, p), strict=True):
        records[name] = _whole(signal, name, path)
    return records


def _whole(signal: NDArray[Any], name: str, path: Path) -> NDArray[Any]:
    """The numbers of a field; DataError for the first that is none of an event."""
    limit = 1 << (63 if name == "t" else 32)
    good = (signal >= 0) & (signal < limit)  # in this form NaN is not
    if signal.dtype.kind == "f":
        good &= signal == np.floor(signal)
    if not good.all():
        at = int(np.argmin(good))
        raise DataError(Fault(f"{path}, event {at}", f"its {name} is {signal[at]}"))
    return signal


def fit(
    events: NDArray[Any], input_shape: tuple[int, ...], path: Path, unsorted: bool = False
) -> None:
    """DataError that names the first event outside of the input, and the first one that is earlier
    than the one before it, unless they may be."""
    channels, height, width = (*input_shape, 1, 1)[:3]
    x, y, t, p = (events[name] for name in "xytp")
    outside = (x >= width) | (y >= height) | (p >= channels)
    early = np.zeros(len(t), bool) if unsorted else np.diff(t, prepend=t[:1]) < 0
    faults = []
    for wrong, what, hint in (
        (outside, f"is not within {width} x {height} positions, {channels} channels", ""),
        (early, "is earlier than the event before it", "--unsorted takes them as they come"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            place = f"{path}, event {at} (x {x[at]}, y {y[at]}, t {t[at]}, p {p[at]})"
            faults.append(Fault(place, what, "", hint))
    if faults:
        raise DataError(*faults)


def write(path: Path, records: NDArray[Any]) -> Path:
    """Events as .npy (records x, y, t, p) or .csv, by the suffix of `path`, atomically."""
    file = io.BytesIO()
    if path.suffix == ".npy":
        np.save(file, records)
        return write_atomic(path, file.getvalue())
    rows = np.stack([records[name].astype(np.int64) for name in EVENT.names or ()], axis=1)
    np.savetxt(file, rows, "%d", ",", header=",".join(EVENT.names or ()), comments="")
    return write_atomic(path, file.getvalue())


def beside(path: Path, layer: str) -> Path:
    """Where the events of `layer` go, if those of the network go to `path`."""
    own = re.sub(r"[^\w.-]", lambda found: f"%{ord(found[0]):02X}", layer)
    return path.with_name(f"{path.stem}.{own}{path.suffix}")


def table(counters: Mapping[str, Mapping[str, int]]) -> str:
    """Counters as CSV: a row for each layer."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = list(next(iter(counters.values())))
    writer.writerow(["layer", *names])
    writer.writerows([layer, *counts.values()] for layer, counts in counters.items())
    return out.getvalue()
