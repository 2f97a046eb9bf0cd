"""Plans are carried out, recorded, interrupted and repeated."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_kernel import (
    ModelReport,
    Prediction,
    Processed,
    RunError,
    Table,
    Trained,
    write_atomic,
)
from snn_kernel.plan import plan
from snn_kernel.results import agree
from snn_network import Agreement
from snnk import folder, ledger
from snnk.command import main
from snnk.console import Watch
from snnk.document import read
from snnk.entry import Conditions
from snnk.leftovers import sweep
from toys import LISTENED, Count


def run(experiment: Path, *arguments: str) -> tuple[int, Path]:
    out = experiment.parent / "out"
    return main(["run", str(experiment), "--out", str(out), *arguments]), out


def results(experiment: Path, *arguments: str) -> Any:
    path = experiment.parent / "results.json"
    assert run(experiment, "--json", str(path), *arguments)[0] == 0
    return json.loads(path.read_text())["runs"]


def test_a_whole_run(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = results(experiment, "report.kind=Page")
    assert made["model"] == "one"
    known = {"compared": 160, "differing": 0, "first": "", "others": {"Mirror": 20}}
    assert made["agreement"] == known
    by_name = {m["name"]: m for m in made["measures"]}
    assert by_name["accuracy"]["source"] == "test"
    assert 0 <= by_name["accuracy"]["value"] <= 1
    assert {"parameters", "logits", "layers"} <= by_name.keys()
    assert {"weights", "history", "layers", "mirror", "page"} == made["files"].keys()
    assert all(Path(p).is_file() for p in made["files"].values())
    assert Path(made["files"]["history"]).read_text().startswith("epoch,seconds,train_loss\n1,")
    assert LISTENED[0] == "planned"
    assert LISTENED[-1] == "finished 1"
    steps = ["preprocessing Shift", "train one_r1", "evaluate one_r1", "Count one_r1"]
    heard = ["dataset …", "read dataset 1/1", "dataset"]
    heard += [h for s in [*steps, "deploy one_r1", "report"] for h in (f"{s} …", s)]
    assert LISTENED[1:-1] == heard
    shown = capsys.readouterr()
    assert "agreement with Mirror: 0 of 160 spikes and logits differ" in shown.out
    assert "an observer of snnk_run_finished failed" in shown.err


def test_results_are_the_same_twice(experiment: Path) -> None:
    first, second = results(experiment), results(experiment)
    assert first[0]["measures"] == second[0]["measures"]
    weights = [Path(r[0]["files"]["weights"]).read_bytes() for r in (first, second)]
    assert weights[0] == weights[1]
    assert first[0]["files"]["weights"] != second[0]["files"]["weights"]


def test_runs_have_seeds_of_their_own(experiment: Path) -> None:
    made = results(experiment, "bench.first_run=1", "bench.last_run=3")
    assert [r["run"] for r in made] == [1, 2, 3]
    assert len({Path(r["files"]["weights"]).read_bytes() for r in made}) == 3
    (again,) = results(experiment, "bench.first_run=2", "bench.last_run=2")
    second = Path(made[1]["files"]["weights"]).read_bytes()
    assert Path(again["files"]["weights"]).read_bytes() == second


def test_disagreement_is_named_and_exits_3(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = run(experiment, "deploy.deployer.params.wrong=true")
    assert status == 3
    assert "layer n, sample 1, timestep 0, neuron 1" in " ".join(capsys.readouterr().out.split())


def test_launcher_and_augmentation(experiment: Path) -> None:
    runs = ("bench.last_run=3", "--launcher", "Backwards")
    text = experiment.read_text() + '[[data_augmentation]]\nkind = "Noise"\nparams.sigma = 2\n'
    experiment.write_text(text)
    made = results(experiment, *runs)
    assert [r["run"] for r in made] == [3, 2, 1]
    assert {m["value"] for m in made[0]["measures"] if m["name"] == "augmentation"} == {2.0}
    assert run(experiment, "--launcher", "Forwards")[0] == 1


def test_an_augmentation_may_also_change_what_is_tested(experiment: Path) -> None:
    text = experiment.read_text() + '[[data_augmentation]]\nkind = "Noise"\n'
    experiment.write_text(text)
    plain, moved = (
        results(experiment, f"data_augmentation.0.params={{sigma=3.0, evaluate={flag}}}")[0]
        for flag in ("false", "true")
    )
    worst = [
        next(m["value"] for m in r["measures"] if m["name"] == "logits") for r in (plain, moved)
    ]
    assert worst[0] != worst[1]
    assert moved["agreement"]["differing"] == 0


def test_two_tables_of_one_name_keep_two_files(experiment: Path) -> None:
    experiment.write_text(experiment.read_text() + '[[postprocessing]]\nkind = "Count"\n')
    files = results(experiment)[0]["files"]
    assert files["layers"].endswith("layers.csv")
    assert files["layers 2"].endswith("layers_2.csv")


def test_limit_and_until(experiment: Path) -> None:
    (made,) = results(experiment, "deploy.limit=4")
    assert made["agreement"]["compared"] == 4 * (2 * 3 + 2)
    assert made["agreement"]["others"] == {"Mirror": 4}
    assert made["limited"] == {"Mirror": 4}
    assert results(experiment, "deploy.limit=20")[0]["limited"] == {}
    assert results(experiment, "--until", "deploy")[0]["agreement"] is None
    assert "mirror" not in results(experiment, "--until", "train")[0]["files"]
    assert results(experiment, "--until", "preprocess") == []


def test_evaluate_false_still_deploys(experiment: Path) -> None:
    (made,) = results(experiment, "model.0.evaluate=false", "postprocessing=[]")
    assert made["agreement"]["differing"] == 0


def test_disabled_models_are_skipped(experiment: Path) -> None:
    assert results(experiment, "model.0.disabled=true") == []


def test_runs_that_start_at_the_same_moment_have_folders_of_their_own(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, out = plan(read(experiment)), experiment.parent / "out"
    monkeypatch.setattr(time, "strftime", lambda _: "now")
    barrier = threading.Barrier(8)

    def start(_: int) -> Path:
        barrier.wait()
        return folder.begin(made, out, print).path

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(start, range(8)))
    assert sorted(p.name for p in found) == ["now", *(f"now_{i}" for i in range(1, 8))]
    assert len(list(out.glob("toy/*/lock.json"))) == 8


def test_load_takes_the_newest_weights(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(experiment, "model.0.load=true")[0] == 2
    assert "no earlier run" in capsys.readouterr().err
    first = results(experiment)
    loaded = results(experiment, "model.0.load=true", "model.0.epochs=0", "bench.seed=77")
    weights = [Path(r[0]["files"]["weights"]).read_bytes() for r in (first, loaded)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("verb", [["run"], ["runs"], ["new", "neuron", "my-neuron"]])
def test_what_is_no_folder_keeps_no_runs(
    experiment: Path, verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = [str(experiment)] if verb == ["run"] else []
    with pytest.raises(SystemExit) as ended:
        main([*verb, *file, "--out", str(experiment)])
    assert ended.value.code == 2
    assert f"argument --out: {experiment} is no folder" in capsys.readouterr().err


def test_names_may_hold_what_means_something_elsewhere(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To a terminal's markup, and to patterns of file names."""
    name = "model.0.name=one[red]"
    results(experiment, name)
    assert run(experiment, name, "model.0.load=true")[0] == 0
    shown = capsys.readouterr()
    assert "one[red], run 1" in shown.out
    assert "train one[red]_r1" in shown.err


def test_a_model_that_replaces_another_is_examined_and_exported(experiment: Path) -> None:
    text = experiment.read_text() + '[[postprocessing]]\nkind = "Double"\nexport = true\n'
    experiment.write_text(text)
    (made,) = results(experiment)
    exported = json.loads(Path(made["files"]["one_double.safetensors"]).read_text())
    trained = json.loads(Path(made["files"]["weights"]).read_text())
    assert np.array_equal(exported["a"], 2 * np.array(trained["a"]))
    assert made["agreement"]["differing"] == 0
    assert [m["name"] for m in made["measures"]].count("accuracy") == 1


def test_no_table_takes_the_place_of_another(tmp_path: Path) -> None:
    """Of tables that share a name, or the first word of one, each has a file of its own."""
    names = ("steps", "steps history", "steps", "steps history", "steps")
    tables = tuple(Table(name, ("n",), ((i,),)) for i, name in enumerate(names))
    processed = Processed("one", None, Trained(None), tables=tables)
    report = ModelReport("one", 1, processed, np.zeros(0, np.int64), tmp_path)
    files = folder.keep(report).files
    assert list(files) == ["steps", "steps history", "steps 2", "steps history 2", "steps 3"]
    assert [path.read_text() for path in files.values()] == [f"n\n{i}\n" for i in range(5)]


def test_lock_says_what_was_run(experiment: Path) -> None:
    _, out = run(experiment)
    lock = json.loads(next(out.glob("toy/*/lock.json")).read_text())
    assert lock["versions"]["snn-kernel"] == "0.1.0"
    assert lock["document"]["model"][0]["epochs"] == 2


def test_ledger(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out = run(experiment)
    run(experiment, "model.0.load=true", "model.0.name=other")
    capsys.readouterr()
    assert main(["runs", "--out", str(out)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "done" in first
    assert "failed" in second
    assert second.endswith("  model.0.load=true model.0.name=other")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes the next runs fail after training, or mends them."""
    kept = Count.apply

    def fail(*_: Any) -> None:
        raise RunError("struck by lightning")

    return lambda broken: monkeypatch.setattr(Count, "apply", fail if broken else kept)


def folders(out: Path) -> list[str]:
    return sorted(p.name for p in (out / "toy").iterdir())


def test_resume_goes_on_in_the_folder_of_the_interrupted_run(
    experiment: Path, broken: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(True)
    assert run(experiment)[0] == 2
    assert run(experiment, "model.0.epochs=3")[0] == 2  # interrupted as well, but another run
    broken(False)
    out = experiment.parent / "out"
    left = folders(out)
    capsys.readouterr()
    (made,) = results(experiment, "--resume")
    assert "nothing to resume" not in capsys.readouterr().err
    assert folders(out) == left
    assert Path(made["files"]["weights"]).is_file()
    assert run(experiment, "--resume")[0] == 0  # it ended well: nothing is left of it to go on with
    assert "warning: nothing to resume" in capsys.readouterr().err
    assert len(folders(out)) == 3


def test_resume_leaves_alone_what_is_under_way_or_made_by_other_versions(
    experiment: Path, broken: Any
) -> None:
    broken(True)
    _, out = run(experiment)
    broken(False)
    (left,) = (out / "toy").iterdir()
    asked = Conditions()
    with ledger.entry(out, "toy", left, asked, Watch()):  # by this very process, which lives
        assert ledger.unfinished(out, "toy") == []
        assert run(experiment, "--resume")[0] == 0
        assert len(folders(out)) == 2
    lock = left / "lock.json"
    lock.write_text(lock.read_text().replace('"snn-kernel": "', '"snn-kernel": "9.'))
    assert run(experiment, "--resume")[0] == 0
    assert len(folders(out)) == 3


def test_a_killed_run_counts_as_interrupted_and_an_old_ledger_is_read(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as old, old:
        old.execute(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT, folder TEXT, started TEXT, "
            "status TEXT, results TEXT)"
        )
        old.execute("INSERT INTO runs (name, folder, status) VALUES ('toy', 'old', 'running')")
    with closing(ledger.connect(tmp_path)) as database:
        insert = "INSERT INTO runs (name, folder, status, pid) VALUES ('toy', ?, 'running', ?)"
        database.execute(insert, ("killed", dead.pid))
        database.execute(insert, ("alive", os.getpid()))
    assert ledger.unfinished(tmp_path, "toy") == [Path("killed"), Path("old")]
    assert ledger.unfinished(tmp_path, "other") == []


def test_load_takes_the_weights_of_an_earlier_run_not_its_own(
    experiment: Path, broken: Any
) -> None:
    results(experiment)
    load = ("model.0.load=true", "model.0.epochs=1")
    whole = Path(results(experiment, *load)[0]["files"]["weights"]).read_bytes()
    other = experiment.parent / "other"
    results(experiment, f"--out={other}")
    broken(True)
    assert main(["run", str(experiment), f"--out={other}", *load]) == 2
    broken(False)
    resumed = results(experiment, f"--out={other}", *load, "--resume")
    assert Path(resumed[0]["files"]["weights"]).read_bytes() == whole


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt, SystemExit])
def test_atomic_write_leaves_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    path = write_atomic(tmp_path / "deep" / "file", "old")

    def fail(*_: Any) -> None:
        raise failure

    for victim in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, victim, fail)
            with pytest.raises(failure):
                write_atomic(path, b"new")
        assert path.read_text() == "old"
        assert list(path.parent.iterdir()) == [path]
    assert write_atomic(path, "neu").read_text() == "neu"


@pytest.mark.parametrize("name", ["y" * 255, "ü" * 127, "𝛼" * 63])
def test_atomic_write_takes_names_as_long_as_the_file_system_does(
    tmp_path: Path, name: str
) -> None:
    assert write_atomic(tmp_path / name, "whole").read_text() == "whole"


def test_a_name_as_long_as_is_allowed_serves_a_whole_run(experiment: Path) -> None:
    name = "y" * 200
    changes = ("postprocessing.0={kind='Double', export=true}", f"bench.name={name}")
    (made,) = results(experiment, *changes, f"model.0.name={name}")
    assert all(Path(path).is_file() for path in made["files"].values())


def test_sweep_removes_what_the_dead_left_and_nothing_else(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".w.safetensors.{dead.pid}.abc.partial"
    alive = tmp_path / f".w.safetensors.{os.getpid()}.abc.partial"
    other = tmp_path / ".x.partial"
    for path in (left, alive, other):
        path.write_text("half")
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, other])


WRITER = """
import sys, pathlib
from snn_kernel import write_atomic
while True:
    write_atomic(pathlib.Path(sys.argv[1]), sys.argv[2].encode() * 300_000)
    print("written", flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for letter in "ab":
        command = [sys.executable, "-c", WRITER, str(path), letter]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.15)
            writer.kill()
        data = path.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_an_agreement_knows_with_whom() -> None:
    ours = Prediction(np.zeros((2, 3), np.float32))
    nobody, board, law = (agree(ours, ours.take(n), who) for n, who in NAMED)
    assert [a.whom for a in (nobody, board, law)] == ["", "Board", "the law"]
    both = board + law + board
    assert both.others == {"Board": 4, "the law": 2}
    assert both.whom == "Board and the law"
    assert (both + Agreement(1, 0, "", {"C": 1})).whom == "Board, the law and C"
    assert (nobody + law).whom == "the law"
    assert board.others == {"Board": 2}  # adding changes nothing


NAMED = ((2, ""), (2, "Board"), (2, "the law"))


def test_agree_counts_each_kind_of_difference() -> None:
    logits = np.zeros((2, 3), np.float32)
    packed = np.zeros((2, 4, 2), np.uint8)
    ours = Prediction(logits, {"n": packed}, {"n": 11})
    assert agree(ours, ours).differing == 0
    assert agree(ours, ours).compared == 2 * 4 * 11 + 6
    other = packed.copy()
    other[1, 2, 1] = 0b0110_0000
    found = agree(ours, Prediction(logits, {"n": other}, {"n": 11}))
    assert (found.differing, found.first) == (2, "layer n, sample 1, timestep 2, neuron 9")
    assert agree(ours, Prediction(logits, {}, {})).differing == 88
    nan = logits.copy()
    nan[1, 2] = np.nan
    found = agree(ours, Prediction(nan, {"n": packed}, {"n": 11}))
    assert (found.differing, found.first) == (1, "logits, sample 1, class 2")
    assert agree(ours, Prediction(logits[:1], {"n": packed}, {"n": 11})).differing == 6
