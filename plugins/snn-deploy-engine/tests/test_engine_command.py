"""`snnk engine run | bench | serve` as a user types them."""

import csv
import importlib.metadata
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import msgpack
import numpy as np
import pytest
from attrs import evolve

from snn_deploy_engine import command, recording
from snn_engine import Event, EventEngine
from snn_kernel.network import Conv, Flatten, Linear, Network, Neuron, Pool
from snnk.command import main

pytest.importorskip("snn_datasets_events", reason="it reads the files")

RECORD = [(name, "<u4") for name in "xytp"]


@pytest.fixture
def document(tmp_path):
    rng = np.random.default_rng(0)
    layers = (
        Conv("c", rng.random((3, 2, 2, 2), np.float32), None, (1, 1), (0, 0)),
        Neuron("n", 1.0),
        Flatten("f"),
        Linear("l", rng.random((4, 27), np.float32) / 4, None),
        Neuron("o", 1.0),
    )
    names = ("input", *(layer.name for layer in layers))
    made = Network(layers, tuple(itertools.pairwise(names)), (2, 4, 4), 1)
    path = tmp_path / "toy.network"
    path.write_bytes(made.pack())
    biased = [evolve(layer, bias=1.0) if layer.name == "n" else layer for layer in layers]
    (tmp_path / "biased.network").write_bytes(evolve(made, layers=tuple(biased)).pack())
    return path


def events(count=50):
    made = np.zeros(count, RECORD)
    made["x"], made["y"] = np.arange(count) % 4, np.arange(count) // 3 % 4
    made["t"], made["p"] = 10 * np.arange(count), np.arange(count) // 5 % 2
    return made


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "events.npy"
    np.save(path, events())
    return path


def run(*arguments):
    return main(["engine", "run", *map(str, arguments)])


def test_names_of_layers_that_are_no_names_of_files(document, recorded, tmp_path):
    made = Network.unpack(document.read_bytes())
    names = {"n": "a/b", "o": "../é %"}
    layers = [evolve(layer, name=names.get(layer.name, layer.name)) for layer in made.layers]
    chain = itertools.pairwise(("input", *(layer.name for layer in layers)))
    document.write_bytes(evolve(made, layers=tuple(layers), edges=tuple(chain)).pack())
    monitors = [word for name in names.values() for word in ("--monitor", name)]
    assert run(document, recorded, "--out", tmp_path / "out.npy", *monitors) == 0
    mine = {"toy.network", "biased.network", recorded.name}
    found = {path.name for path in tmp_path.iterdir()} - mine
    assert found == {"out.npy", "out.a%2Fb.npy", "out...%2Fé%20%25.npy"}


def test_a_file_larger_than_any_recording_is_not_read(document, tmp_path, capsys):
    path = tmp_path / "huge.npy"
    with path.open("wb") as file:
        file.truncate(recording.BYTES_MAX + 1)  # sparse
    assert run(document, path) == 2
    assert "huge.npy: has 4294967297 bytes, more than" in capsys.readouterr().err


def test_output_and_monitored_events_are_written(document, recorded, tmp_path, capsys):
    with EventEngine.load(document.read_bytes(), Event()) as engine:
        expected = engine.run(events(), monitor=["n"])
    out = tmp_path / "out.npy"
    assert run(document, recorded, "--out", out, "--monitor", "n", "--counters") == 0
    np.testing.assert_array_equal(np.load(out), expected.records)
    np.testing.assert_array_equal(np.load(tmp_path / "out.n.npy"), expected.monitors["n"])
    told = capsys.readouterr().out
    assert f"50 events in, {len(expected.records)} out" in told
    assert "layer,events_in,events_out,synaptic_operations" in told
    rows = {row[0]: row[1:] for row in csv.reader(told.splitlines()) if len(row) == 11}
    assert rows["c"][0] == "50"
    assert rows["n"][1] == f"{len(expected.monitors['n'])}"
    assert run(document, recorded, "--out", tmp_path / "out.csv", "--isolated") == 0
    rows = list(csv.reader((tmp_path / "out.csv").open()))
    assert rows[0] == ["x", "y", "t", "p"]
    assert [tuple(map(int, row)) for row in rows[1:]] == expected.records.tolist()


@pytest.mark.parametrize("part", [1, 7, 100])
def test_parts_change_nothing(document, recorded, tmp_path, monkeypatch, part):
    assert run(document, recorded, "--out", tmp_path / "whole.npy") == 0
    monkeypatch.setattr(command, "PART_EVENTS", part)
    assert run(document, recorded, "--out", tmp_path / "parts.npy") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "parts.npy"), np.load(tmp_path / "whole.npy"))


def test_options_reach_the_engine(document, recorded, tmp_path):
    how = Event(order="chw", floor=None, single_spike=True, dt_us=7)
    with EventEngine.load(document.read_bytes(), how) as engine:
        expected = engine.run(events()).records
    options = ("--order", "chw", "--floor", "none", "--single-spike", "--dt-us", "7")
    assert run(document, recorded, "--out", tmp_path / "out.npy", *options) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_no_events_make_no_events(document, tmp_path, capsys):
    np.save(tmp_path / "none.npy", events(0))
    assert run(document, tmp_path / "none.npy", "--out", tmp_path / "out.npy") == 0
    assert "0 events in, 0 out" in capsys.readouterr().out
    assert len(np.load(tmp_path / "out.npy")) == 0


def changed(**fields):
    made = events().astype([(name, "<i8") for name in "xytp"])
    for name, (at, value) in fields.items():
        made[name][at] = value
    return made


@pytest.mark.parametrize(
    ("made", "status", "text"),
    [
        (changed(t=(7, 3)), 2, "event 7 (x 3, y 2, t 3, p 1): is earlier than the event before it"),
        (changed(x=(9, 4)), 2, "event 9 (x 4, y 3, t 90, p 1): is not within 4 x 4 positions, 2"),
        (changed(p=(2, 2)), 2, "event 2 (x 2, y 0, t 20, p 2): is not within"),
        (changed(y=(1, -1)), 2, "event 1: its y is -1"),
        (events()[["x", "y", "t"]], 2, "events have the fields x, y, t, p; found x, y, t"),
        (np.zeros((3, 4)), 2, "events have the fields x, y, t, p; found float64"),
    ],
)
def test_wrong_events_are_named(document, tmp_path, capsys, made, status, text):
    np.save(tmp_path / "wrong.npy", made)
    assert run(document, tmp_path / "wrong.npy", "--out", tmp_path / "out.npy") == status
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out.npy").exists()


def test_unsorted_events_on_request(document, tmp_path):
    np.save(tmp_path / "unsorted.npy", changed(t=(7, 3)))
    assert run(document, tmp_path / "unsorted.npy", "--unsorted") == 0


@pytest.mark.parametrize(
    ("network", "file", "more", "status", "text"),
    [
        ("none.network", "events.npy", [], 2, "none.network: cannot be read: No such file"),
        ("events.npy", "events.npy", [], 2, "events.npy: is no network document"),
        ("toy.network", "none.npy", [], 2, "none.npy: cannot be read"),
        ("toy.network", "toy.network", [], 1, "nobody here reads .network files (known: bin, bs3"),
        ("toy.network", "x.bs4", [], 1, "reads .bs4 files (did you mean 'bs3'?)"),
        ("toy.network", "events.npy", ["--monitor", "l"], 1, "--monitor l: is no layer of neurons"),
        ("toy.network", "events.npy", ["--dt-us", "0"], 1, "dt_us"),
        ("biased.network", "events.npy", [], 2, "'dt_us' must tell how long one is (--dt-us)"),
    ],
)
def test_wrong_arguments_are_named(
    document, recorded, tmp_path, capsys, network, file, more, status, text
):
    assert run(tmp_path / network, tmp_path / file, *more) == status
    assert text in capsys.readouterr().err


def test_a_result_that_could_not_be_written_is_refused_first(document, recorded, capsys):
    with pytest.raises(SystemExit):
        run(document, recorded, "--out", "out.txt")
    assert "ends in none of .npy, .csv" in capsys.readouterr().err


def test_without_readers(document, recorded, capsys, monkeypatch):
    found = importlib.metadata.entry_points
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group, **more: [] if group == recording.GROUP else found(group=group, **more),
    )
    assert run(document, recorded) == 1
    assert "pip install snn-datasets-events" in capsys.readouterr().err


def test_a_bar_where_it_takes_its_time(monkeypatch, capsys):
    monkeypatch.setattr(command, "PATIENCE_S", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with command._told(10) as tell:
        tell(5)
        time.sleep(0.2)
    assert "events" in capsys.readouterr().err
    monkeypatch.setattr(command, "PATIENCE_S", 60.0)
    with command._told(10) as tell:
        tell(5)
    assert capsys.readouterr().err == ""


def test_bench(document, capsys):
    assert main(["engine", "bench", str(document), "--events", "2000", "--rounds", "2"]) == 0
    told = capsys.readouterr().out
    assert "M events/s, median of 2" in told
    assert "G synaptic operations/s" in told


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--events", "0", "argument --events: '0' is no number from 1 on"),
        ("--rounds", "-1", "argument --rounds: '-1' is no number from 1 on"),
        ("--rounds", "two", "'two' is no number from 1 on"),
        ("--floor", "low", "argument --floor: 'low' is neither a number nor 'none'"),
        ("--floor", "nan", "'nan' is neither a number nor 'none'"),
    ],
)
def test_what_is_no_number_is_refused_first(document, capsys, option, value, text):
    with pytest.raises(SystemExit) as ended:
        command.main(["bench", str(document), f"{option}={value}"])
    assert ended.value.code == 2
    assert text in capsys.readouterr().err


def test_serve(document):
    load = {"op": "load", "network": msgpack.unpackb(document.read_bytes())}
    message = msgpack.packb(load)
    done = subprocess.run(
        [sys.executable, "-m", "snnk", "engine", "serve"],
        input=len(message).to_bytes(4, "little") + message,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert msgpack.unpackb(done.stdout[4:])["ok"]


def test_the_verb_without_its_distribution(monkeypatch, capsys):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [])
    assert main(["engine", "run"]) == 1
    told = capsys.readouterr().err
    assert told == "snnk engine: is not installed (pip install snn-deploy-engine)\n"


SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[3] / ".." / "shared"))
GESTURE = SHARED / "data" / "dvs_gesture" / "1.bs3"


@pytest.mark.skipif(not GESTURE.exists(), reason=f"no recording of gestures in {SHARED}")
def test_a_recorded_gesture(tmp_path, capsys):
    """63,471 events of a camera of 128 × 128 pixels, 7 bytes each."""
    rng = np.random.default_rng(0)
    weight = rng.normal(0.2, 0.3, (4, 2, 3, 3)).astype(np.float32)
    layers = (
        Pool("p", "sum", (4, 4), (4, 4), (0, 0)),
        Conv("c", weight, None, (2, 2), (1, 1)),
        Neuron("n", 1.0),
    )
    edges = tuple(itertools.pairwise(("input", "p", "c", "n")))
    path = tmp_path / "gesture.network"
    path.write_bytes(Network(layers, edges, (2, 128, 128), 1).pack())
    assert run(path, GESTURE, "--counters", "--out", tmp_path / "out.npy") == 0
    assert f"{GESTURE.stat().st_size // 7:,} events in" in capsys.readouterr().out
    out = np.load(tmp_path / "out.npy")
    assert len(out) > 1000
    assert (np.diff(out["t"].astype(np.int64)) >= 0).all()
