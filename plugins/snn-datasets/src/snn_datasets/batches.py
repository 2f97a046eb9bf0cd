"""The batches of CIFAR-10 and CIFAR-100.

A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html, gives both data sets as pickles of
Python 2 and as a binary form. An image is 3072 bytes: 32 rows of 32 pixels of red, then of green,
then of blue.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_datasets import pickled
from snn_datasets.forms import Form
from snn_datasets.idx import Content
from snn_kernel import DataError, Fault, Samples

IMAGE = (3, 32, 32)
PIXELS = 3072


@frozen
class Labelling:
    """Where the labels 0..classes-1 of images stand: the pickles' key, or of the `columns` bytes
    before an image in the binary form that at `column`."""

    classes: int
    key: str
    column: int = 0
    columns: int = 1


@frozen
class Batch:
    """Images uint8 [N, 3, 32, 32] and labels [N], of one file."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def samples(contents: list[Content], form: Form, labelling: Labelling) -> Samples:
    """Samples, layout NHWC, of the batches of one set, one after the other.

    x is [N, 32, 32, 3], the pixels 0..255 divided by 255. DataError with everything that is wrong
    with the files.
    """
    batches: list[Batch] = []
    faults: list[Fault] = []
    for content in contents:
        try:
            batches.append((_records if form.binary else _pickle)(content, labelling))
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(*faults)
    y = np.concatenate([batch.labels for batch in batches])
    x = np.empty((len(y), 32, 32, 3), np.float32)
    done = 0
    for batch in batches:
        part = x[done : done + len(batch.images)]
        np.divide(batch.images.transpose(0, 2, 3, 1), np.float32(255), out=part)
        done += len(part)
    return Samples(x, y, "NHWC")


def _records(content: Content, labelling: Labelling) -> Batch:
    """Of a file in the binary form."""
    size = labelling.columns + PIXELS
    if not content.data or len(content.data) % size:
        what = f"holds {len(content.data)} bytes, not a multiple of {size}, the bytes of an image"
        raise DataError(Fault(content.where, what, hint="fetch it again"))
    records = np.frombuffer(content.data, np.uint8).reshape(-1, size)
    labels = records[:, labelling.column].astype(np.int64)
    images = records[:, labelling.columns :].reshape(-1, *IMAGE)
    return Batch(images, _checked(labels, labelling, content.where))


def _pickle(content: Content, labelling: Labelling) -> Batch:
    """Of a file of the Python form."""
    where = content.where
    value = pickled.parse(content.data, where)
    table: dict[str, Any] = value if isinstance(value, dict) else {}
    if lacks := [repr(key) for key in ("data", labelling.key) if key not in table]:
        raise DataError(Fault(where, f"holds no dictionary with {' and '.join(lacks)}"))
    images = pickled.array(table["data"], f"{where}, 'data'")
    if images.ndim != 2 or images.shape[1] != PIXELS or not len(images):
        what = f"is {' x '.join(map(str, images.shape))}, not images x {PIXELS}"
        raise DataError(Fault(f"{where}, 'data'", what))
    listed = table[labelling.key]
    if not isinstance(listed, list) or not all(type(label) is int for label in listed):
        raise DataError(Fault(f"{where}, '{labelling.key}'", "is no list of whole numbers"))
    if len(listed) != len(images):
        what = f"holds {len(listed)} labels for {len(images)} images"
        raise DataError(Fault(f"{where}, '{labelling.key}'", what))
    labels = _checked(np.array(listed, np.int64), labelling, where)
    return Batch(images.reshape(-1, *IMAGE), labels)


def _checked(labels: NDArray[np.int64], labelling: Labelling, where: str) -> NDArray[np.int64]:
    classes = labelling.classes
    if len(wrong := np.flatnonzero((labels < 0) | (labels >= classes))):
        what = f"label {labels[wrong[0]]} of image {wrong[0]} is not one of 0..{classes - 1}"
        more = f", nor are {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise DataError(Fault(where, what + more))
    return labels
