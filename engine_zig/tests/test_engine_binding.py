"""What the Python side promises: clear errors before a call, whole batches, memory given back."""

import re
import threading
from pathlib import Path

import msgpack
import numpy as np
import pytest

from snn_engine import Engine, EngineError, library
from snn_engine import engine as binding
from snn_engine.message import message
from snn_kernel import RunError
from snn_kernel.network import Flatten, Format, Linear, Network, NetworkError, Neuron

HEADER = Path(__file__).parents[1] / "include" / "snn_engine.h"


def small(**fields):
    weight = np.arange(24, dtype=np.float32).reshape(2, 12) / 16
    layers = (Flatten("f"), Linear("l", weight, None), Neuron("n", 1.0))
    edges = (("input", "f"), ("f", "l"), ("l", "n"))
    return Network(layers, edges, (3, 4), 2, **fields)


def samples(count=4):
    return (np.arange(count * 12, dtype=np.float32) % 7).reshape(count, 3, 4) / 8


def test_a_document_and_its_bytes_are_one_network():
    with Engine.load(small()) as one, Engine.load(small().pack()) as other:
        assert one.run(samples()) == other.run(samples())
        assert one.neurons == {"n": 2}


def test_bytes_that_are_no_document():
    with pytest.raises(NetworkError):
        Engine.load(b"\x80")


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (samples().astype(np.float64), "frames are float64, not a float32 array"),
        (samples().tolist(), "frames are of type list"),
        (samples()[:, :2], r"frames are \[4, 2, 4\], the network takes \[N, 3, 4\]"),
        (samples()[0], "the network takes"),
        (samples()[:, :, ::-1], "not contiguous"),
        (
            np.ma.masked_less(samples(), 0.5),
            "frames are of type MaskedArray, not an array of float32",
        ),
        (np.float32(1), "frames are of type float32, not an array of float32"),
    ],
)
def test_frames_that_do_not_fit(frames, text):
    with Engine.load(small()) as engine, pytest.raises(EngineError, match=text):
        engine.run(frames)


def test_the_engines_own_words():
    text = "request: 'threads' is 1000000, not within 1 … 256"
    with Engine.load(small()) as engine, pytest.raises(EngineError, match=text) as caught:
        engine.run(samples(), threads=10**6)
    assert isinstance(caught.value, RunError)
    assert caught.value.code == "limit"


@pytest.mark.parametrize("size", [0, 3, 300, 1 << 17])
def test_a_message_keeps_its_last_value_where_it_says(size):
    value = bytes(i % 251 for i in range(size))
    made, at = message({"op": "run", "samples": size}, "frames", size)
    made[at:] = value
    assert msgpack.unpackb(made) == {"op": "run", "samples": size, "frames": value}


def test_parts_make_the_whole(monkeypatch):
    told = []
    with Engine.load(small()) as engine:
        whole = engine.run(samples(11), spikes=True)
        monkeypatch.setattr(binding, "CALL_SAMPLES", 3)
        parts = engine.run(samples(11), spikes=True, progress=lambda *at: told.append(at))
    assert told == [(3, 11), (6, 11), (9, 11), (11, 11)]
    assert parts == whole
    np.testing.assert_array_equal(parts.spikes["n"], whole.spikes["n"])
    assert whole.counts["n"]["spikes"] == np.bitwise_count(whole.spikes["n"]).sum()


def test_no_samples_make_empty_results():
    with Engine.load(small()) as engine:
        run = engine.run(samples(0), spikes=True)
    assert run.logits.shape == (0, 2)
    assert run.spikes["n"].shape == (0, 2, 1)
    assert run.counts == {"l": {"inputs": 0}, "n": {"spikes": 0}}


def test_inputs_are_put_on_the_grid():
    grid = Format(4, 1, "floor")
    with Engine.load(small(input_format=grid)) as engine, Engine.load(small()) as plain:
        assert engine.run(samples()) == plain.run(grid.apply(samples()))
        assert engine.run(samples()) != plain.run(samples())


def test_results_outlive_the_engine():
    engine = Engine.load(small())
    run = engine.run(samples(), spikes=True)
    logits, bits = run.logits.copy(), run.spikes["n"].copy()
    engine.run(np.zeros_like(samples()), spikes=True)
    engine.close()
    engine.close()
    np.testing.assert_array_equal(run.logits, logits)
    np.testing.assert_array_equal(run.spikes["n"], bits)
    with pytest.raises(EngineError, match="closed"):
        engine.run(samples())


def test_one_engine_from_many_threads():
    with Engine.load(small()) as engine:
        expected = engine.run(samples())
        found = []
        work = [
            threading.Thread(target=lambda: found.append(engine.run(samples(), threads=2)))
            for _ in range(8)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
    assert found == [expected] * 8


def test_memory_is_given_back():
    """A hundred engines of 4 MB each, in a process that may have grown by far less at the end."""
    resource = pytest.importorskip("resource")
    weight = np.ones((1000, 1000), np.float32)
    network = Network((Linear("l", weight, None),), (("input", "l"),), (1000,), 1)
    document = network.pack()
    for _ in range(20):
        Engine.load(document).close()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        with Engine.load(document) as engine:
            engine.run(np.ones((3, 1000), np.float32), threads=3)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024, f"{grown} KiB"


def test_header_and_binding_agree():
    """The constants of the C header are those that the binding uses."""
    text = HEADER.read_text()
    assert re.search(r"SNN_ABI_VERSION (\d+)", text)[1] == str(library.ABI_VERSION)
    named = {name: int(n) for name, n in re.findall(r"SNN_([A-Z_]+) = (\d+)", text)}
    names = ("OK", "OUT_OF_MEMORY", "BAD_ARGUMENT", "BUSY")
    assert named == {name: getattr(library, name) for name in names}


@pytest.mark.parametrize("version", [library.ABI_VERSION, library.ABI_VERSION + 1])
def test_another_build_of_the_library_is_told(version, monkeypatch):
    class Older:
        def __getattr__(self, name):
            if name == "snn_call_with_frames":
                raise AttributeError(name)
            return type("Function", (), {"__call__": lambda *_: version})()

    monkeypatch.setattr(library.ctypes, "CDLL", lambda _: Older())
    with pytest.raises(EngineError, match="reinstall"):
        library.library.__wrapped__()


def test_null_pointers_are_bad_arguments():
    calls = library.library()
    assert calls.snn_open(None) == library.BAD_ARGUMENT
    assert calls.snn_call(None, None, 0, None, None) == library.BAD_ARGUMENT
    assert calls.snn_call_with_frames(None, None, 0, None, 0, None, None) == library.BAD_ARGUMENT
    calls.snn_close(None)
