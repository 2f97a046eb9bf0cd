"""N-MNIST: the handwritten digits, as an event camera saw them while it moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from snn_datasets_events import atis
from snn_datasets_events.store import Folder, Read, Zip, folder_of
from snn_datasets_events.tape import Tape, finished
from snn_kernel import Context, DataError, Fault, Splits, cache

if TYPE_CHECKING:
    from snn_kernel.plan import Plan

SIZE = (34, 34, 2)
CLASSES = 10
PUBLISHED = {"Train": 60_000, "Test": 10_000}
# Recordings have some 1,000 to 8,000 events; whatever has more than a million is none.
BYTES_MAX = 5_000_000
BATCH = 1_000  # files that are decoded at once
_PATH = re.compile(r"(?:^|/)(Train|Test)/([0-9])/([0-9]+)\.bin$")
_SOURCE = "https://www.garrickorchard.com/datasets/n-mnist has Train.zip and Test.zip"


@frozen
class Found:
    """The recordings of one set, in the order of digit and index, and where they lie."""

    store: Folder | Zip
    names: list[str]
    labels: list[int]


@frozen
class NMNIST:
    """60000 digits of 34x34 pixels to train with and 10000 to test, recorded by an event camera.

    G. Orchard, A. Jayawant, G. K. Cohen, N. Thakor, "Converting static image datasets to spiking
    neuromorphic datasets using saccades", Frontiers in Neuroscience 9 (2015),
    doi:10.3389/fnins.2015.00437: the images of MNIST on a screen in front of a camera that makes
    three movements in 0.3 s, some 4,100 events each. Events have size (34, 34, 2), t in µs since
    the recording began, p = 1 where it became brighter; 10 classes. There is no validation set.
    Samples are in the order of digit, then index.

    It is read as published, Train/<digit>/<index>.bin and Test/<digit>/<index>.bin, from folders or
    from zip archives, which are unpacked in memory, never onto the disk. Fewer recordings than
    published are read with a warning. The whole set has 287 million events and needs 4.6 GB of
    memory, 16 bytes an event.

    path: the folder that holds Train and Test, or Train.zip and Test.zip, or one archive with both,
        or that archive itself; ~ for the home folder; default "": folder nmnist of the cache
    """

    path: str = ""

    def check(self, plan: Plan, place: str) -> Iterator[Fault]:
        """Sets that are not there, and archives that cannot be read."""
        try:
            self._find()
        except DataError as error:
            for fault in error.faults:
                yield Fault(place, str(fault))

    def load(self, context: Context) -> Splits:
        """Both sets. DataError for what is missing and for every recording that is damaged."""
        tapes: dict[str, Tape] = {}
        for split, found in self._find().items():
            if (count := len(found.names)) != PUBLISHED[split]:
                text = f"{found.store.path} has {count} recordings in {split}, not the "
                context.warn(f"{text}{PUBLISHED[split]} published: results will not compare")
            tapes[split] = Tape(SIZE)
            with found.store.open(BYTES_MAX) as read:
                for begin in range(0, count, BATCH):
                    context.progress(f"read {split}", begin, count, {})
                    _copy(found, slice(begin, begin + BATCH), read, tapes[split])
            context.progress(f"read {split}", count, count, {})
        finished(tapes.values(), type(self).__name__)
        return Splits(tapes["Train"].events(), None, tapes["Test"].events(), CLASSES)

    def _find(self) -> dict[str, Found]:
        path = folder_of(self.path, cache() / "nmnist")
        found: dict[str, Found] = {}
        stores: list[Folder | Zip] = [Folder(path), *map(Zip, _zips(path))]
        if path.is_file():
            stores = [Zip(path)]
        for store in stores:
            if len(found) < len(PUBLISHED):
                found = _sets(store) | found  # what was found first counts
        if lacking := [split for split in PUBLISHED if split not in found]:
            what = f"no {' and no '.join(f'{s}/<digit>/<index>.bin' for s in lacking)}"
            hint = f"params.path names the folder or the archive; {_SOURCE}"
            where = str(path.absolute())
            raise DataError(Fault(where, f"{what}, in folders or in zip archives", "NMNIST", hint))
        return {split: found[split] for split in PUBLISHED}


def _zips(path: Path) -> list[Path]:
    """The archives of a folder, those with the published names first."""
    return sorted(path.glob("*.zip"), key=lambda p: (p.stem not in PUBLISHED, p.name))


def _sets(store: Folder | Zip) -> dict[str, Found]:
    names = store.names() if isinstance(store, Zip) else store.names("T*/[0-9]/*.bin")
    matches = [m for name in names if (m := _PATH.search(name))]
    matches.sort(key=lambda m: (m[1], int(m[2]), int(m[3]), m.string))
    return {
        split: Found(store, [m.string for m in own], [int(m[2]) for m in own])
        for split in PUBLISHED
        if (own := [m for m in matches if m[1] == split])
    }


def _copy(found: Found, part: slice, read: Read, tape: Tape) -> None:
    """Write the recordings of `part` to the tape."""
    blobs: list[bytes] = []
    labels: list[int] = []
    places: list[str] = []
    for name, label in zip(found.names[part], found.labels[part], strict=True):
        with tape.judging():
            blob, where = read(name), found.store.where(name)
            if not blob or len(blob) % atis.EVENT_BYTES:
                what = f"holds {len(blob)} bytes, not {atis.EVENT_BYTES} for each event"
                raise DataError(Fault(where, what, hint="fetch it again"))
            blobs.append(blob)
            labels.append(label)
            places.append(where)
    signals, lengths = atis.decode(blobs)
    tape.write(signals, labels, places, lengths)
