"""The ledger of runs: of an earlier version, moved, damaged, full, shared."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import sqlite3
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from said import Said, Struck, told
from snn_kernel import RunError
from snnk import entry, ledger, past
from snnk.reference import Picked
from toys import Count


def old_ledger(out: Path) -> bytes:
    """The ledger of `out` as earlier versions wrote it, its runs where they are."""
    path = out / "runs.sqlite"
    with closing(sqlite3.connect(path)) as new:
        columns = "id, name, folder, started, status, results"
        rows = new.execute(f"SELECT {columns} FROM runs").fetchall()
    path.unlink()
    with closing(sqlite3.connect(path)) as old, old:
        old.execute(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT, folder TEXT, started TEXT, "
            "status TEXT, results TEXT)"
        )
        old.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", rows)
        insert = "INSERT INTO runs (name, folder, status) VALUES ('toy', 'gone', ?)"
        for status in ("failed (RunError)", "failed (KeyboardInterrupt)", "running"):
            old.execute(insert, (status,))
    return path.read_bytes()


def test_an_old_ledger_is_read_as_it_is_and_brought_up_to_date_by_a_run(two: Said) -> None:
    before = old_ledger(Path("out"))
    states = [(e["state"], e["fault"]) for e in told(two, "runs")]
    assert states[:3] == [("done", ""), ("done", ""), ("failed", "RunError")]
    assert states[3:] == [("interrupted", ""), ("interrupted", "")]
    assert "seed = 5" in two("show", "1")[1]  # from the lock file
    for status in (two("show", "4")[0], two("compare", "1", "2", "3")[0]):
        assert status == 0
    assert "do not differ" not in two("compare", "3", "4")[1]  # who knows
    assert Path("out/runs.sqlite").read_bytes() == before
    assert two("run", "toy.toml")[0] == 0
    found = told(two, "compare", "1", "last")
    assert found["differences"] == []
    assert any("defaults are left out" in note for note in found["notes"])
    assert told(two, "show", "last")["settings"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_ledger_that_cannot_be_written_is_read(two: Said) -> None:
    Path("out/runs.sqlite").chmod(0o400)
    Path("out").chmod(0o500)
    try:
        assert two("show", "1")[0] == 0
    finally:
        Path("out").chmod(0o700)


HINT = "(move it away and another is begun; runs stay in their folders)"


@pytest.mark.parametrize("verb", [("runs",), ("show", "1"), ("compare", "1", "2")])
def test_a_damaged_ledger_is_told(two: Said, verb: tuple[str, ...]) -> None:
    path = Path("out/runs.sqlite")
    path.write_bytes(b"no database at all" * 100)
    where = "out/runs.sqlite: the ledger of runs cannot be used:"
    said = (2, "", f"{where} file is not a database {HINT}\n")
    assert two(*verb) == said
    folders = len(list(Path("out/toy").iterdir()))
    assert two("run", "toy.toml") == said  # before anything is run
    assert len(list(Path("out/toy").iterdir())) == folders


@pytest.mark.parametrize("column", ["results", "conditions", "folder", "status", "started"])
@pytest.mark.parametrize("cell", ["{", "[]", '{"runs": [{}]}', '{"runs": 3}', None, b"\xff", 3])
def test_a_damaged_row_hides_no_other(two: Said, column: str, cell: Any) -> None:
    with closing(sqlite3.connect("out/runs.sqlite")) as database, database:
        database.execute(f"UPDATE runs SET {column} = ? WHERE id = 1", (cell,))
    assert [e["state"] for e in told(two, "runs")][1] == "done"
    assert [two(*verb)[0] for verb in (("runs",), ("show", "1"), ("show", "2"))] == [0, 0, 0]
    assert two("compare", "1", "2")[0] == 0
    assert two("run", "toy.toml")[0] == 0
    if column == "results" and cell == "{":
        assert two("show", "1")[1].startswith("run 1 of toy: damaged\nbecause   its row in the ")


CELLS = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20),
    st.binary(max_size=5), st.sampled_from(["running", "done", "{}", '{"runs": []}', "toy", "/"]),
)  # fmt: skip


COLUMNS = ("name", "folder", "started", "status", "results", "pid", "finished", "fault")


@given(st.fixed_dictionaries(dict.fromkeys((*COLUMNS, "conditions"), CELLS)))
def test_any_row_is_an_entry(cells: dict[str, Any]) -> None:
    found = entry.Entry.read({"id": 1, **cells}, Path("out"))
    assert found.id == 1
    assert json.loads(json.dumps(found.as_json(), default=str))["state"] == found.state
    assert list(found.files()) == [] or found.folder.exists()
    with redirect_stdout(io.StringIO()):
        past.show(Picked("1", found))


@pytest.mark.parametrize("seed", range(40))
def test_a_garbled_ledger_is_read_or_told(two: Said, seed: int) -> None:
    path, chance = Path("out/runs.sqlite"), random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 10, 200))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data)
    for verb in (("runs",), ("show", "2"), ("compare", "1", "2"), ("run", "toy.toml")):
        status, _, err = two(*verb)
        assert status in (0, 1, 2)
        assert "unexpected" not in err


def test_an_empty_file_is_an_empty_ledger(snnk: Said) -> None:
    Path("out").mkdir()
    Path("out/runs.sqlite").touch()
    assert snnk("runs")[0] == 0
    assert snnk("run", "toy.toml")[0] == 0
    assert len(told(snnk, "runs")) == 1


def test_a_full_disk_hides_no_result(snnk: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = ledger.connect

    def full(out: Path) -> sqlite3.Connection:
        database = connect(out)
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages + 2}")
        return database

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "connect", full)
        status, out, err = snnk("run", "toy.toml", "bench.last_run=30")
    assert status == 0
    assert "one, run 30" in out
    said = "the ledger does not have the status and results and finished of run 1"
    assert f"{said}: database or disk is full" in " ".join(err.split())
    assert told(snnk, "show", "last")["state"] == "running"  # of this very process


def test_toml_of_a_run_whose_document_is_lost(two: Said) -> None:
    old_ledger(Path("out"))
    status, out, err = two("show", "3", "--toml")
    assert (status, out) == (1, "")
    assert err == "run 3: its configuration is not recorded\n"
    assert tomllib.loads(two("show", "1", "--toml")[1])["bench"]["seed"] == 5


def test_many_processes_bring_one_old_ledger_up_to_date(two: Said) -> None:
    old_ledger(Path("out"))

    def connect(_: int) -> int:
        with closing(ledger.connect(Path("out"))) as database:
            return len(database.execute("SELECT conditions FROM runs").fetchall())

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(connect, range(8))) == [5] * 8


def test_what_was_done_before_a_failure_is_kept(
    snnk: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, calls = Count.apply, []

    def fail(*given: Any) -> Any:
        calls.append(told(snnk, "show", "last"))
        if len(calls) == 3:
            raise RunError("struck by lightning")
        return kept(*given)

    with monkeypatch.context() as patch:
        patch.setattr(Count, "apply", fail)
        assert snnk("run", "toy.toml", "bench.last_run=4")[0] == 2
    assert [(c["state"], len(c["runs"])) for c in calls] == [("running", n) for n in range(3)]
    found = told(snnk, "show", "last")
    assert (found["state"], found["fault"]) == ("failed", "Count one_r3: struck by lightning")
    assert [r["run"] for r in found["runs"]] == [1, 2]
    assert snnk("run", "toy.toml", "bench.last_run=2")[0] == 0
    whole = told(snnk, "show", "last")["runs"]
    assert [r["measures"] for r in found["runs"]] == [r["measures"] for r in whole]


def test_a_run_goes_on_where_the_ledger_is_now(struck: Struck, snnk: Said) -> None:
    struck(RunError("struck by lightning"))
    shutil.move("out", "moved")
    change = ("bench.seed=7", "--resume", "--out", "moved")
    assert snnk("run", "toy.toml", *change)[0] == 0
    assert len(list(Path("moved/toy").iterdir())) == 1


def test_files_are_found_where_the_ledger_is_now_or_said_to_be_gone(two: Said) -> None:
    shutil.move("out", "moved")
    found = told(two, "show", "1", "--out", "moved")
    assert found["folder"].startswith("moved/toy/")
    assert all(Path(path).is_file() for path in found["runs"][0]["files"].values())
    weights = Path(found["runs"][0]["files"]["weights"])
    weights.unlink()
    out = two("show", "1", "--out", "moved")[1]
    assert f"{weights}  is gone\n" in out
    assert out.count("is gone") == 1
    shutil.rmtree(found["folder"])
    out = two("show", "1", "--out", "moved")[1]
    assert f"folder    {found['folder']} is gone\n" in out
    assert "seed = 5" in out  # of the ledger's own
    assert two("compare", "1", "2", "--out", "moved")[0] == 0
