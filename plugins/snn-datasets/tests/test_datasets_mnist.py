import gzip
import os
from pathlib import Path

import attrs
import numpy as np
import pytest

from snn_datasets.mnist import MNIST, FashionMNIST
from snn_kernel import ConfigError, DataError
from snn_kernel.config import configure

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("SNNK_SHARED", ROOT.parent / "shared")) / "data" / "mnist"
TRAIN_LABELS = "train-labels-idx1-ubyte"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the shared folder is not there: {REAL}")
def test_the_real_mnist(heard):
    config = MNIST(str(REAL))
    assert list(config.check(None, "")) == []
    splits = config.load(heard.context)
    assert heard.warnings == []  # the .gz files were packed by somebody else, the content is right
    assert splits.valid is None
    assert splits.classes == 10
    assert splits.train.x.shape == (60000, 28, 28, 1)
    assert splits.test.x.shape == (10000, 28, 28, 1)
    assert splits.train.layout == splits.test.layout == "NHWC"
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(splits.train.y).tolist() == counts
    assert splits.test.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert (splits.train.x.min(), splits.train.x.max()) == (0, 1)
    # Mean and standard deviation as everybody who normalises MNIST writes them.
    assert splits.train.x.mean(dtype=float) == pytest.approx(0.1307, abs=5e-5)
    assert splits.train.x.std(dtype=float) == pytest.approx(0.3081, abs=5e-5)


def test_unpacked_and_gzipped_files_are_the_same(tiny, heard):
    plain = MNIST(str(tiny)).load(heard.context)
    for path in list(tiny.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert MNIST(str(tiny)).load(heard.context) == plain
    assert (len(plain.train), len(plain.test), plain.train.x.shape[1:]) == (30, 20, (5, 4, 1))


def test_content_of_ones_own_is_read_with_a_warning_for_each_file(tiny, heard):
    MNIST(str(tiny)).load(heard.context)
    assert len(heard.warnings) == 4
    assert f"{tiny / TRAIN_LABELS} is not MNIST as published" in heard.warnings[1]


@pytest.mark.parametrize(("config", "folder"), [(MNIST, "mnist"), (FashionMNIST, "fashionmnist")])
def test_without_a_path_the_files_lie_in_the_cache(tiny, heard, monkeypatch, config, folder):
    kept = tiny.parent / "cache"
    monkeypatch.setenv("SNNK_CACHE", str(kept))
    assert "4 of 4 files are missing" in next(config().check(None, ""))
    with pytest.raises(DataError, match=f"4 of 4 files are missing in .*cache/{folder}:"):
        config().load(heard.context)
    kept.mkdir()
    tiny.rename(kept / folder)
    assert len(config().load(heard.context).train) == 30


def test_missing_files_are_told_all_at_once_with_their_digests(tiny, heard):
    for name in ("train-images-idx3-ubyte", TRAIN_LABELS):
        (tiny / name).unlink()
    with pytest.raises(DataError) as caught:
        MNIST(str(tiny)).load(heard.context)
    (found,) = MNIST(str(tiny)).check(None, "[dataset]")
    for text in (str(caught.value), found):
        assert f"2 of 4 files are missing in {tiny}:" in text
        assert "6bbc9ace898e44ae57da46a324031adb" in text
        assert "d53e105ee54ea40749a09fcbcd1e9432" in text
        assert "t10k" not in text
        assert "params.path" in text
        assert "params.download = true" in text


def test_what_can_be_fetched_is_not_missing(tmp_path):
    assert list(MNIST(str(tmp_path), download=True).check(None, "")) == []
    assert len(list(MNIST(str(tmp_path)).check(None, ""))) == 1


def test_a_path_to_a_file_is_told(tiny, heard):
    path = tiny / TRAIN_LABELS
    (found,) = MNIST(str(path)).check(None, "")
    assert f"{path} is a file, not the folder" in found
    with pytest.raises(DataError, match="is a file, not the folder"):
        MNIST(str(path)).load(heard.context)


def test_the_home_folder_is_understood(tiny, heard, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny.parent))
    assert list(MNIST("~/tiny").check(None, "")) == []
    assert len(MNIST("~/tiny").load(heard.context).train) == 30
    assert len(list(MNIST("~nobody-of-that-name/tiny").check(None, ""))) == 1


def test_damage_is_told_for_all_files_at_once(tiny, heard):
    (tiny / "train-images-idx3-ubyte").write_bytes(b"\x1f\x8b")
    (tiny / TRAIN_LABELS).write_bytes(b"\x1f\x8b\x08")
    (tiny / "t10k-labels-idx1-ubyte").write_bytes(b"none")
    with pytest.raises(DataError) as caught:
        MNIST(str(tiny)).load(heard.context)
    names = [Path(f.where).name for f in caught.value.faults]
    assert names == ["train-images-idx3-ubyte", TRAIN_LABELS, "t10k-labels-idx1-ubyte"]


def test_train_and_test_images_of_different_sizes_are_told(tiny, heard, idx_bytes):
    images = np.zeros((20, 4, 4), np.uint8)
    (tiny / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(images))
    with pytest.raises(DataError, match=r"to train with are \(5, 4\), to test \(4, 4\)"):
        MNIST(str(tiny)).load(heard.context)


@pytest.mark.parametrize("kind", ["MNIST", "FashionMNIST"])
def test_params_are_checked_and_told_all_at_once(kind):
    params = {"path": 3, "download": 1, "ulr": "https://x", "url": "ftp://x"}
    with pytest.raises(ConfigError) as caught:
        configure("dataset", kind, params)
    text = str(caught.value)
    assert len(caught.value.faults) == 4
    assert "did you mean 'url'?" in text
    assert "'url' must begin with one of https://, http://, file://, not 'ftp://x'" in text


def test_both_kinds_have_the_same_params():
    names = [a.name for a in attrs.fields(MNIST)]
    assert sorted(a.name for a in attrs.fields(FashionMNIST)) == sorted(names)
    assert MNIST().url != FashionMNIST().url
    assert MNIST().files != FashionMNIST().files
