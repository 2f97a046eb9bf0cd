import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_datasets_events import nmnist
from snn_datasets_events.nmnist import NMNIST
from snn_kernel import Context, DataError

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("SNNK_SHARED", ROOT.parent / "shared")) / "data" / "nmnist_small"
ORDER = [("Train", 0, 2), ("Train", 0, 10), ("Train", 3, 1), ("Test", 1, 4), ("Test", 9, 3)]


@pytest.fixture
def files(write) -> dict[str, bytes]:
    """Path and content of five recordings; the event of the i-th has t = i."""
    return {
        f"{split}/{digit}/{index:05}.bin": write.atis([(i, 33, i, 1), (33, i, i, 0)])
        for i, (split, digit, index) in enumerate(ORDER)
    }


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    for name, blob in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob)
    return folder


def pack(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, blob in reversed(files.items()):
            archive.writestr(name, blob)
    return path


@pytest.fixture(params=["folders", "two archives", "one archive", "the archive", "deeper", "mixed"])
def path(request, files, tmp_path) -> Path:
    folder = tmp_path / "nmnist"
    train = {name: blob for name, blob in files.items() if name.startswith("Train")}
    test = {name: blob for name, blob in files.items() if name.startswith("Test")}
    if request.param == "folders":
        return unpack(folder, files)
    if request.param == "mixed":
        return pack(unpack(folder, train) / "Test.zip", test).parent
    if request.param == "two archives":
        pack(folder / "Train.zip", train)
        return pack(folder / "Test.zip", test).parent
    if request.param == "deeper":
        files = {f"N-MNIST/{name}": blob for name, blob in files.items()}
        return pack(folder / "x.zip", files | {"__MACOSX/Train/0/._00002.bin": b"123"}).parent
    found = pack(folder / "digits.zip", files)
    return found if request.param == "the archive" else found.parent


def test_every_layout_gives_the_same_samples_in_the_same_order(path, heard, rows):
    assert list(NMNIST(str(path)).check(None, "")) == []
    splits = NMNIST(str(path)).load(heard.context)
    assert rows(splits.train) == [[(i, 33, i, 1), (33, i, i, 0)] for i in (0, 1, 2)]
    assert rows(splits.test) == [[(i, 33, i, 1), (33, i, i, 0)] for i in (3, 4)]
    assert splits.train.labels.tolist() == [0, 0, 3]
    assert splits.test.labels.tolist() == [1, 9]
    assert (splits.valid, splits.classes, splits.train.size) == (None, 10, (34, 34, 2))
    assert splits.train.labels.dtype == np.int64
    assert heard.warnings[0].endswith("has 3 recordings in Train, not the 60000 published: results "
                                      "will not compare")  # fmt: skip
    assert heard.steps[-1] == ("read Test", 2, 2)


def test_unpacked_folders_come_before_archives(files, tmp_path, heard, write):
    other = {name: write.atis([(1, 1, 77, 0)]) for name in files}
    pack(unpack(tmp_path / "n", files) / "Train.zip", other)
    pack(tmp_path / "n" / "all.zip", other)
    splits = NMNIST(str(tmp_path / "n")).load(heard.context)
    assert splits.train.records["t"].max() < 77


def test_what_is_not_there_is_told_when_planning(files, tmp_path, heard, monkeypatch):
    monkeypatch.setenv("SNNK_CACHE", str(tmp_path / "cache"))
    unpack(tmp_path / "half", {n: b for n, b in files.items() if n.startswith("Train")})
    for path, lacking in [
        ("", f"{tmp_path}/cache/nmnist .*no Train/<digit>/<index>.bin and no Test/<digit>/"),
        (str(tmp_path / "none"), r"none .*no Train/.* and no Test/"),
        (str(tmp_path / "half"), r"half .*: no Test/<digit>/<index>.bin, in folders or in zip"),
    ]:
        with pytest.raises(DataError, match=lacking) as caught:
            NMNIST(path).load(heard.context)
        (fault,) = NMNIST(path).check(None, "[dataset.params]")
        assert str(fault) == f"[dataset.params]: {caught.value}"
        assert "garrickorchard.com" in str(fault)


def test_every_damaged_recording_is_named_at_once(files, tmp_path, heard, write):
    names = list(files)
    files[names[0]] = files[names[0]][:-1]
    files[names[1]] = b""
    files[names[2]] = write.atis([(34, 0, 1, 1)])
    files[names[3]] = write.atis([(1, 1, 9, 1), (1, 1, 8, 1)])
    with pytest.raises(DataError) as caught:
        NMNIST(str(unpack(tmp_path / "n", files))).load(heard.context)
    told = str(caught.value).splitlines()
    assert len(told) == 4
    assert "Train/0/00002.bin (NMNIST): holds 9 bytes, not 5 for each event" in told[0]
    assert "Train/0/00010.bin (NMNIST): holds 0 bytes" in told[1]
    assert "Train/3/00001.bin (NMNIST): event 0 (x 34, y 0, t 1, p 1) is not within 34 x" in told[2]
    assert "Test/1/00004.bin (NMNIST): event 1 (x 1, y 1, t 8, p 1) is earlier than" in told[3]


def test_a_recording_of_absurd_size_is_not_unpacked(files, tmp_path, heard, monkeypatch):
    monkeypatch.setattr(nmnist, "BYTES_MAX", 10)
    files["Train/0/00002.bin"] = bytes(10_000_000)
    with pytest.raises(DataError, match=r"00002.bin .*: holds more than 10 bytes"):
        NMNIST(str(pack(tmp_path / "n.zip", files))).load(heard.context)


def test_what_is_no_archive_is_told_when_planning(tmp_path, heard):
    path = tmp_path / "n.zip"
    path.write_bytes(b"something else")
    (fault,) = NMNIST(str(path)).check(None, "")
    assert "n.zip: is no zip archive" in str(fault)
    with pytest.raises(DataError, match="is no zip archive"):
        NMNIST(str(tmp_path)).load(heard.context)


@pytest.fixture(scope="session")
def archive(write) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for i, (split, digit, index) in enumerate(ORDER):
            made.writestr(f"{split}/{digit}/{index}.bin", write.atis([(i, 3, i, 1)] * 20))
    return file.getvalue()


@given(st.data())
def test_an_archive_with_damage_is_samples_or_an_error(archive, tmp_path_factory, data):
    blob = bytearray(archive)
    for _ in range(data.draw(st.integers(1, 3))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    del blob[data.draw(st.one_of(st.just(len(blob)), st.integers(0, len(blob)))) :]
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(blob)
    try:
        splits = NMNIST(str(path)).load(Context(0, path.parent))
    except DataError:
        return
    assert len(splits.train.records) == 20 * len(splits.train) > 0


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no N-MNIST recordings in {REAL} (set SNNK_SHARED)")
def test_real_recordings(heard, rows):
    splits = NMNIST(str(REAL)).load(heard.context)
    assert (len(splits.train), len(splits.test)) == (1000, 100)
    lengths = np.diff(np.concatenate([splits.train.offsets, splits.train.offsets[-1] +
                                      splits.test.offsets[1:]]))  # fmt: skip
    # As they were counted where the files were found.
    assert (lengths.min(), lengths.max(), round(lengths.mean())) == (1069, 7152, 4108)
    last = splits.train.records["t"][splits.train.offsets[1:] - 1]
    assert 290_000 < last.min() < last.max() < 340_000
    for found, name in ((splits.train, "train1K.txt"), (splits.test, "test100.txt")):
        listed = np.loadtxt(REAL / name, np.int64)[:, 1]
        assert np.array_equal(np.bincount(found.labels), np.bincount(listed))
    with zipfile.ZipFile(REAL / "nmnist_small.zip") as made:
        first = min(n for n in made.namelist() if n.startswith("Test/7/") and n.endswith(".bin"))
        b = [int(n) for n in made.read(first)[:5]]
    at = splits.test.offsets[np.flatnonzero(splits.test.labels == 7)[0]]
    event = (b[0], b[1], (b[2] & 127) << 16 | b[3] << 8 | b[4], b[2] >> 7)
    assert tuple(int(splits.test.records[at][n]) for n in "xytp") == event
