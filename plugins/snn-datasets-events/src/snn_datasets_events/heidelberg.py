"""The Heidelberg data sets: speech, as an artificial cochlea heard it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from attrs import frozen

from snn_datasets_events.hdf5 import Piece, pieces
from snn_datasets_events.store import folder_of
from snn_datasets_events.tape import Tape, finished
from snn_kernel import Context, DataError, Fault, Splits, cache

if TYPE_CHECKING:
    from snn_kernel.plan import Plan

SIZE = (700, 1, 1)
PACKED = ("", ".gz", ".zip")
_SOURCE = "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd has them"


@frozen
class SHD:
    """Spoken digits, zero to nine in German and English, as spikes of an artificial cochlea.

    B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, "The Heidelberg spiking data sets for the
    systematic evaluation of spiking neural networks", IEEE TNNLS 33 (2020),
    doi:10.1109/TNNLS.2020.3044364. 8156 samples to train with and 2264 to test, 20 classes; there
    is no validation set. Events have size (700, 1, 1): x is the unit, y and p are 0; t is in µs,
    the seconds of the file rounded. Spikes need 16 bytes of memory each. Frames made of them are
    [700, 2], whose second channel, of events with another p, is zeros: the model has dims 1.

    It is read from shd_train.h5 and shd_test.h5 (HDF5: spikes/times, spikes/units, labels), each
    as it is or packed as published (.h5.gz, .h5.zip); packed ones are unpacked in memory. Times
    that are no numbers, negative or not in order are errors that name the sample.

    path: the folder of the files, ~ for the home folder; default "": folder shd of the cache
    """

    prefix: ClassVar[str] = "shd"
    sets: ClassVar[tuple[str, ...]] = ("train", "test")
    classes: ClassVar[int] = 20

    path: str = ""

    def check(self, plan: Plan, place: str) -> Iterator[Fault]:
        """Files missing in the folder."""
        try:
            self._files()
        except DataError as error:
            for fault in error.faults:
                yield Fault(place, str(fault))

    def load(self, context: Context) -> Splits:
        """All sets in the order of the files.

        DataError for files that are missing or damaged and for all samples that are wrong.
        """
        tapes: dict[str, Tape] = {}
        for name, path in self._files().items():
            tape = tapes[name] = Tape(SIZE)
            with tape.judging():
                for piece in pieces(path):
                    _copy(piece, str(path), tape, self.classes)
                    begin, total = piece.position.tolist()
                    context.progress(f"read {path.name}", begin, total, {})
        finished(tapes.values(), type(self).__name__)
        made = {name: tape.events() for name, tape in tapes.items()}
        return Splits(made["train"], made.get("valid"), made["test"], self.classes)

    def _files(self) -> dict[str, Path]:
        folder = folder_of(self.path, cache() / self.prefix)
        found: dict[str, Path] = {}
        for name in self.sets:
            paths = (folder / f"{self.prefix}_{name}.h5{packed}" for packed in PACKED)
            if path := next((path for path in paths if path.is_file()), None):
                found[name] = path
        if missing := [f"{self.prefix}_{name}.h5" for name in self.sets if name not in found]:
            what = f"{' and '.join(missing)} missing, as .h5, .h5.gz or .h5.zip"
            hint = f"set params.path to the folder of the files; {_SOURCE}"
            raise DataError(Fault(str(folder.absolute()), what, type(self).__name__, hint))
        return found


def _copy(piece: Piece, where: str, tape: Tape, classes: int) -> None:
    """Write a piece to the tape, unless something is wrong with one of its samples."""
    told = len(tape.faults)
    first, _ = piece.position.tolist()
    labels, counts = piece.labels.tolist(), piece.times_each.tolist()
    names = [f"{where}, sample {first + i}" for i in range(len(labels))]
    for name, label, t, x in zip(names, labels, counts, piece.units_each.tolist(), strict=True):
        if t != x:
            tape.faults.append(Fault(name, f"has {t} times for {x} units"))
        if not 0 <= label < classes:
            tape.faults.append(Fault(name, f"label {label} is not one of 0..{classes - 1}"))
    if len(tape.faults) == told:
        t = np.rint(piece.times.astype(np.float64) * 1e6)
        nil = np.zeros(len(t), np.uint8)
        tape.write((piece.units, nil, t, nil), labels, names, counts)


@frozen
class SSC(SHD):
    """Spoken commands, 35 English words, as spikes of an artificial cochlea.

    B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, "The Heidelberg spiking data sets for the
    systematic evaluation of spiking neural networks", IEEE TNNLS 33 (2020),
    doi:10.1109/TNNLS.2020.3044364: Speech Commands 0.2 in the form of SHD. 75466 samples to train
    with, 9981 to validate and 20382 to test, 35 classes. Events have size (700, 1, 1): x is the
    unit, y and p are 0; t is in µs, the seconds of the file rounded. Spikes need 16 bytes of
    memory each.

    It is read from ssc_train.h5, ssc_valid.h5 and ssc_test.h5, as SHD is.

    path: the folder of the files, ~ for the home folder; default "": folder ssc of the cache
    """

    prefix: ClassVar[str] = "ssc"
    sets: ClassVar[tuple[str, ...]] = ("train", "valid", "test")
    classes: ClassVar[int] = 35
