import gzip
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets_events import hdf5
from snn_datasets_events.heidelberg import SHD, SSC
from snn_kernel import DataError

Spikes = list[tuple[float, int]]  # seconds, unit


def write(path: Path, samples: list[Spikes], labels: list[int], times: str = "f4") -> Path:
    """A file as published; `times` is the type of the times."""
    with h5py.File(path, "w") as file:
        for name, column, kind in (("times", 0, times), ("units", 1, "u2")):
            made = file.create_dataset(f"spikes/{name}", len(samples), h5py.vlen_dtype(kind))
            for i, sample in enumerate(samples):
                made[i] = np.array([event[column] for event in sample], kind)
        file["labels"] = np.array(labels, "u2")
    return path


def samples_of(count: int, seed: int = 0) -> list[Spikes]:
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        n = int(draw.integers(1, 40))
        times = np.sort(draw.uniform(0, 1.2, n)).astype(np.float16)
        made.append(
            [(float(t), int(u)) for t, u in zip(times, draw.integers(0, 700, n), strict=True)]
        )
    return made


@pytest.fixture
def shd(tmp_path: Path) -> Path:
    """A folder with 300 samples to train with, in two pieces, and 5 to test."""
    write(tmp_path / "shd_train.h5", samples_of(300), [i % 20 for i in range(300)])
    write(tmp_path / "shd_test.h5", samples_of(5, 1), [19, 0, 0, 3, 2])
    return tmp_path


def expected(samples: list[Spikes]) -> list[list[tuple[int, int, int, int]]]:
    return [[(unit, 0, round(t * 1e6), 0) for t, unit in sample] for sample in samples]


def test_spikes_are_events_in_microseconds(shd, heard, rows):
    assert list(SHD(str(shd)).check(None, "")) == []
    splits = SHD(str(shd)).load(heard.context)
    assert rows(splits.train) == expected(samples_of(300))
    assert rows(splits.test) == expected(samples_of(5, 1))
    assert splits.train.labels.tolist() == [i % 20 for i in range(300)]
    assert splits.test.labels.tolist() == [19, 0, 0, 3, 2]
    assert (splits.valid, splits.classes, splits.train.size) == (None, 20, (700, 1, 1))
    assert splits.train.labels.dtype == np.int64
    assert heard.steps[1] == ("read shd_train.h5", 256, 300)


def test_ssc_has_three_sets(tmp_path, heard, rows):
    for i, name in enumerate(("train", "valid", "test")):
        write(tmp_path / f"ssc_{name}.h5", samples_of(3, i), [34, i, 0])
    splits = SSC(str(tmp_path)).load(heard.context)
    assert [rows(s) for s in (splits.train, splits.valid, splits.test)] == [
        expected(samples_of(3, i)) for i in range(3)
    ]
    assert splits.classes == 35


@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_packed_files_are_the_same(shd, heard, suffix):
    plain = SHD(str(shd)).load(heard.context)
    for path in (shd / "shd_train.h5", shd / "shd_test.h5"):
        packed = path.with_name(path.name + suffix)
        if suffix == ".gz":
            packed.write_bytes(gzip.compress(path.read_bytes()))
        else:
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(path, path.name)
        path.unlink()
    assert SHD(str(shd)).load(heard.context) == plain


@given(st.data())
@settings(max_examples=6)  # each starts a process
def test_what_is_written_is_read_back(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(["f2", "f4", "f8"]))
    event = st.tuples(st.floats(0, 4000, width=int(kind[1]) * 8), st.integers(0, 699))
    samples = data.draw(st.lists(st.lists(event), min_size=1, max_size=4))
    path = write(tmp_path_factory.getbasetemp() / "any.h5", samples, [0] * len(samples), kind)
    (piece,) = hdf5.pieces(path)
    assert piece.times.dtype == kind
    assert piece.position.tolist() == [0, len(samples)]
    assert piece.times_each.tolist() == piece.units_each.tolist() == [len(s) for s in samples]
    assert piece.times.tolist() == [t for s in samples for t, _ in s]
    assert piece.units.tolist() == [u for s in samples for _, u in s]


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ([(float("nan"), 0)], "event 0 .*t nan.* is not within"),
        ([(float("inf"), 0)], "event 0 .*t inf.* is not within"),
        ([(-1e-3, 0)], "event 0 .*t -1000.0.* is not within"),
        ([(5000.0, 0)], "event 0 .* is not within 700 x 1 pixels, 1 polarities and 2.32"),
        ([(0.1, 700)], "event 0 .x 700.* is not within"),
        ([(0.2, 1), (0.1, 1)], "event 1 .* is earlier than the event before it"),
    ],
)
def test_wrong_spikes_are_told_with_their_sample(shd, heard, sample, message):
    write(shd / "shd_train.h5", [*samples_of(260), sample, *samples_of(3)], [0] * 264)
    with pytest.raises(DataError, match=rf"shd_train.h5, sample 260 \(SHD\): {message}"):
        SHD(str(shd)).load(heard.context)


def test_all_that_is_wrong_is_told_at_once(shd, heard):
    write(shd / "shd_train.h5", samples_of(3), [0, 20, 0])
    with h5py.File(shd / "shd_train.h5", "a") as file:
        file["spikes/units"][2] = np.zeros(99, "u2")
    (shd / "shd_test.h5").write_bytes(b"something else")
    with pytest.raises(DataError) as caught:
        SHD(str(shd)).load(heard.context)
    told = str(caught.value).splitlines()
    assert "sample 1 (SHD): label 20 is not one of 0..19" in told[0]
    assert "times for 99 units" in told[1]
    assert "shd_test.h5 (SHD): is damaged: " in told[2]


@pytest.mark.parametrize("change", ["times", "units", "labels", "group", "number", "matrix"])
def test_files_of_another_form_are_told(shd, heard, change):
    with h5py.File(shd / "shd_test.h5", "a") as file:
        if change in ("times", "units"):
            del file[f"spikes/{change}"]
            file[f"spikes/{change}"] = np.zeros(5)
        else:
            del file["labels"]
        if change == "group":
            file.create_group("labels")
        elif change in ("number", "matrix"):
            file["labels"] = np.zeros(4 if change == "number" else (5, 1), "u2")
    with pytest.raises(DataError, match=r"shd_test.h5 \(SHD\): is (damaged|no list of samples)"):
        SHD(str(shd)).load(heard.context)


def test_missing_files_are_told_when_planning(tmp_path, heard, monkeypatch):
    monkeypatch.setenv("SNNK_CACHE", str(tmp_path / "cache"))
    (fault,) = SHD().check(None, "[dataset.params]")
    assert f"{tmp_path}/cache/shd (SHD): shd_train.h5 and shd_test.h5 missing" in str(fault)
    assert "zenkelab.org" in str(fault)
    write(tmp_path / "ssc_valid.h5", samples_of(1), [0])
    (fault,) = SSC(str(tmp_path)).check(None, "")
    assert "ssc_train.h5 and ssc_test.h5 missing, as .h5, .h5.gz or .h5.zip" in str(fault)
    with pytest.raises(DataError, match=r"ssc_train.h5 and ssc_test.h5 missing"):
        SSC(str(tmp_path)).load(heard.context)


def test_archives_are_checked_before_they_are_unpacked(shd, heard):
    (shd / "shd_train.h5").unlink()
    (shd / "shd_test.h5").unlink()
    (shd / "shd_train.h5.gz").write_bytes(gzip.compress(bytes(5_000_000)))
    with zipfile.ZipFile(shd / "shd_test.h5.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("shd_test.h5", bytes(5_000_000))
    with pytest.raises(DataError) as caught:
        SHD(str(shd)).load(heard.context)
    assert "shd_train.h5.gz (SHD): unpacks to more than 50 times its size" in str(caught.value)
    assert "shd_test.h5.zip (SHD): holds more than" in str(caught.value)
    (shd / "shd_train.h5.gz").write_bytes(gzip.compress(b"123")[:-4])
    with zipfile.ZipFile(shd / "shd_test.h5.zip", "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(DataError) as caught:
        SHD(str(shd)).load(heard.context)
    assert "shd_train.h5.gz (SHD): is damaged" in str(caught.value)
    assert "shd_test.h5.zip (SHD): has 0 .h5 files, not one" in str(caught.value)


def read(path: Path) -> int | None:
    """The number of samples, None where the file is damaged."""
    try:
        found = list(hdf5.pieces(path))
    except DataError:
        return None
    for piece in found:
        assert len(piece.times_each) == len(piece.units_each) == len(piece.labels)
        assert piece.times_each.sum() == len(piece.times)
        assert piece.units_each.sum() == len(piece.units)
    return sum(len(piece.labels) for piece in found)


def test_files_with_damage_are_samples_or_an_error(tmp_path):
    good = write(tmp_path / "good.h5", samples_of(20), [1] * 20).read_bytes()
    draw, path, found = np.random.default_rng(5), tmp_path / "bad.h5", []
    for i in range(8):
        blob = bytearray(good)
        for at in draw.integers(len(blob), size=8):
            blob[at] = draw.integers(256)
        path.write_bytes(blob[: draw.integers(len(blob))] if i % 4 == 0 else blob)
        found.append(read(path))
    assert set(found) <= {20, None}
    assert None in found


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGSEGV)", "os.abort()"])
def test_a_crash_of_the_library_is_an_error_that_names_the_file(shd, heard, monkeypatch, end):
    """What HDF5 does with some damaged files, which are others with each of its versions."""
    (shd / "h5py.py").write_text(f"import os, signal\n{end}")
    monkeypatch.setenv("PYTHONPATH", str(shd))
    with pytest.raises(DataError) as caught:
        SHD(str(shd)).load(heard.context)
    assert "shd_train.h5 (SHD): is damaged: HDF5 crashes on it" in str(caught.value)
    assert len(caught.value.faults) == 2


def test_what_reads_is_ended_with_whoever_reads(shd):
    reading = hdf5.pieces(shd / "shd_train.h5")
    assert len(next(reading).labels) == 256
    reading.close()
