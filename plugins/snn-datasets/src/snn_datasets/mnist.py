"""MNIST and the data sets that come in the same four files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
from attrs import field, frozen

from snn_datasets import idx
from snn_datasets.published import FASHION_FILES, MNIST_FILES, Published
from snn_kernel import Context, DataError, Fault, Samples, Splits, cache, write_atomic

if TYPE_CHECKING:
    from snn_kernel.plan import Plan

CLASSES = 10
SCHEMES = ("https://", "http://", "file://")


def _is_url(_: Any, attribute: attrs.Attribute[str], value: str) -> None:
    if not value.startswith(SCHEMES):
        known = ", ".join(SCHEMES)
        raise ValueError(f"'{attribute.alias}' must begin with one of {known}, not '{value}'")


@frozen
class MNIST:
    """60000 handwritten digits of 28x28 pixels to train with and 10000 to test, in 10 classes.

    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86 (1998). x is [N, 28, 28, 1], the pixels 0..255 divided by 255;
    layout NHWC. There is no validation set. It is read from the four idx files
    train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, each as it is or gzipped (.gz). Files of the right form and other
    content are read with a warning.

    path: the folder of the four files, ~ for the home folder; default "": folder mnist of the cache
    download: fetch those files that are missing in that folder; default false
    url: the folder they are fetched from, by https, http or file; default a public mirror
    """

    title: ClassVar[str] = "MNIST"
    files: ClassVar[tuple[Published, ...]] = MNIST_FILES

    path: str = ""
    download: bool = False
    url: str = field(default="https://ossci-datasets.s3.amazonaws.com/mnist/", validator=_is_url)

    def check(self, plan: Plan, place: str) -> Iterator[str]:
        """Files missing in the folder, if nothing will fetch them."""
        folder = self._folder()
        if not self.download and (missing := self._missing(folder)):
            yield f"{_lack(folder, missing)} ({_MEND})"

    def load(self, context: Context) -> Splits:
        """Both sets in the order of the files.

        DataError for files that are missing, damaged, no idx files or contradicting each other,
        and for a download that fails; it tells everything that is wrong.
        """
        folder = self._folder()
        missing = self._missing(folder)
        if missing and not self.download:
            raise DataError(Fault(self.title, _lack(folder, missing), hint=_MEND))
        for file in missing:
            self._fetch(file, folder, context)
        sets: list[Samples] = []
        faults: list[Fault] = []
        for images, labels in (self.files[:2], self.files[2:]):
            try:
                sets.append(self._samples(images, labels, folder, context))
            except DataError as error:
                faults += error.faults
        if faults:
            raise DataError(*faults)
        train, test = sets
        if train.x.shape[1:] != test.x.shape[1:]:
            what = f"the images to train with are {train.x.shape[1:3]}, to test {test.x.shape[1:3]}"
            raise DataError(Fault(str(folder), what, self.title))
        return Splits(train, None, test, CLASSES)

    def _folder(self) -> Path:
        # os.path.expanduser leaves the ~ of nobody as it is, where Path.expanduser would raise.
        own = Path(os.path.expanduser(self.path))
        return own if self.path else cache() / self.title.lower()

    def _missing(self, folder: Path) -> list[Published]:
        return [file for file in self.files if file.find(folder) is None]

    def _fetch(self, file: Published, folder: Path, context: Context) -> None:
        def progress(done: int, total: int) -> None:
            context.progress(f"download {file.name}", done, total, {})

        blob = file.fetch(self.url, progress)
        try:
            write_atomic(folder / f"{file.name}.gz", blob)
        except OSError as error:
            what = f"cannot keep {file.name}.gz: {error.strerror}"
            raise DataError(Fault(str(folder), what, self.title)) from None

    def _samples(
        self, images: Published, labels: Published, folder: Path, context: Context
    ) -> Samples:
        contents: list[idx.Content] = []
        faults: list[Fault] = []
        for file in (images, labels):
            path = file.find(folder) or folder / file.name
            try:
                blob = idx.read(path)
                content = idx.unpack(blob, str(path))
            except DataError as error:
                faults += error.faults
                continue
            contents.append(idx.Content(str(path), content))
            if file.genuine(blob, content) is False:
                context.warn(f"{path} is not {self.title} as published: results will not compare")
        if faults:
            raise DataError(*faults)
        return idx.samples(contents[0], contents[1], CLASSES)


@frozen
class FashionMNIST(MNIST):
    """60000 pictures of clothes of 28x28 pixels to train with and 10000 to test, in 10 classes.

    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv:1708.07747 (2017). The same form as MNIST, with the same names of
    files: x is [N, 28, 28, 1], the pixels 0..255 divided by 255; layout NHWC; no validation set.

    path: the folder of the four files, ~ for the home folder; default "": folder fashionmnist of
        the cache
    download: fetch those files that are missing in that folder; default false
    url: the folder they are fetched from, by https, http or file; default the makers' own
    """

    title: ClassVar[str] = "FashionMNIST"
    files: ClassVar[tuple[Published, ...]] = FASHION_FILES

    url: str = field(
        default="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", validator=_is_url
    )


_MEND = "set params.path to the folder that holds them, or params.download = true"


def _lack(folder: Path, missing: list[Published]) -> str:
    if os.path.isfile(folder):
        return f"{folder} is a file, not the folder of the data set"
    names = "".join(f"\n  {file}" for file in missing)
    return f"{len(missing)} of 4 files are missing in {folder.absolute()}:{names}\n "
