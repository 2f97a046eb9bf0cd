"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import frozen

from snn_datasets.batches import Labelling, samples
from snn_datasets.forms import Form, find, lack
from snn_kernel import Context, DataError, Fault, Samples, Splits, cache

if TYPE_CHECKING:
    from snn_kernel.plan import Plan

HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
CIFAR10_FORMS = (
    Form(
        folder="cifar-10-batches-py",
        archive="cifar-10-python.tar.gz",
        md5="c58f30108f718f92721af3b95e74349a",
        train=_BATCHES,
        test="test_batch",
    ),
    Form(
        folder="cifar-10-batches-bin",
        archive="cifar-10-binary.tar.gz",
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        train=tuple(f"{name}.bin" for name in _BATCHES),
        test="test_batch.bin",
    ),
)
CIFAR100_FORMS = (
    Form(
        folder="cifar-100-python",
        archive="cifar-100-python.tar.gz",
        md5="eb9058c3a382ffc7106e4002c42a8d85",
        train=("train",),
        test="test",
    ),
    Form(
        folder="cifar-100-binary",
        archive="cifar-100-binary.tar.gz",
        md5="03b5dce01913d631647c71ecec9e9cb8",
        train=("train.bin",),
        test="test.bin",
    ),
)
_MEND = f"fetch one of the archives from {HOME} and set params.path to the folder it is in"


@frozen
class CIFAR10:
    """50000 colour photographs of 32x32 pixels to train with and 10000 to test, in 10 classes.

    A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report,
    University of Toronto (2009). x is [N, 32, 32, 3], red, green and blue of 0..255 divided by 255;
    layout NHWC. Classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
    There is no validation set, and nothing is downloaded. Of what is published at
    https://www.cs.toronto.edu/~kriz/cifar.html it reads the Python version (data_batch_1 …
    data_batch_5, test_batch), without unpickling it, and the binary version (….bin), unpacked or
    as cifar-10-python.tar.gz and cifar-10-binary.tar.gz.

    path: the folder that holds these files, their folder (cifar-10-batches-py or
        cifar-10-batches-bin) or the archive, ~ for the home folder; default "": folder cifar10 of
        the cache
    """

    title: ClassVar[str] = "CIFAR10"
    forms: ClassVar[tuple[Form, ...]] = CIFAR10_FORMS

    path: str = ""

    def check(self, plan: Plan, place: str) -> Iterator[str]:
        """Files missing in the folder."""
        if find(folder := self._folder(), self.forms) is None:
            yield f"{lack(folder, self.forms)} ({_MEND})"

    def load(self, context: Context) -> Splits:
        """Both sets in the order of the files.

        DataError for files that are missing, damaged or not what is published there; it tells
        everything that is wrong.
        """
        folder, labelling = self._folder(), self._labelling()
        if (found := find(folder, self.forms)) is None:
            raise DataError(Fault(self.title, lack(folder, self.forms), hint=_MEND))
        contents = found.contents()
        sets: list[Samples] = []
        faults: list[Fault] = []
        for names in (found.form.train, (found.form.test,)):
            try:
                files = [contents.pop(name) for name in names]
                sets.append(samples(files, found.form, labelling))
            except DataError as error:
                faults += error.faults
        if faults:
            raise DataError(*faults)
        return Splits(sets[0], None, sets[1], labelling.classes)

    def _labelling(self) -> Labelling:
        return Labelling(10, "labels")

    def _folder(self) -> Path:
        own = Path(os.path.expanduser(self.path))
        return own if self.path else cache() / self.title.lower()


@frozen
class CIFAR100(CIFAR10):
    """50000 colour photographs of 32x32 pixels to train with and 10000 to test, in 100 classes.

    A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report,
    University of Toronto (2009). x is [N, 32, 32, 3], red, green and blue of 0..255 divided by 255;
    layout NHWC. The classes, in alphabetical order, belong to 20 coarse ones, of which each has
    five. There is no validation set, and nothing is downloaded. Of what is published at
    https://www.cs.toronto.edu/~kriz/cifar.html it reads the Python version (train, test), without
    unpickling it, and the binary version (train.bin, test.bin), unpacked or as
    cifar-100-python.tar.gz and cifar-100-binary.tar.gz.

    path: the folder that holds these files, their folder (cifar-100-python or cifar-100-binary) or
        the archive, ~ for the home folder; default "": folder cifar100 of the cache
    labels: "fine" for the 100 classes, "coarse" for the 20; default "fine"
    """

    title: ClassVar[str] = "CIFAR100"
    forms: ClassVar[tuple[Form, ...]] = CIFAR100_FORMS

    labels: Literal["fine", "coarse"] = "fine"

    def _labelling(self) -> Labelling:
        if self.labels == "coarse":
            return Labelling(20, "coarse_labels", 0, 2)
        return Labelling(100, "fine_labels", 1, 2)
