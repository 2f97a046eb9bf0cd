"""What the tests of the data sets share: writers of published forms, and a context that listens."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen
from numpy.typing import NDArray

from snn_kernel import Context


def write_idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="session")
def idx_bytes() -> Callable[[NDArray[np.uint8]], bytes]:
    """The idx file of an array of bytes."""
    return write_idx


@frozen
class Heard:
    context: Context
    steps: list[tuple[str, int, int]] = field(factory=list)
    warnings: list[str] = field(factory=list)


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    """A context, and what was told through it."""
    steps: list[tuple[str, int, int]] = []
    warnings: list[str] = []

    def progress(part: str, done: int, total: int, _: Any) -> None:
        steps.append((part, done, total))

    context = Context(0, tmp_path / "run", progress, warnings.append)
    return Heard(context, steps, warnings)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder of four small files in the form of MNIST: 30 images to train, 20 to test, of 5x4."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    draw = np.random.default_rng(1)
    for name, count in (("train", 30), ("t10k", 20)):
        images = draw.integers(0, 256, (count, 5, 4), np.uint8)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(write_idx(images))
        labels = np.arange(count, dtype=np.uint8) % 10
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(write_idx(labels))
    return folder


def _python2(value: Any) -> bytes:
    """`value` as cPickle of Python 2 wrote it in protocol 2, but for its memo: str as latin-1."""
    match value:
        case int():
            return b"J" + struct.pack("<i", value)
        case str():
            data = value.encode("latin-1")
            short = len(data) < 256
            return (
                b"U" + bytes([len(data)]) if short else b"T" + struct.pack("<i", len(data))
            ) + data
        case list():
            return b"](" + b"".join(map(_python2, value)) + b"e"
        case dict():
            return b"}(" + b"".join(_python2(k) + _python2(v) for k, v in value.items()) + b"u"
        case np.ndarray():
            shape = b"(" + b"".join(map(_python2, value.shape)) + b"t"
            dtype = b"cnumpy\ndtype\nq\x0bU\x02u1K\x00K\x01\x87Rq\x0c"
            dtype += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            made = b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08"
            made += b"K\x00\x85q\tU\x01b\x87Rq\n"
            data = _python2(value.tobytes().decode("latin-1"))
            return made + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"
    raise TypeError(value)


@pytest.fixture(scope="session")
def python2_pickle() -> Callable[[Any], bytes]:
    """The bytes of a pickle as published: from Python 2, of text, numbers, lists, arrays."""
    return lambda value: b"\x80\x02" + _python2(value) + b"."


@pytest.fixture(scope="session")
def wav_bytes() -> Callable[..., bytes]:
    """A wav file of samples, in the form of Speech Commands or another."""

    def make(samples: Any, rate: int = 16000, channels: int = 1, dtype: str = "<i2") -> bytes:
        data = np.asarray(samples, dtype).tobytes()
        width = np.dtype(dtype).itemsize
        form = (1, channels, rate, rate * channels * width, channels * width, 8 * width)
        head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, *form) + b"data"
        body = head + struct.pack("<I", len(data)) + data
        return b"RIFF" + struct.pack("<I", len(body)) + body

    return make


CIFAR = {
    "CIFAR10": (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
    "CIFAR100": ("train", "test"),
}
FOLDERS = {
    ("CIFAR10", "python"): "cifar-10-batches-py",
    ("CIFAR10", "binary"): "cifar-10-batches-bin",
    ("CIFAR100", "python"): "cifar-100-python",
    ("CIFAR100", "binary"): "cifar-100-binary",
}


@pytest.fixture
def cifar(tmp_path: Path, python2_pickle: Callable[[Any], bytes]) -> Callable[..., Path]:
    """Makes the published folder of a data set in some form, of 4 images in every file; with
    `python3`, of the pickles that Python 3 writes. The folder above comes back."""

    def make(kind: str, form: str = "python", python3: bool = False) -> Path:
        folder = tmp_path / "data" / FOLDERS[kind, form]
        folder.mkdir(parents=True)
        draw = np.random.default_rng(7)
        for name in CIFAR[kind]:
            images = draw.integers(0, 256, (4, 3072), np.uint8)
            fine, coarse = draw.integers(0, 10 if kind == "CIFAR10" else 100, 4), [0, 19, 5, 5]
            if form == "binary":
                labels = fine[:, None] if kind == "CIFAR10" else np.stack([coarse, fine], axis=1)
                records = np.concatenate([labels.astype(np.uint8), images], axis=1)
                (folder / f"{name}.bin").write_bytes(records.tobytes())
                continue
            table = {"filenames": [f"{name}_{i}.png" for i in range(4)], "batch_label": name}
            if kind == "CIFAR10":
                table |= {"data": images, "labels": fine.tolist()}
            else:
                table |= {"fine_labels": fine.tolist(), "coarse_labels": coarse, "data": images}
            pickled = pickle.dumps(table, 2) if python3 else python2_pickle(table)
            (folder / name).write_bytes(pickled)
        return folder.parent

    return make
