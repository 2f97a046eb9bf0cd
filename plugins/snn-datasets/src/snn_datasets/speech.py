"""Google Speech Commands."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_datasets import idx, recordings
from snn_kernel import Context, DataError, Fault, Samples, Splits, cache

if TYPE_CHECKING:
    from snn_kernel.plan import Plan

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
OTHERS = ("bed", "bird", "cat", "dog", "happy", "house", "marvin", "sheila", "tree", "wow")
V2_ONLY = ("backward", "forward", "follow", "learn", "visual")
WORDS = (*DIGITS, *COMMANDS, *OTHERS, *V2_ONLY)
SETS = ("train", "valid", "test")
LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
LENGTH = 16000  # samples of a signal: one second
TOLD = 10  # faulty files or words that are told one by one
HASH_MAX = (1 << 27) - 1
VALID_PERCENT, TEST_PERCENT = 10, 10
BLOCK = 512  # recordings between two reports of progress
_MEND = "set params.path to the folder that {} was unpacked in"


@frozen
class GSC:
    """Google Speech Commands: a second of sound in which somebody says one of 35 (30) words.

    P. Warden, "Speech commands: a dataset for limited-vocabulary speech recognition",
    arXiv:1804.03209 (2018). x is [N, 16000, 1], 16 bits at 16 kHz divided by 2¹⁵, so in [-1, 1);
    layout NLC. Recordings that are shorter end in zeros, longer ones are cut. All words of v2 are
    105829 recordings and take 6.8 GB of memory, those of v1 4.1 GB.

    The sets are those of validation_list.txt and testing_list.txt, what is in neither is for
    training. Where both lists are missing, the rule that made them decides: SHA-1 of the name of a
    file before "_nohash_", which tells the speaker, modulo 2²⁷, of which the first 10 % are for
    validation and the next 10 % for testing, so that nobody is in two sets. Within a set recordings
    are in the order of their classes, then of their names. Folders that are none of the words, such
    as _background_noise_, are not read.

    Nothing is downloaded: speech_commands_v0.02.tar.gz (v1: v0.01) is to be had from
    http://download.tensorflow.org/data/ and to be unpacked.

    path: the folder that holds a folder of wav files for each word, or the folder above if that is
        named speech_commands_v0.02 (v1: v0.01), ~ for the home folder; default "": folder gsc of
        the cache
    variant: "v2" with 35 words or "v1" with 30; default "v2"
    subset: which words are the classes, in this order: "all" in alphabetical order, "digits" from
        zero to nine, "commands" yes, no, up, down, left, right, on, off, stop, go; default "all"
    """

    title: ClassVar[str] = "GSC"

    path: str = ""
    variant: Literal["v1", "v2"] = "v2"
    subset: Literal["all", "digits", "commands"] = "all"

    @property
    def words(self) -> tuple[str, ...]:
        """Those that are the classes, class 0 first."""
        if self.subset != "all":
            return DIGITS if self.subset == "digits" else COMMANDS
        return tuple(sorted(set(WORDS) - set(V2_ONLY if self.variant == "v1" else ())))

    def check(self, plan: Plan, place: str) -> Iterator[str | Fault]:
        """Folders that are missing or of the other variant, and one list without the other."""
        try:
            self._lists(self._folder())
        except DataError as error:
            yield from (f"{f.what} ({f.hint})" for f in error.faults)

    def load(self, context: Context) -> Splits:
        """All three sets; one without recordings is absent.

        DataError for folders or listed files that are missing, for recordings of another form, and
        where memory does not hold them; it tells everything that is wrong, of many files the first.
        """
        folder = self._folder()
        files = self._files(folder)
        sets = self._sets(folder, files)
        counts = [len(sets[name]) for name in SETS]
        order = [index for name in SETS for index in sets[name]]
        x = self._signals([folder / files[i] for i in order], context)
        classes = {word: label for label, word in enumerate(self.words)}
        y = np.array([classes[files[i].partition("/")[0]] for i in order], np.int64)
        bounds = pairwise([0, *np.cumsum(counts).tolist()])
        parts = [Samples(x[a:b], y[a:b], "NLC") if a < b else None for a, b in bounds]
        return Splits(parts[0], parts[1], parts[2], len(classes))

    def _folder(self) -> Path:
        """The folder of the words; DataError for what is not there."""
        own = Path(os.path.expanduser(self.path)) if self.path else cache() / "gsc"
        name = f"speech_commands_v0.0{self.variant[1]}"
        mend = _MEND.format(f"http://download.tensorflow.org/data/{name}.tar.gz")
        if not os.path.isdir(own):
            if os.path.isfile(own):
                raise self._fault(f"{own} is a file, not the folder of the data set", mend)
            raise self._fault(f"the folder {own.absolute()} is not there", mend)
        folder = own / name if os.path.isdir(own / name) else own
        absent = [word for word in sorted(WORDS) if not os.path.isdir(folder / word)]
        if self.variant == "v2" and set(absent) == set(V2_ONLY):
            what = f"{folder.absolute()} holds all words of v1, none of those that only v2 has"
            raise self._fault(what, 'set params.variant = "v1", or params.path to v2')
        if missing := [word for word in self.words if word in absent]:
            what = f"{len(missing)} of {len(self.words)} words are missing in {folder.absolute()}: "
            raise self._fault(what + _some(missing), mend)
        if self.variant == "v1" and not set(absent) & set(V2_ONLY):
            what = f"{folder.absolute()} holds {', '.join(V2_ONLY)}, which v1 has not"
            raise self._fault(what, 'set params.variant = "v2", or params.path to v1')
        return folder

    def _files(self, folder: Path) -> list[str]:
        """All recordings of the words, as "word/name.wav", in order."""
        files: list[str] = []
        for word in self.words:
            try:
                names = sorted(n for n in os.listdir(folder / word) if n.endswith(".wav"))
            except OSError as error:
                what = f"cannot be read: {error.strerror}"
                raise DataError(Fault(str(folder / word), what, self.title)) from None
            files += [f"{word}/{name}" for name in names]
        if not files:
            raise self._fault(f"{folder.absolute()} holds folders of words, but no wav files")
        return files

    def _lists(self, folder: Path) -> dict[str, Path]:
        """The files that list what is in a set, by its name; none if all are missing."""
        lists = {name: folder / LISTS[name] for name in LISTS}
        missing = [path for path in lists.values() if not os.path.isfile(path)]
        if missing and len(missing) < len(lists):
            hint = "the archive has it; without both lists, the rule that made them decides"
            raise self._fault(f"{missing[0].absolute()} is missing", hint)
        return {} if missing else lists

    def _sets(self, folder: Path, files: list[str]) -> dict[str, list[int]]:
        """Which of the files are in which set, by their indices."""
        lists = self._lists(folder)
        chosen = self._by_lists(lists, files) if lists else [_by_rule(file) for file in files]
        return {name: [i for i, c in enumerate(chosen) if c == name] for name in SETS}

    def _by_lists(self, lists: dict[str, Path], files: list[str]) -> list[str]:
        """The set of each file."""
        known = dict.fromkeys(files, "train")
        words = set(self.words)
        faults: list[Fault] = []
        for name, path in lists.items():
            lines = idx.read(path).decode("utf-8", "replace").split()
            listed = [line for line in lines if line.partition("/")[0] in words]
            if absent := [file for file in listed if file not in known]:
                what = f"lists {len(absent)} recordings that are not there: {_some(absent)}"
                faults.append(Fault(str(path), what, self.title, "unpack the archive again"))
            if twice := [file for file in listed if known.get(file) not in (None, "train", name)]:
                what = f"lists {len(twice)} recordings of {LISTS['valid']} again: {_some(twice)}"
                faults.append(Fault(str(path), what, self.title))
            known.update((file, name) for file in listed if file in known)
        if faults:
            raise DataError(*faults)
        return list(known.values())

    def _signals(self, paths: list[Path], context: Context) -> NDArray[np.float32]:
        """The signals of all recordings, [N, 16000, 1]."""
        try:
            x = np.zeros((len(paths), LENGTH, 1), np.float32)
        except MemoryError:
            size = f"{len(paths) * LENGTH * 4 / 2**30:.1f} GiB"
            what = f"{len(paths)} recordings need {size} of memory"
            hint = 'params.subset = "digits" or "commands" takes fewer'
            raise self._fault(what, hint) from None
        faults: list[Fault] = []
        for i, path in enumerate(paths):
            try:
                recordings.read(path, x[i, :, 0])
            except DataError as error:
                faults += error.faults
            if (i + 1) % BLOCK == 0 or i + 1 == len(paths):
                context.progress("recordings", i + 1, len(paths), {})
        if (more := len(faults) - TOLD) > 0:
            faults[TOLD:] = [Fault(self.title, f"{more} more recordings are wrong")]
        if faults:
            raise DataError(*faults)
        return x

    def _fault(self, what: str, hint: str = "") -> DataError:
        return DataError(Fault(self.title, what, hint=hint))


def _by_rule(file: str) -> str:
    """The set of a recording, by the function which_set that is published with them."""
    speaker = Path(file).name.partition("_nohash_")[0]
    digest = hashlib.sha1(speaker.encode(errors="surrogateescape"), usedforsecurity=False)
    percent = int(digest.hexdigest(), 16) % (HASH_MAX + 1) * (100.0 / HASH_MAX)
    if percent < VALID_PERCENT:
        return "valid"
    return "test" if percent < VALID_PERCENT + TEST_PERCENT else "train"


def _some(names: list[str]) -> str:
    """The first of many."""
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return ", ".join(names[:TOLD]) + more
