"""Runs that are over: listed, shown, called by name, compared, in whatever state they are."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from said import Said, Struck, told
from snn_kernel import RunError
from snnk import entry, ledger
from snnk.console import Watch
from snnk.document import read
from snnk.entry import Conditions

AGREED = {"compared": 160, "differing": 0, "first": "", "others": {"Mirror": 20}}


def test_show_tells_everything(two: Said) -> None:
    status, out, _ = two("show", "2")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "run 2 of toy: done"
    assert lines[1] == "asked     snnk run toy.toml bench.seed=6"
    assert re.fullmatch(r"started   \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, took 0:00:\d\d", lines[2])
    assert lines[3].startswith("folder    out/toy/")
    assert lines[4].startswith("with      python 3.")
    assert "[bench]" in lines
    assert "seed = 6" in lines
    assert re.search(r"^parameters +9 +counted +model", out, re.M)
    assert "agreement with Mirror: 0 of 160 spikes and logits differ" in out
    (weights,) = (line.split()[1] for line in lines if line.startswith("weights "))
    assert Path(weights).is_file()
    assert "is gone" not in out


def test_show_for_machines(two: Said) -> None:
    found = told(two, "show", "2")
    assert found["id"] == 2
    assert (found["state"], found["fault"], found["name"]) == ("done", "", "toy")
    assert (found["file"], found["overrides"]) == ("toy.toml", ["bench.seed=6"])
    assert found["document"] == read(Path("toy.toml"), ["bench.seed=6"])
    assert found["settings"]["model"][0]["batch_size"] == 32
    assert found["started"] <= found["finished"]
    assert found["versions"]["snn-kernel"]
    run = json.loads(two("run", "toy.toml", "bench.seed=6", "--json", "-")[1])
    assert found["runs"][0]["measures"] == run["runs"][0]["measures"]
    assert found["runs"][0].keys() == run["runs"][0].keys()
    assert [e["id"] for e in told(two, "runs")] == [1, 2, 3]


def test_a_run_that_was_to_stop_early_says_so(two: Said) -> None:
    assert two("run", "toy.toml", "--until", "train")[0] == 0
    assert "asked     snnk run toy.toml --until train\n" in two("show", "last")[1]
    (found,) = told(two, "compare", "1", "last")["differences"]
    assert found == {"key": "--until", "values": {"1": "evaluate", "3": "train"}}


def test_a_run_is_repeated_by_its_toml(two: Said) -> None:
    Path("again.toml").write_text(two("show", "2", "--toml")[1])
    assert two("run", "again.toml")[0] == 0
    runs = [told(two, "show", name) for name in ("2", "last")]
    assert runs[0]["settings"] == runs[1]["settings"]
    assert runs[0]["runs"][0]["measures"] == runs[1]["runs"][0]["measures"]


def test_runs_are_called_by_many_names(two: Said) -> None:
    first, second = told(two, "runs")
    folder = first["folder"]
    for name in ("1", "-2", folder, f"{folder}/", f"./{folder}", str(Path(folder).resolve())):
        assert told(two, "show", name)["id"] == 1, name
    for name in ("2", "last", "-1", Path(second["folder"]).name, second["folder"][4:]):
        assert told(two, "show", name)["id"] == 2, name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("9", "there is no run '9' (the last is 2)"),
        ("-3", "there is no run '-3' (the last is 2)"),
        ("0", "there is no run '0' (the last is 2)"),
        ("tyo", "there is no run 'tyo' (did you mean 'toy'?)"),
        ("toy", "'toy' names 2 runs (1 or 2?)"),
        ("", "'' names 2 runs (1 or 2?)"),
        ("lst", "there is no run 'lst' (the last is 2)"),
        ("9/one", "there is no run '9/one' (the last is 2)"),
        ("2/on", "run 2, which is done, has no results of a model 'on' (did you mean 'one'?)"),
    ],
)
def test_a_name_that_leads_nowhere(two: Said, name: str, said: str) -> None:
    for verb in ("show", "compare"):
        assert two(verb, name) == (1, "", f"{said}\n")


def test_without_any_run(snnk: Said) -> None:
    assert snnk("runs") == (0, "", "there are no runs in out yet (snnk run FILE makes one)\n")
    said = "there are no runs in elsewhere yet (snnk run FILE makes one)\n"
    assert snnk("show", "last", "--out", "elsewhere") == (1, "", said)
    assert snnk("compare", "1", "2", "--out", "elsewhere") == (1, "", said)
    assert not Path("out").exists()  # looking makes nothing
    assert not Path("elsewhere").exists()


def test_one_model_of_several(snnk: Said) -> None:
    text = Path("toy.toml").read_text()
    more = '[[model]]\nname = "two"\nparams.units = 2\nparams.neuron.kind = "Step"\n'
    Path("toy.toml").write_text(text.replace("[[postprocessing]]", f"{more}[[postprocessing]]"))
    assert snnk("run", "toy.toml", "bench.last_run=2")[0] == 0
    assert len(told(snnk, "show", "1")["runs"]) == 4
    assert [r["run"] for r in told(snnk, "show", "1/two")["runs"]] == [1, 2]
    (one,) = told(snnk, "show", "1/two_r2")["runs"]
    assert (one["model"], one["run"]) == ("two", 2)
    assert told(snnk, "show", one["files"]["weights"].rpartition("/")[0])["runs"] == [one]
    out = snnk("show", "1")[1]
    assert {"one_r1 weights", "two_r2 weights"} <= set(re.findall(r"^\w+ \w+", out, re.M))
    found = told(snnk, "compare", "1")
    assert [r["name"] for r in found["runs"]] == ["1/one", "1/two"]
    assert found["runs"][0]["runs"] == [1, 2]
    assert {d["key"] for d in found["differences"]} == {"model.0.name", "model.0.params.units"}
    assert found["notes"] == [f"1/{n}: mean ± standard deviation of 2 runs" for n in ("one", "two")]
    found = told(snnk, "compare", "1/one_r1", "1/one_r2")
    assert [r["name"] for r in found["runs"]] == ["1/one_r1", "1/one_r2"]
    assert found["differences"] == []


def test_compare_in_the_terminal(two: Said) -> None:
    status, out, _ = two("compare", "1", "2")
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[:2] == [["key", "1", "2"], ["bench.seed", "5", "6"]]
    assert ["measure", "unit", "1", "2", "vs", "1"] in lines
    assert ["parameters", "9", "9", "="] in lines
    assert ["differing", "0", "of", "160", "0", "of", "160"] in lines
    assert two("compare", "1", "1/one")[1].startswith("their configurations do not differ\n")


def test_a_narrow_terminal_loses_nothing(two: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = two("compare", "1", "2")[1]
    monkeypatch.setenv("COLUMNS", "41")
    narrow = two("compare", "1", "2")[1]
    assert max(map(len, narrow.splitlines())) <= 41 < max(map(len, wide.splitlines()))
    dull = {"key", "measure", "unit"}  # the header, and commas between labels
    assert set(wide.replace(",", "").split()) - dull <= set(narrow.replace(",", "").split())
    assert "…" not in narrow


def test_compare_in_other_forms(two: Said) -> None:
    assert "| bench.seed | 5 | 6 |" in two("compare", "1", "2", "--markdown")[1]
    assert "bench.seed & 5 & 6 \\\\" in two("compare", "1", "2", "--latex")[1]
    assert "1,parameters,,run,counted,model,9" in two("compare", "1", "2", "--csv")[1]
    with pytest.raises(SystemExit):
        two("compare", "1", "2", "--csv", "--latex")


def test_compare_for_machines(two: Said) -> None:
    found = told(two, "compare", "1", "2")
    assert found["differences"] == [{"key": "bench.seed", "values": {"1": 5, "2": 6}}]
    (parameters,) = (m for m in found["measures"] if m["name"] == "parameters")
    spread = {"mean": 9.0, "deviation": None, "count": 1}
    assert parameters["values"] == {"1": spread, "2": spread}
    assert parameters["changes"] == {"2": {"how": "ratio", "value": 1.0}}
    assert found["runs"][1]["agreement"] == AGREED


def test_one_run_of_one_model_is_nothing_to_compare(two: Said) -> None:
    said = "run 1 is all there is to compare (name another run)\n"
    assert two("compare", "1") == two("compare", "1", "1") == (1, "", said)


def test_a_failed_run(struck: Struck, snnk: Said) -> None:
    assert struck(RunError("struck by lightning")) == 2
    out = snnk("show", "last")[1]
    assert out.startswith("run 1 of toy: failed\nbecause   Count one_r1: struck by lightning\n")
    assert "one_r1/weights.safetensors" in out
    assert struck(ZeroDivisionError("division by zero")) == 2
    fault = told(snnk, "show", "last")["fault"]
    assert fault == "Count one_r1: unexpected ZeroDivisionError: division by zero"
    assert snnk("run", "toy.toml")[0] == 0
    out = snnk("compare", "1", "last")[1]
    assert "1: failed" in out
    assert re.search(r"^parameters +– +9$", out, re.M)
    said = "run 1, which is failed, has no results of a model 'one'\n"
    assert snnk("show", "1/one") == (1, "", said)


def test_an_interrupted_and_a_running_run(struck: Struck, snnk: Said) -> None:
    assert struck(KeyboardInterrupt()) == 130
    found = told(snnk, "show", "last")
    assert (found["state"], found["fault"]) == ("interrupted", "Count one_r1")
    out = Path("out")
    with ledger.entry(out, "toy", out / "toy" / "now", Conditions(), Watch()):
        assert told(snnk, "show", "last")["state"] == "running"
    with closing(ledger.connect(out)) as database:
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        database.execute("UPDATE runs SET status = 'running', pid = ?", (dead.pid,))
    assert {e["state"] for e in told(snnk, "runs")} == {"interrupted"}


def test_a_run_that_disagrees_says_so(snnk: Said) -> None:
    assert snnk("run", "toy.toml", "deploy.deployer.params.wrong=true")[0] == 3
    assert "  disagrees  " in snnk("runs")[1]
    assert snnk("show", "last")[1].startswith("run 1 of toy: disagrees\n")


def test_a_resumed_run_is_called_by_its_last_invocation(struck: Struck, snnk: Said) -> None:
    struck(RunError("struck by lightning"))
    assert snnk("run", "toy.toml", "bench.seed=7", "--resume")[0] == 0
    first, second = told(snnk, "runs")
    assert first["folder"] == second["folder"]
    assert told(snnk, "show", first["folder"])["id"] == 2


@pytest.mark.parametrize("verb", [("runs",), ("show", "1"), ("compare", "1", "2")])
def test_looking_back_imports_no_framework(two: Said, verb: tuple[str, ...]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "snnk", *verb]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "snnk.ledger" in names
    assert not names & {"torch", "spikingjelly", "sklearn", "scipy", "snn_kernel.registry"}


@pytest.mark.parametrize("where", [".", "toy.toml/x.json"])
def test_results_that_cannot_be_written_are_told_before_the_run(snnk: Said, where: str) -> None:
    status, _, err = snnk("run", "toy.toml", "--json", where)
    assert status == 1
    assert err.startswith(f"--json: {where}")
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_made_is_told(snnk: Said) -> None:
    status, _, err = snnk("run", "toy.toml", "--out", "toy.toml/out")
    assert status == 2
    assert err.startswith("toy.toml/out: runs cannot be kept here: ")
    assert err.endswith("(--out names another folder)\n")


def test_names_with_brackets_are_shown_as_they_are(snnk: Said) -> None:
    change = ("model.0.name=[bold]x[red]", "bench.name=[dim]y")
    assert "[bold]x[red], run 1" in snnk("run", "toy.toml", *change)[1]
    out = snnk("show", "1")[1]
    assert out.startswith("run 1 of [dim]y: done")
    assert "[bold]x[red], run 1" in out
    assert snnk("run", "toy.toml", *change, "bench.seed=8")[0] == 0
    assert snnk("compare", "1", "2")[0] == 0


PAGE = (Path(__file__).parents[2] / "docs" / "runs.md").read_text("utf-8")


def keys(value: Any) -> set[str]:
    """The keys of what the page documents one by one; not of what is by other names."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    return value.keys() | keys([value.get(k) for k in ("runs", "differences", "measures")])


def test_the_page_has_every_key_of_the_json(two: Said) -> None:
    documented = [set(re.findall(r'"(\w+)"', text)) for text in PAGE.split("\n- ")]
    (shown,) = (d for d in documented if "overrides" in d)
    assert told(two, "show", "1").keys() == shown
    (compared,) = (d for d in documented if "differences" in d)
    (run,) = (d for d in documented if "limited" in d)
    found = told(two, "show", "1")["runs"]
    one = {"runs"} | keys(found) | found[0]["agreement"].keys()
    assert one == run
    found = told(two, "compare", "1", "2")
    spread, change = (next(iter(found["measures"][0][k].values())) for k in ("values", "changes"))
    assert keys(found) | spread.keys() | change.keys() | {"ratio", "difference"} == compared


def test_the_page_has_every_column_of_the_ledger(two: Said) -> None:
    with closing(sqlite3.connect("out/runs.sqlite")) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(runs)")]
    told_of = PAGE.partition("## The ledger")[2].partition("A ledger of")[0]
    assert re.findall(r"`(\w+)`", told_of)[1:] == columns


def test_the_page_has_every_state() -> None:
    states = (entry.DONE, entry.DISAGREES, entry.FAILED, entry.INTERRUPTED, entry.RUNNING)
    assert all(f"`{state}`" in PAGE for state in (*states, entry.DAMAGED))
