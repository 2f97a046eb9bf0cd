import io
import os
import pickle
import shutil
import tarfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snn_datasets import forms, idx
from snn_datasets.cifar import CIFAR10, CIFAR100
from snn_kernel import ConfigError, DataError
from snn_kernel.config import configure

KINDS = {"CIFAR10": CIFAR10, "CIFAR100": CIFAR100}
ARCHIVES = {
    "cifar-10-batches-py": "cifar-10-python.tar.gz",
    "cifar-10-batches-bin": "cifar-10-binary.tar.gz",
    "cifar-100-python": "cifar-100-python.tar.gz",
    "cifar-100-binary": "cifar-100-binary.tar.gz",
}
every_form = pytest.mark.parametrize(
    ("kind", "form"), [(kind, form) for kind in KINDS for form in ("python", "binary")]
)


def packed(data, keep=False):
    """The archive of the only folder in `data`, in its place."""
    (folder,) = data.iterdir()
    archive = data / ARCHIVES[folder.name]
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    if not keep:
        shutil.rmtree(folder)
    return archive


@every_form
def test_every_form_gives_the_same_exact_samples(cifar, heard, kind, form):
    """Images, channels and labels are where the publisher says they are."""
    data = cifar(kind, form)
    splits = KINDS[kind](str(data)).load(heard.context)
    count = 20 if kind == "CIFAR10" else 4
    assert (len(splits.train), splits.valid, len(splits.test)) == (count, None, 4)
    assert splits.classes == (10 if kind == "CIFAR10" else 100)
    assert splits.train.layout == splits.test.layout == "NHWC"
    assert splits.train.x.shape == (count, 32, 32, 3)
    draw = np.random.default_rng(7)  # as the maker draws
    for part in [splits.train.take(slice(i, i + 4)) for i in range(0, count, 4)] + [splits.test]:
        images = draw.integers(0, 256, (4, 3072), np.uint8)
        assert part.y.tolist() == draw.integers(0, splits.classes, 4).tolist()
        for colour in range(3):
            flat = images[:, 1024 * colour : 1024 * (colour + 1)]
            expected = flat.reshape(4, 32, 32).astype(np.float32) / np.float32(255)
            assert np.array_equal(part.x[..., colour], expected)
    assert heard.warnings == []


def test_pickles_of_python_2_and_3_are_the_same(cifar, heard):
    old = CIFAR10(str(cifar("CIFAR10"))).load(heard.context)
    shutil.rmtree(heard.context.folder.parent / "data")
    assert CIFAR10(str(cifar("CIFAR10", python3=True))).load(heard.context) == old


@pytest.mark.parametrize("form", ["python", "binary"])
def test_coarse_labels(cifar, heard, form):
    splits = CIFAR100(str(cifar("CIFAR100", form)), "coarse").load(heard.context)
    assert splits.classes == 20
    assert splits.train.y.tolist() == splits.test.y.tolist() == [0, 19, 5, 5]


@every_form
def test_it_is_found_in_the_folder_above_it_packed_or_not(cifar, heard, kind, form):
    data = cifar(kind, form)
    (folder,) = data.iterdir()
    plain = KINDS[kind](str(data)).load(heard.context)
    assert KINDS[kind](str(folder)).load(heard.context) == plain
    archive = packed(data)
    for path in (data, folder):  # where it would have been unpacked
        assert list(KINDS[kind](str(path)).check(None, "")) == []
        assert KINDS[kind](str(path)).load(heard.context) == plain
    # A folder of another name above is not looked into: that would hide a slip of the pen.
    assert len(list(KINDS[kind](str(data / "other")).check(None, ""))) == 1
    elsewhere = data / "elsewhere"
    elsewhere.mkdir()
    shutil.move(archive, elsewhere)
    assert KINDS[kind](str(elsewhere)).load(heard.context) == plain


def test_a_folder_that_lacks_files_gives_way_to_an_archive(cifar, heard):
    data = cifar("CIFAR10")
    packed(data, keep=True)
    (data / "cifar-10-batches-py" / "data_batch_2").unlink()
    assert len(CIFAR10(str(data)).load(heard.context).train) == 20


def test_what_is_missing_is_told_when_planning_and_when_loading(cifar, heard):
    data = cifar("CIFAR10")
    for name in ("data_batch_2", "test_batch"):
        (data / "cifar-10-batches-py" / name).unlink()
    (found,) = CIFAR10(str(data)).check(None, "[dataset]")
    with pytest.raises(DataError) as caught:
        CIFAR10(str(data)).load(heard.context)
    for text in (found, str(caught.value)):
        assert f"2 of 6 files are missing in {data / 'cifar-10-batches-py'}: data_batch_2, " in text
        assert "https://www.cs.toronto.edu/~kriz/cifar.html" in text
        assert "params.path" in text


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_folder_and_none_are_told_with_all_that_would_do(tmp_path, kind):
    (empty,) = KINDS[kind](str(tmp_path)).check(None, "")
    (absent,) = KINDS[kind](str(tmp_path / "none")).check(None, "")
    assert f"the folder {tmp_path} holds none of\n" in empty
    assert f"the folder {tmp_path / 'none'} is not there; it must hold one of\n" in absent
    for text in (empty, absent):
        for form in KINDS[kind].forms:
            assert f"{form.folder}/ with {form.train[0]}" in text
            assert f"{form.archive} (MD5 {form.md5})" in text


def test_a_path_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    (found,) = CIFAR10(str(tmp_path / "file")).check(None, "")
    assert "file is a file, not the folder" in found


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_path_it_lies_in_the_cache(cifar, heard, monkeypatch, kind):
    data = cifar(kind)
    monkeypatch.setenv("SNNK_CACHE", str(data.parent / "cache"))
    assert f"cache/{kind.lower()} is not there" in next(KINDS[kind]().check(None, ""))
    data.rename(data.parent / "moved")
    (data.parent / "cache").mkdir()
    (data.parent / "moved").rename(data.parent / "cache" / kind.lower())
    assert len(KINDS[kind]().load(heard.context).test) == 4


def test_labels_are_checked_in_the_file():
    with pytest.raises(ConfigError) as caught:
        configure("dataset", "CIFAR100", {"labels": "all", "pth": "x"})
    assert "'labels' must be one of 'fine', 'coarse', not 'all'" in str(caught.value)
    assert "did you mean 'path'?" in str(caught.value)
    with pytest.raises(ConfigError, match="unknown key 'labels'"):
        configure("dataset", "CIFAR10", {"labels": "fine"})


IMAGES = np.zeros((4, 3072), np.uint8)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1], "holds no dictionary with 'data' and 'labels'"),
        ({"data": IMAGES}, "holds no dictionary with 'labels'"),
        ({"data": [1], "labels": [1]}, "'data': is no numpy array of unsigned bytes"),
        ({"data": IMAGES[:, 1:].copy(), "labels": [1]}, "'data': is 4 x 3071, not images x 3072"),
        ({"data": IMAGES.reshape(4, 3, 1024), "labels": [1]}, "'data': is 4 x 3 x 1024, not"),
        ({"data": IMAGES.ravel(), "labels": [1]}, "'data': is 12288, not images x 3072"),
        ({"data": IMAGES, "labels": 1}, "'labels': is no list of whole numbers"),
        ({"data": IMAGES, "labels": [1, True, 1, 1]}, "'labels': is no list of whole numbers"),
        ({"data": IMAGES, "labels": [1]}, "'labels': holds 1 labels for 4 images"),
        ({"data": IMAGES, "labels": [1, 10, -1, 2]}, r"label 10 of image 1 .* 0\.\.9, nor are 1 m"),
        ({"data": IMAGES, "labels": [1, 2, 3, -(10**17)]}, "label -1000.* of image 3 is not one"),
    ],
)
def test_a_pickle_of_something_else_is_told(cifar, heard, table, message):
    data = cifar("CIFAR10")
    path = data / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(pickle.dumps(table, 2))
    with pytest.raises(DataError, match=message) as caught:
        CIFAR10(str(data)).load(heard.context)
    (fault,) = caught.value.faults
    assert fault.where.startswith(str(path))


def test_faults_of_all_files_are_told_at_once(cifar, heard):
    data = cifar("CIFAR10")
    folder = data / "cifar-10-batches-py"
    (folder / "data_batch_2").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    (folder / "data_batch_5").write_bytes(b"")
    (folder / "test_batch").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError) as caught:
        CIFAR10(str(data)).load(heard.context)
    names = [os.path.basename(f.where) for f in caught.value.faults]
    assert names == ["data_batch_2", "data_batch_5", "test_batch"]
    assert "asks for symbol 'os.system'" in str(caught.value)


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes(3074)])
def test_a_binary_file_of_another_length_is_told(cifar, heard, content):
    data = cifar("CIFAR10", "binary")
    (data / "cifar-10-batches-bin" / "data_batch_1.bin").write_bytes(content)
    message = f"data_batch_1.bin: holds {len(content)} bytes, not a multiple of 3073"
    with pytest.raises(DataError, match=message):
        CIFAR10(str(data)).load(heard.context)


def test_binary_labels_are_checked(cifar, heard):
    data = cifar("CIFAR100", "binary")
    (data / "cifar-100-binary" / "test.bin").write_bytes(bytes([20, 99]) + bytes(3072))
    assert CIFAR100(str(data)).load(heard.context).test.y.tolist() == [99]
    with pytest.raises(DataError, match=r"test.bin: label 20 of image 0 is not one of 0\.\.19"):
        CIFAR100(str(data), "coarse").load(heard.context)


def test_a_file_beyond_all_limits_is_not_read(cifar, heard, monkeypatch):
    data = cifar("CIFAR100")
    monkeypatch.setattr(idx, "BYTES_MAX", 1000)
    with pytest.raises(DataError, match="more than 1000") as caught:
        CIFAR100(str(data)).load(heard.context)
    assert len(caught.value.faults) == 2
    archive = packed(data)
    with pytest.raises(DataError, match=f"{archive}: holds .* more than 1000"):
        CIFAR100(str(data)).load(heard.context)
    monkeypatch.setattr(idx, "BYTES_MAX", archive.stat().st_size)
    with pytest.raises(DataError, match="unpacks to more than"):
        CIFAR100(str(data)).load(heard.context)


def test_what_an_archive_lacks_is_told(cifar, heard):
    data = cifar("CIFAR100")
    (data / "cifar-100-python" / "test").rename(data / "cifar-100-python" / "tset")
    archive = packed(data)
    with pytest.raises(DataError, match=r"gz: lacks cifar-100-python/test .*MD5 is eb9058c3"):
        CIFAR100(str(data)).load(heard.context)
    archive.write_bytes(b"no archive")
    with pytest.raises(DataError, match="gz: is damaged"):
        CIFAR100(str(data)).load(heard.context)


def test_links_and_other_oddities_of_archives_lead_nowhere(cifar, heard, tmp_path):
    data = cifar("CIFAR100")
    packed(data)
    archive = data / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, kind in (("train", tarfile.SYMTYPE), ("test", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    with pytest.raises(DataError, match="lacks cifar-100-python/train, cifar-100-python/test"):
        CIFAR100(str(data)).load(heard.context)


def test_an_archive_of_countless_files_is_not_read_to_its_end(cifar, heard, monkeypatch):
    data = cifar("CIFAR10")
    packed(data)
    monkeypatch.setattr(forms, "MEMBERS_MAX", 3)
    with pytest.raises(DataError, match="holds more than 3 files"):
        CIFAR10(str(data)).load(heard.context)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_archive_is_samples_or_an_error(python2_pickle, tmp_path, heard, data):
    table = {"data": IMAGES[:1], "fine_labels": [1], "coarse_labels": [2]}
    content = python2_pickle(table)
    buffer = io.BytesIO()
    formats = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    with tarfile.open(fileobj=buffer, mode="w", format=data.draw(st.sampled_from(formats))) as tar:
        for name in ("x" * 120 + "é", "train", "test"):
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    blob = bytearray(buffer.getvalue())
    headers = [i for i in range(0, len(blob), 512) if blob[i + 257 : i + 262] == b"ustar"]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from(headers)) + data.draw(st.integers(0, 1100))
        blob[at % len(blob)] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # a checksum that fits, so that the change is looked at
        for at in headers:
            head = blob[at : at + 148] + b" " * 8 + blob[at + 156 : at + 512]
            blob[at + 148 : at + 156] = b"%06o\0 " % sum(head)
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(blob)
    try:
        splits = CIFAR100(str(tmp_path)).load(heard.context)
    except DataError:
        return
    assert len(splits.train) == len(splits.test) == 1
