import contextlib
import functools
import gzip
import hashlib
import os
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import pytest

from snn_datasets import published
from snn_datasets.mnist import MNIST, FashionMNIST
from snn_kernel import DataError

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("SNNK_SHARED", ROOT.parent / "shared")) / "data" / "mnist"


def md5(data):
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def mirror(tiny, monkeypatch):
    """A folder of gzipped files, which are the published ones for as long as the test runs."""
    files = []
    for file in MNIST.files:
        content = (tiny / file.name).read_bytes()
        blob = gzip.compress(content)
        (tiny / f"{file.name}.gz").write_bytes(blob)
        (tiny / file.name).unlink()
        files.append(attrs.evolve(file, gz_md5=md5(blob), md5=md5(content)))
    monkeypatch.setattr(MNIST, "files", tuple(files))
    return tiny


@contextlib.contextmanager
def served(folder):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def test_missing_files_are_fetched_and_kept(mirror, heard, tmp_path):
    target = tmp_path / "new" / "folder"
    with served(mirror) as url:
        splits = MNIST(str(target), download=True, url=url).load(heard.context)
    assert (len(splits.train), len(splits.test)) == (30, 20)
    assert heard.warnings == []
    assert sorted(p.name for p in target.iterdir()) == sorted(p.name for p in mirror.iterdir())
    size = (mirror / "train-images-idx3-ubyte.gz").stat().st_size
    assert heard.steps[0] == ("download train-images-idx3-ubyte", size, size)
    assert len(heard.steps) == 4
    # Now they are there: the mirror, which is gone, is not asked again.
    assert MNIST(str(target), download=True, url=url).load(heard.context) == splits
    assert MNIST(str(target)).load(heard.context) == splits


def test_only_what_is_missing_is_fetched(mirror, heard, tmp_path):
    target = tmp_path / "part"
    target.mkdir()
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (target / name).write_bytes((mirror / name).read_bytes())
    MNIST(str(target), download=True, url=mirror.as_uri()).load(heard.context)
    assert [s[0] for s in heard.steps] == [
        "download t10k-images-idx3-ubyte",
        "download t10k-labels-idx1-ubyte",
    ]


def test_progress_is_told_piece_by_piece(mirror, heard, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "CHUNK", 16)
    MNIST(str(tmp_path / "new"), download=True, url=mirror.as_uri()).load(heard.context)
    done = [d for part, d, _ in heard.steps if part == "download train-images-idx3-ubyte"]
    assert done == sorted(set(done))
    assert len(done) > 10
    assert all(d <= total for _, d, total in heard.steps)


@pytest.mark.parametrize("damage", ["other", "truncated"])
def test_a_file_that_is_not_the_published_one_is_not_kept(mirror, heard, tmp_path, damage):
    path = mirror / "train-labels-idx1-ubyte.gz"
    blob = gzip.compress(b"something else") if damage == "other" else path.read_bytes()[:-3]
    path.write_bytes(blob)
    target = tmp_path / "new"
    with (
        served(mirror) as url,
        pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz: is (not the pub|damaged)"),
    ):
        MNIST(str(target), download=True, url=url).load(heard.context)
    assert [p.name for p in target.iterdir()] == ["train-images-idx3-ubyte.gz"]


def test_the_content_counts_whoever_packed_it(mirror, heard, tmp_path):
    path = mirror / "train-labels-idx1-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content, compresslevel=1, mtime=1))
    splits = MNIST(str(tmp_path / "new"), download=True, url=mirror.as_uri()).load(heard.context)
    assert len(splits.train) == 30


def test_content_that_nobody_published_a_digest_of_is_told_by_its_container(
    mirror, heard, tmp_path, monkeypatch
):
    files = tuple(attrs.evolve(f, md5="") for f in MNIST.files)
    monkeypatch.setattr(FashionMNIST, "files", files)
    config = FashionMNIST(str(tmp_path / "new"), download=True, url=mirror.as_uri())
    assert len(config.load(heard.context).train) == 30
    path = mirror / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=1))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz: is not the published file"):
        attrs.evolve(config, path=str(tmp_path / "other")).load(heard.context)


def test_a_mirror_without_the_file_or_without_a_server_is_told(heard, tmp_path):
    config = MNIST(str(tmp_path / "new"), download=True)
    (tmp_path / "empty").mkdir()
    with (
        served(tmp_path / "empty") as url,
        pytest.raises(DataError, match=r"idx3-ubyte.gz: cannot be fetched: HTTP Error 404.*url"),
    ):
        attrs.evolve(config, url=url).load(heard.context)
    with pytest.raises(DataError, match=r"cannot be fetched: .*refused"):
        attrs.evolve(config, url=url).load(heard.context)
    assert not (tmp_path / "new").exists()


def test_what_never_ends_is_cut(mirror, heard, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "BYTES_MAX", 20)
    with pytest.raises(DataError, match="sends more than 20 bytes"):
        MNIST(str(tmp_path / "new"), download=True, url=mirror.as_uri()).load(heard.context)


def test_a_folder_that_cannot_be_made_is_told(mirror, heard, tmp_path):
    (tmp_path / "file").write_text("")
    config = MNIST(str(tmp_path / "file"), download=True, url=mirror.as_uri())
    with pytest.raises(DataError, match=r"file \(MNIST\): cannot keep train-images"):
        config.load(heard.context)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the shared folder is not there: {REAL}")
def test_the_real_labels_have_the_published_digest():
    for file in (MNIST.files[1], MNIST.files[3]):
        progress = []
        file.fetch(REAL.as_uri(), lambda *now, seen=progress: seen.append(now))
        assert progress[-1][0] == progress[-1][1] > 0
    with pytest.raises(DataError, match="is not the published file"):
        FashionMNIST.files[1].fetch(REAL.as_uri(), lambda *_: None)
