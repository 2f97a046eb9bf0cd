import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snn_datasets import idx
from snn_kernel import DataError, Samples

MAGIC = {1: b"\0\0\x08\x01", 3: b"\0\0\x08\x03"}


def samples_of(images: bytes, labels: bytes) -> Samples:
    return idx.samples(idx.Content("images", images), idx.Content("labels", labels), classes=10)


def images_of(count: int) -> st.SearchStrategy:
    sides = st.integers(1, 6)
    return st.tuples(sides, sides).flatmap(lambda s: hnp.arrays(np.uint8, (count, *s)))


@given(st.data(), st.booleans())
def test_what_a_writer_writes_is_read_back(idx_bytes, data, zipped):
    labels = np.array(data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=8)), np.uint8)
    images = data.draw(images_of(len(labels)))
    pack = gzip.compress if zipped else bytes
    blobs = [pack(idx_bytes(a)) for a in (images, labels)]
    samples = samples_of(*(idx.unpack(b, "") for b in blobs))
    assert samples.layout == "NHWC"
    assert np.array_equal(samples.y, labels)
    assert np.array_equal(samples.x[..., 0], (images / 255).astype(np.float32))


def read(images: bytes, labels: bytes) -> Samples | None:
    try:
        return samples_of(idx.unpack(images, "i"), idx.unpack(labels, "l"))
    except DataError:
        return None


noise = st.binary(max_size=64)
file_like = st.one_of(
    noise,
    noise.map(lambda b: idx.GZIP + b),
    noise.map(gzip.compress),
    noise.map(lambda b: gzip.compress(b)[:-5]),
    st.builds(lambda dims, b: MAGIC[dims] + b, st.sampled_from((1, 3)), noise),
)


@given(file_like, file_like)
def test_any_bytes_are_samples_or_an_error(images, labels):
    assert isinstance(read(images, labels), Samples | None)


@given(st.data())
def test_a_file_with_one_byte_changed_is_samples_or_an_error(idx_bytes, data):
    files = [idx_bytes(np.ones((4, 2, 3), np.uint8)), idx_bytes(np.arange(4, dtype=np.uint8))]
    zipped = data.draw(st.booleans())
    blobs = [bytearray(gzip.compress(f) if zipped else f) for f in files]
    blob = data.draw(st.sampled_from(blobs))
    blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    found = read(bytes(blobs[0]), bytes(blobs[1]))
    # A pixel or a label may have changed, never how many there are.
    assert found is None or found.x.size == 24


GOOD = MAGIC[3] + bytes((0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1)) + b"\x07\x08"
LABELS = MAGIC[1] + bytes((0, 0, 0, 2)) + b"\x01\x09"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (b"", LABELS, r"images: begins with '', not with the magic number '00 00 08 03'"),
        (LABELS, LABELS, "images: begins with '00 00 08 01'.*images, bytes in three dimensions"),
        (GOOD, GOOD, "labels: begins with '00 00 08 03'.*labels, bytes in one dimension"),
        (GOOD[:11], LABELS, "images: ends within its header, after 11 bytes"),
        (GOOD[:-1], LABELS, "images: holds 1 bytes of data; its header says 2 x 1 x 1"),
        (GOOD + b"\0", LABELS, "images: holds 3 bytes of data; its header says 2 x 1 x 1"),
        (MAGIC[3] + b"\xff" * 12, LABELS, "images: holds 0 bytes of data; its header says 42949"),
        (MAGIC[3] + bytes(12), LABELS, "images: is empty: its header says 0 x 0 x 0"),
        (GOOD, LABELS[:7] + b"\x01\x05", "labels: holds 1 labels for 2 images in images"),
        (GOOD, LABELS[:-1] + b"\x0a", r"labels: label 10 of sample 1 is not one of 0\.\.9$"),
        (GOOD, LABELS[:-2] + b"\xff\x0b", "labels: label 255 of sample 0 .*, nor are 1 more"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(images, labels, message):
    with pytest.raises(DataError, match=message):
        samples_of(images, labels)


def test_both_files_are_told_at_once():
    with pytest.raises(DataError) as caught:
        samples_of(b"", GOOD)
    assert [f.where for f in caught.value.faults] == ["images", "labels"]


@pytest.mark.parametrize("damage", ["truncated", "checksum", "body", "after"])
def test_a_damaged_gzip_file_is_told(damage):
    blob = bytearray(gzip.compress(bytes(range(200))))
    if damage == "truncated":
        blob = blob[: len(blob) // 2]
    elif damage == "after":
        blob += b"more"
    else:
        blob[-6 if damage == "checksum" else 12] ^= 0xFF
    with pytest.raises(DataError, match=r"train.gz: is damaged: .*fetch it again"):
        idx.unpack(bytes(blob), "train.gz")


def test_a_gzip_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(idx, "BYTES_MAX", 1000)
    assert len(idx.unpack(gzip.compress(bytes(1000)), "")) == 1000
    with pytest.raises(DataError, match="bomb: unpacks to more than 1000 bytes"):
        idx.unpack(gzip.compress(bytes(1001)), "bomb")


def test_a_file_that_is_too_large_or_not_there_is_told(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="none: cannot be read: No such file"):
        idx.read(tmp_path / "none")
    monkeypatch.setattr(idx, "BYTES_MAX", 3)
    (tmp_path / "large").write_bytes(b"1234")
    with pytest.raises(DataError, match="large: holds 4 bytes, more than 3"):
        idx.read(tmp_path / "large")
