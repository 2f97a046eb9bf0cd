"""Recordings of one file, by suffix: read back as written, and damage named."""

import io
from importlib import metadata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_datasets_events import files
from snn_kernel import DataError

NAMES = ("x", "y", "t", "p")


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_every_reader_is_found_by_its_suffix():
    found = {e.name: e.load() for e in metadata.entry_points(group="snn_kernel.recordings")}
    readers = {"bin": files.of_bin, "bs3": files.of_bs3, "npy": files.of_npy, "npz": files.of_npz}
    assert readers.items() <= found.items()


@given(
    st.permutations(NAMES),
    st.sampled_from(["<u4", "<i8", ">u2", "<f8"]),
    st.lists(st.tuples(*[st.integers(0, 60_000)] * 4), max_size=20),
)
def test_records_of_any_order_and_type(names, kind, rows):
    array = np.zeros(len(rows), [(name, kind) for name in names])
    for name, column in zip(NAMES, zip(*rows, strict=True), strict=False):
        array[name] = column
    signals = files.of_npy(saved(array), "f")
    assert list(zip(*(s.tolist() for s in signals), strict=True)) == rows


@given(st.binary(max_size=300))
def test_bytes_that_are_no_npy_file(data):
    with pytest.raises(DataError, match=r"is no \.npy file"):
        files.of_npy(data, "f")


@given(st.data())
def test_damaged_records_are_an_error_or_records(data):
    blob = bytearray(saved(np.zeros(3, [(name, "<u4") for name in NAMES])))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    try:
        signals = files.of_npy(bytes(blob[: data.draw(st.integers(0, len(blob)))]), "f")
    except DataError:
        return
    assert len({s.shape for s in signals}) == 1


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((3, 4)), "found float64 .*record array"),
        (np.zeros(3, [("x", "u4"), ("y", "u4")]), "found x, y"),
        (np.zeros(3, [(n, "u4") for n in "xytpq"]), "found x, y, t, p, q"),
        (np.zeros(3, [(n, "S2") for n in "xytp"]), "the fields x, y, t, p are not numbers"),
        (np.zeros((2, 2), [(n, "u4") for n in "xytp"]), r"of shape \(2, 2\), not .*\.ravel\(\)"),
        (np.zeros((), [(n, "u4") for n in "xytp"]), r"of shape \(\), not one record after"),
        (np.array([None]), "found object"),
    ],
)
def test_other_arrays_are_named(array, text):
    with pytest.raises(DataError, match=text):
        files.of_npy(saved(array), "f")


def test_a_header_that_promises_more_than_there_is():
    blob = saved(np.zeros(3, [(name, "<u4") for name in NAMES]))
    with pytest.raises(DataError, match=r"holds 47 bytes of data; .*\(fetch it again\)"):
        files.of_npy(blob[:-1], "f")
    huge = blob.replace(b"(3,)", b"(9" + 9 * b"9" + b",)", 1)
    with pytest.raises(DataError):
        files.of_npy(huge, "f")


def test_archives_of_arrays(tmp_path):
    columns = {name: np.arange(3) + i for i, name in enumerate(NAMES)}
    np.savez(tmp_path / "a.npz", **columns)
    found = files.of_npz((tmp_path / "a.npz").read_bytes(), "a")
    assert [s.tolist() for s in found] == [c.tolist() for c in columns.values()]
    np.savez(tmp_path / "b.npz", **{**columns, "t": np.arange(4)})
    with pytest.raises(DataError, match="not of one length"):
        files.of_npz((tmp_path / "b.npz").read_bytes(), "b")


def test_recordings_of_cameras(write):
    event = (3, 4, 5, 1)
    assert [s.tolist() for s in files.of_bin(write.atis([event]), "f")] == [[n] for n in event]
    with pytest.raises(DataError, match="holds 4 bytes"):
        files.of_bin(b"1234", "f")
    blob = write.bs3([event])
    assert [s.tolist() for s in files.of_bs3(blob, "f")] == [[n] for n in event]
