import csv
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_datasets_events import recordings, trials
from snn_datasets_events.gesture import DVSGesture
from snn_kernel import Context, DataError

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("SNNK_SHARED", ROOT.parent / "shared")) / "data" / "dvs_gesture"
USERS = {"user02_led": "train", "user01_lab": "train", "user24_led": "test"}


def sample(seed: int) -> list[tuple[int, int, int, int]]:
    """A few events, the first at t = 0."""
    draw = np.random.default_rng(seed)
    t = np.sort(draw.integers(0, 5000, 12)) * 1000
    x, y, p = (draw.integers(0, n, 12) for n in (128, 128, 2))
    return [tuple(int(n) for n in row) for row in zip(x, y, t - t[0], p, strict=True)]


@pytest.fixture
def published(write) -> dict[str, bytes]:
    """The files of the published layout: three recordings of classes 1, 11, 2, each sample(…).

    Before, between and after the gestures there are events as well; times begin beyond 2^31.
    """
    files = {
        "trials_to_train.txt": b"user02_led.aedat\nuser01_lab.aedat\n\n",
        "trials_to_test.txt": b"user24_led.aedat\r\n",
    }
    for user, name in enumerate(USERS):
        table, events, t = ["class,startTime_usec,endTime_usec"], [], 2**31 - 10**6
        for i, label in enumerate((1, 11, 2)):
            own = [(x, y, t + s, p) for x, y, s, p in sample(10 * user + i)]
            table.append(f"{label},{t},{own[-1][2] + 1}")
            events += [(1, 1, t - 1, 0), *own, (1, 1, own[-1][2] + 1, 0)]
            t = events[-1][2] + 10
        files[f"{name}.aedat"] = write.aedat(events)
        files[f"{name}_labels.csv"] = "\n".join(table).encode()
    return files


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    for name, blob in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(blob)
    return folder


def tar(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, blob in files.items():
            entry = tarfile.TarInfo(f"DvsGesture/{name}")
            entry.size = len(blob)
            archive.addfile(entry, io.BytesIO(blob))
    return out.getvalue()


@pytest.fixture(params=["folder", "above", "archive", "beside", "backwards"])
def path(request, published, tmp_path) -> Path:
    folder = tmp_path / "DvsGesture"
    if request.param in ("folder", "above"):
        unpack(folder, published)
        return folder if request.param == "folder" else tmp_path
    if request.param == "backwards":
        published = dict(reversed(published.items()))
    (tmp_path / "DvsGesture.tar.gz").write_bytes(tar(published))
    return tmp_path / "DvsGesture.tar.gz" if request.param == "archive" else tmp_path


def test_trials_are_cut_out_of_recordings_in_the_order_of_the_lists(path, heard, rows):
    assert list(DVSGesture(str(path)).check(None, "")) == []
    splits = DVSGesture(str(path)).load(heard.context)
    assert rows(splits.train) == [sample(i) for i in (0, 1, 2, 10, 11, 12)]
    assert rows(splits.test) == [sample(i) for i in (20, 21, 22)]
    assert splits.train.labels.tolist() == [0, 10, 1] * 2
    assert (splits.valid, splits.classes, splits.test.size) == (None, 11, (128, 128, 2))
    assert heard.steps[-1] == ("read", 3, 3)


def test_other_gestures_are_left_out_of_ten_classes(path, heard, rows):
    splits = DVSGesture(str(path), classes=10).load(heard.context)
    assert rows(splits.train) == [sample(i) for i in (0, 2, 10, 12)]
    assert splits.train.labels.tolist() == [0, 1] * 2
    assert splits.classes == 10


def test_all_that_is_missing_is_told_when_planning(published, tmp_path, heard):
    for name in ("user24_led.aedat", "user01_lab_labels.csv"):
        del published[name]
    path = unpack(tmp_path / "DvsGesture", published)
    (fault,) = DVSGesture(str(path)).check(None, "[dataset.params]")
    assert "user01_lab_labels.csv, user24_led.aedat missing" in str(fault)
    assert "ibm.ent.box.com" in str(fault)
    (path / "trials_to_test.txt").unlink()
    (fault,) = DVSGesture(str(path)).check(None, "")
    assert "user01_lab_labels.csv, trials_to_test.txt missing" in str(fault)


def test_what_an_archive_lacks_is_told_all_at_once(published, tmp_path, heard):
    del published["user24_led.aedat"]
    del published["user01_lab_labels.csv"]
    path = tmp_path / "DvsGesture.tar.gz"
    path.write_bytes(tar(published))
    with pytest.raises(DataError) as caught:
        DVSGesture(str(path)).load(heard.context)
    told = str(caught.value)
    assert "user01_lab.aedat (DVSGesture): has no table of gestures" in told
    assert "has no user24_led.aedat, which trials_to_test.txt lists" in told
    del published["trials_to_test.txt"]
    path.write_bytes(tar(published))
    with pytest.raises(DataError, match=r"has no recordings in trials_to_test.txt"):
        DVSGesture(str(path)).load(heard.context)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("12,1,2", "its table of gestures has 'Gesture"),
        ("0,1,2", "its table of gestures has 'Gesture"),
        ("1,5,5", "its table of gestures has 'Gesture"),
        ("1,x,5", "its table of gestures has '1,x,5'"),
        ("1,5", "class 1..11, begin and end in µs are meant"),
        ("3,5,6", "class 3 at 5 .*: has no events before 6"),
        ("", "has no gestures"),
    ],
)
def test_damaged_tables_are_told_with_every_recording(published, tmp_path, heard, row, message):
    for name in ("user01_lab", "user24_led"):
        published[f"{name}_labels.csv"] = f"class,startTime_usec,endTime_usec\n{row}\n".encode()
    path = unpack(tmp_path / "g", published)
    with pytest.raises(DataError, match=message) as caught:
        DVSGesture(str(path)).load(heard.context)
    assert ["user01_lab" in caught.value.faults[0].where, len(caught.value.faults)] == [True, 2]


def test_what_is_listed_twice_is_read_once(published, tmp_path, heard):
    published["trials_to_train.txt"] *= 2
    splits = DVSGesture(str(unpack(tmp_path / "g", published))).load(heard.context)
    assert len(splits.train) == 6


@given(st.data(), st.sampled_from(["w", "w:gz"]))
def test_an_archive_with_damage_is_samples_or_an_error(write, tmp_path_factory, data, mode):
    files = {
        "trials_to_train.txt": b"a.aedat",
        "trials_to_test.txt": b"b.aedat",
        "a_labels.csv": b"class,a,b\n1,0,50",
        "b_labels.csv": b"class,a,b\n2,0,50",
        "a.aedat": write.aedat([(i, 5, i, 1) for i in range(60)]),
        "b.aedat": write.aedat([(i, 5, i, 1) for i in range(60)]),
    }
    blob = bytearray(tar(files, mode))
    for _ in range(data.draw(st.integers(1, 3))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    del blob[data.draw(st.one_of(st.just(len(blob)), st.integers(0, len(blob)))) :]
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    path.write_bytes(blob)
    try:
        splits = DVSGesture(str(path)).load(Context(0, path.parent))
    except DataError:
        return
    assert len(splits.train) == len(splits.test) == 1


@pytest.mark.parametrize("blob", [b"", b"text", b"\x1f\x8b\x08\x04", b"BZh9", b"\xfd7zXZ\x00"])
def test_what_is_no_archive_is_told(tmp_path, heard, blob):
    path = tmp_path / "DvsGesture.tar.gz"
    path.write_bytes(blob)
    with pytest.raises(DataError, match=r"gz \(DVSGesture\): (is damaged, or no tar|has no rec)"):
        DVSGesture(str(path)).load(heard.context)


def saved(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def packed(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("above", ["", "DVSGesture/"])
def test_arrays_as_tonic_has_them(tmp_path, heard, rows, above):
    def array(seed: int):
        x, y, t, p = np.array(sample(seed)).T
        return np.stack([x, y, p, t / 1000 + 7.0], 1)

    names = [f"ibmGestureTrain/user{u:02}_led/{k}.npy" for u in (1, 2) for k in (2, 10)]
    files = {f"{above}{name}": saved(array(i)) for i, name in enumerate(names)}
    files[f"{above}ibmGestureTest/user24_led/0.npy"] = saved(array(9).astype(np.float32))
    path = unpack(tmp_path / "g", files)
    assert list(DVSGesture(str(path)).check(None, "")) == []
    splits = DVSGesture(str(path)).load(heard.context)
    assert rows(splits.train) == [sample(i) for i in range(4)]
    assert rows(splits.test) == [sample(9)]
    assert splits.train.labels.tolist() == [2, 10, 2, 10]
    assert DVSGesture(str(path), classes=10).load(heard.context).train.labels.tolist() == [2, 2]


@pytest.mark.parametrize("above", ["", "events_np/"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.uint32, np.float64])
def test_archives_of_arrays_as_spikingjelly_has_them(tmp_path, heard, rows, above, dtype):
    def arrays(seed: int):
        x, y, t, p = np.array(sample(seed)).T
        return packed(t=(t + 99).astype(dtype), x=x.astype(dtype), y=y, p=p.astype(bool))

    order = [(0, "user01_led_0"), (0, "user02_led_0"), (2, "a"), (10, "a")]
    files = {f"{above}train/{k}/{name}.npz": arrays(i) for i, (k, name) in enumerate(order)}
    files[f"{above}test/3/b.npz"] = arrays(9)
    splits = DVSGesture(str(unpack(tmp_path / "g", files))).load(heard.context)
    assert rows(splits.train) == [sample(i) for i in range(4)]
    assert rows(splits.test) == [sample(9)]
    assert splits.train.labels.tolist() == [0, 0, 2, 10]


def test_damaged_arrays_are_told_all_at_once(tmp_path, heard):
    good = np.array([[1, 2, 0, 5.0], [1, 2, 1, 6.0]])
    files = {
        "a/0.npy": saved(good[:, :3]),
        "a/1.npy": saved(good)[:-1],
        "a/2.npy": saved(good[::-1]),
        "a/3.npy": saved(good * np.nan),
        "a/4.npy": saved(good[:0]),
        "a/5.npy": saved(good),
        "b/1.npy": b"",
    }
    files = {f"ibmGestureTrain/{n}": b for n, b in files.items()}
    with pytest.raises(DataError) as caught:
        DVSGesture(str(unpack(tmp_path / "g", files))).load(heard.context)
    told = str(caught.value).splitlines()
    parts = ["0.npy (DVSGesture): is (2, 3), not [events, 4]", "1.npy", "2.npy", "3.npy", "4.npy"]
    assert len(told) == 6
    assert all(part in line for part, line in zip([*parts, "b/1.npy"], told, strict=True))
    assert "is earlier than the event before it" in told[2]
    assert "is not within" in told[3]
    assert "has no events" in told[4]


def test_damaged_archives_of_arrays_are_told_all_at_once(tmp_path, heard):
    n = np.arange(3)
    files = {
        "train/0/a.npz": packed(t=n, x=n, y=n),
        "train/0/b.npz": packed(t=n, x=n, y=n, p=n[:2]),
        "train/0/c.npz": b"PK\x03\x04",
        "train/0/d.npz": packed(t=n[:0], x=n[:0], y=n[:0], p=n[:0]),
    }
    with pytest.raises(DataError) as caught:
        DVSGesture(str(unpack(tmp_path / "g", files))).load(heard.context)
    told = str(caught.value).splitlines()
    parts = ["has no array 'p'", "x, y, t, p are (3,)", "is no .npz archive", "has no events"]
    assert all(part in line for part, line in zip(parts, told, strict=True))


def test_a_recording_of_absurd_size_is_told(tmp_path, heard, monkeypatch):
    monkeypatch.setattr(recordings, "BYTES_MAX", 100)
    path = unpack(tmp_path / "g", {"ibmGestureTrain/a/0.npy": bytes(101)})
    with pytest.raises(DataError, match=r"0.npy .*holds more than 100 bytes"):
        DVSGesture(str(path)).load(heard.context)


def test_a_recording_of_absurd_size_in_an_archive_is_told(published, tmp_path, heard, monkeypatch):
    monkeypatch.setattr(trials, "BYTES_MAX", 100)
    path = tmp_path / "g.tar"
    path.write_bytes(tar(published, "w"))
    with pytest.raises(
        DataError, match=r"user02_led.aedat \(DVSGesture\): holds more than 100 bytes"
    ):
        DVSGesture(str(path)).load(heard.context)


@pytest.mark.parametrize(
    ("header", "values", "labels"),
    [
        ("file,label", ["0", "10", "3"], [0, 10, 3]),
        ("file,index0", ["0", "10", "3"], [0, 10, 3]),
        ("file,ibm_label", ["1", "11", "4"], [0, 10, 3]),
    ],
)
def test_bs3_files_have_the_labels_of_their_list(
    tmp_path, heard, rows, write, header, values, labels
):
    names = [f"{i}.bs3" for i in (10, 9, 1)]
    files = {name: write.bs3(sample(i)) for i, name in enumerate(names)}
    lines = [f"{n},{v}" for n, v in zip(names, values, strict=True)]
    path = unpack(tmp_path / "g", files | {"labels.csv": "\n".join([header, *lines]).encode()})
    splits = DVSGesture(str(path)).load(heard.context)
    assert rows(splits.train) == [sample(i) for i in range(3)]
    assert splits.train.labels.tolist() == labels
    assert (splits.valid, splits.test) == (None, None)
    lines = [f"{n},{s}" for n, s in zip(lines, ("test", "", "valid"), strict=True)]
    (path / "labels.csv").write_text("\n".join([f"{header},split", *lines]))
    splits = DVSGesture(str(path)).load(heard.context)
    assert [rows(s)[0] for s in (splits.test, splits.train, splits.valid)] == [
        sample(i) for i in range(3)
    ]


def test_what_is_wrong_with_a_list_is_told_when_planning(tmp_path, write):
    table = "file,label,split\n1.bs3,11,\n,1,\n1.bs3,1,dev\n1.bs3,,\n1.bs3,0,\n"
    path = unpack(tmp_path / "g", {"1.bs3": write.bs3(sample(0)), "labels.csv": table.encode()})
    told = [str(fault) for fault in DVSGesture(str(path)).check(None, "")]
    assert ["row 1" in told[0], "'11' is not a class 0..10" in told[0]] == [True, True]
    assert "row 2: names no file" in told[1]
    assert "row 3: 'dev' is not one of train, valid, test" in told[2]
    assert "row 4: '' is not a class 0..10" in told[3]
    assert len(told) == 4
    (path / "labels.csv").write_text("file,label\n2.bs3,0\n1.bs3,0")
    (fault,) = DVSGesture(str(path)).check(None, "")
    assert "2.bs3 missing" in str(fault)
    (path / "labels.csv").write_bytes(b"\xff\xfe\0")
    (fault,) = DVSGesture(str(path)).check(None, "")
    assert "labels.csv: is no table" in str(fault)
    (path / "labels.csv").write_text("file,label\n")
    (fault,) = DVSGesture(str(path)).check(None, "")
    assert "lists no recording (columns: file; label" in str(fault)


def test_a_folder_of_no_layout_is_told_with_all_of_them(tmp_path, heard, monkeypatch):
    monkeypatch.setenv("SNNK_CACHE", str(tmp_path))
    (fault,) = DVSGesture().check(None, "[dataset.params]")
    for part in ("dvsgesture", "DvsGesture.tar.gz", "events_np", "ibmGestureTrain", "labels.csv"):
        assert part in str(fault)
    with pytest.raises(DataError, match="has none of these layouts"):
        DVSGesture().load(heard.context)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no DVS recordings in {REAL} (set SNNK_SHARED)")
def test_real_recordings(tmp_path, heard):
    table = list(csv.reader((REAL / "labels.csv").open()))
    there = [row for row in table[1:] if (REAL / row[0]).is_file()]
    for name in (row[0] for row in there):
        (tmp_path / name).symlink_to(REAL / name)
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([table[0], *there])
    events = DVSGesture(str(tmp_path)).load(heard.context).train
    assert events.labels.tolist() == [int(row[2]) for row in there]
    sizes = [(REAL / row[0]).stat().st_size // 7 for row in there]
    assert np.diff(events.offsets).tolist() == sizes
    assert 1_440_000 < events.records["t"].max() < 1_460_000
