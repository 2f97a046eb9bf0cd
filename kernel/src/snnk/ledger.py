"""The ledger of runs (SQLite): a row for every invocation of `snnk run`, whatever becomes of it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from attrs import asdict

from snn_kernel.errors import Fault, RunError
from snn_kernel.results import Report
from snnk import faults
from snnk.entry import DONE, FAILED, INTERRUPTED, RUNNING, Conditions, Entry, Made
from snnk.leftovers import alive

# Of these, `results` is the JSON of a run, `conditions` that of Conditions. New ones go to the end.
_COLUMNS = {
    "id": "INTEGER PRIMARY KEY",
    "name": "TEXT",
    "folder": "TEXT",
    "started": "TEXT",
    "status": "TEXT",
    "results": "TEXT",
    "pid": "INTEGER",
    "finished": "TEXT",
    "fault": "TEXT",
    "conditions": "TEXT",
}


class Witness(Protocol):
    """Who sees a run: the step it is at, and a voice."""

    step: str

    def warn(self, text: str) -> None:
        """Tell the user."""


def connect(out: Path) -> sqlite3.Connection:
    """The ledger of all runs below folder `out`, made if it is not there and brought up to date if
    it is from before some of the columns; RunError if that cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"runs cannot be kept here: {error.strerror}"
        raise RunError(Fault(str(out), what, "", "--out names another folder")) from error
    with _told(out):
        database = sqlite3.connect(out / "runs.sqlite", isolation_level=None)
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        database.execute(f"CREATE TABLE IF NOT EXISTS runs ({columns})")
        for name in _COLUMNS.keys() - _present(database):
            with suppress(sqlite3.OperationalError):  # another process was first to add it
                database.execute(f"ALTER TABLE runs ADD COLUMN {name} {_COLUMNS[name]}")
    return database


def entries(out: Path) -> list[Entry]:
    """All runs in the ledger of `out`, oldest first, which is not written to; RunError if it cannot
    be read."""
    path = out / "runs.sqlite"
    if not path.exists():
        return []
    with _told(out), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        if not (present := _present(db)):
            return []
        names = (name if name in present else f"NULL AS {name}" for name in _COLUMNS)
        db.row_factory = sqlite3.Row
        rows = db.execute(f"SELECT {', '.join(names)} FROM runs ORDER BY id").fetchall()
        return [Entry.read(dict(row), out) for row in rows]


def interrupted(out: Path, name: str) -> list[Path]:
    """The folders of the runs of bench `name` that did not end well and are not under way, newest
    first; each stands for all invocations that worked in it."""
    with closing(connect(out)) as database:
        query = "SELECT folder, status, pid FROM runs WHERE name = ? ORDER BY id DESC"
        rows = database.execute(query, (name,)).fetchall()
    busy = {folder for folder, status, pid in rows if status == RUNNING and pid and alive(pid)}
    over = busy | {folder for folder, status, _ in rows if status == DONE}
    return [Path(folder) for folder in dict.fromkeys(row[0] for row in rows) if folder not in over]


@contextmanager
def entry(
    out: Path, name: str, folder: Path, conditions: Conditions, witness: Witness
) -> Iterator[Callable[[Report], None]]:
    """A row for one invocation; call what it yields with the report to complete it. An exception
    becomes its status and its fault, with the step that `witness` saw it at; a row that still says
    running belongs to a process that lives or was killed."""
    with closing(connect(out)) as database:
        row: dict[str, Any] = {
            "name": name,
            "folder": str(folder),
            "started": _now(),
            "status": RUNNING,
        }
        row |= {"pid": os.getpid(), "conditions": json.dumps(asdict(conditions), default=str)}
        insert = f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
        with _told(out):
            number = database.execute(insert, tuple(row.values())).lastrowid

        def close(status: str, results: str = "", fault: str = "") -> None:
            change = "UPDATE runs SET status = ?, results = ?, fault = ?, finished = ? WHERE id = ?"
            try:
                database.execute(change, (status, results, fault, _now(), number))
            except sqlite3.Error as error:  # what was made must be shown all the same
                witness.warn(f"{out / 'runs.sqlite'}: how this run ended is not recorded: {error}")

        try:
            yield lambda report: close(DONE, json.dumps(results(report)))
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt)
            fault = "" if stopped else "\n".join(faults.lines(error))
            at = f"{witness.step}: {fault}".removesuffix(": ") if witness.step else fault
            close(INTERRUPTED if stopped else FAILED, fault=at)
            raise


def results(report: Report) -> dict[str, Any]:
    """What a report says, as JSON has it."""
    return {"runs": [Made.of(one, report).as_json() for one in report.runs]}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def _present(database: sqlite3.Connection) -> set[str]:
    return {row[1] for row in database.execute("PRAGMA table_info(runs)")}


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """What is wrong with the ledger, with what can be done about it."""
    try:
        yield
    except sqlite3.Error as error:
        hint = "move it away and another is begun; runs stay in their folders"
        busy = isinstance(error, sqlite3.OperationalError)
        what = f"the ledger of runs cannot be used: {error}"
        raise RunError(Fault(str(out / "runs.sqlite"), what, "", "" if busy else hint)) from error
