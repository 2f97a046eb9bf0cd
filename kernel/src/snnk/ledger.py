"""The ledger of runs (SQLite): a row for every invocation of `snnk run`, whatever becomes of it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from attrs import asdict, field, frozen

from snn_kernel.errors import Fault, RunError
from snn_kernel.results import ModelReport, Report
from snnk import faults
from snnk.entry import DONE, ENDED, FAILED, INTERRUPTED, RUNNING, Conditions, Entry, Made
from snnk.folder import keep

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
Launch = Callable[..., Iterable[ModelReport]]


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
        for name in [name for name in _COLUMNS if name not in _present(database)]:
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
        db.text_factory = lambda text: text.decode("utf-8", "replace")
        rows = db.execute(f"SELECT {', '.join(names)} FROM runs ORDER BY id").fetchall()
        return [Entry.read(dict(row), out) for row in rows]


def unfinished(out: Path, name: str) -> list[Path]:
    """The folders of the runs of bench `name` that did not end well, or were to stop before the
    end (--until), and are not under way, newest first; each stands for all invocations that worked
    in it. RunError if none can be kept here."""
    connect(out).close()
    found = [e for e in reversed(entries(out)) if e.name == name]
    over = {e.folder for e in found if e.state == RUNNING or (e.state in ENDED and e.whole)}
    return [folder for folder in dict.fromkeys(e.folder for e in found) if folder not in over]


@frozen
class Row:
    """The row of a run under way, which learns of each model as soon as it is done."""

    database: sqlite3.Connection
    id: int
    witness: Witness
    made: list[Made] = field(factory=list)

    def through(self, launch: Launch) -> Launch:
        """The same launch; what it makes is kept on its way, its tables as files and its measures
        in the row, whatever fails later."""

        def kept(carry: Any, jobs: Any) -> Iterator[ModelReport]:
            for one in map(keep, launch(carry, jobs)):
                self.made.append(Made.of(one))
                self.change(results=json.dumps({"runs": [made.as_json() for made in self.made]}))
                yield one

        return kept

    def complete(self, report: Report) -> None:
        """The run is done, or has failed at the very end, where reports are written."""
        fault = "\n".join(map(str, report.faults))
        status = {"status": FAILED, "fault": f"report: {fault}"} if fault else {"status": DONE}
        self.change(**status, results=json.dumps(results(report)), finished=_now())

    def fail(self, error: BaseException) -> None:
        """The run is not: why, and at which step."""
        stopped = isinstance(error, KeyboardInterrupt)
        said = "" if stopped else "\n".join(faults.lines(error))
        fault = ": ".join(filter(None, (self.witness.step, said)))
        self.change(status=INTERRUPTED if stopped else FAILED, fault=fault, finished=_now())

    def change(self, **values: str) -> None:
        """Set columns; if that fails, the run goes on all the same, and the user is warned."""
        change = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?"
        try:
            self.database.execute(change, (*values.values(), self.id))
        except sqlite3.Error as error:
            told = f"the ledger does not have the {' and '.join(values)} of run {self.id}: {error}"
            self.witness.warn(told)


@contextmanager
def entry(
    out: Path, name: str, folder: Path, conditions: Conditions, witness: Witness
) -> Iterator[Row]:
    """The row of one invocation, to be completed. An exception becomes its status and its fault,
    with the step that `witness` saw it at; a row that still says running belongs to a process that
    lives or was killed."""
    with closing(connect(out)) as database:
        values = {"name": name, "folder": str(folder), "started": _now(), "status": RUNNING}
        known = (os.getpid(), json.dumps(asdict(conditions), default=str))
        columns = ", ".join((*values, "pid", "conditions"))
        insert = f"INSERT INTO runs ({columns}) VALUES (?, ?, ?, ?, ?, ?)"
        with _told(out):
            number = database.execute(insert, (*values.values(), *known)).lastrowid
        row = Row(database, number or 0, witness)
        try:
            yield row
        except BaseException as error:
            row.fail(error)
            raise


def results(report: Report) -> dict[str, Any]:
    """What a report says, as JSON has it."""
    return {"runs": [Made.of(one, report.files).as_json() for one in report.runs]}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def _present(database: sqlite3.Connection) -> set[str]:
    return {row[1] for row in database.execute("PRAGMA table_info(runs)")}


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """What is wrong with the ledger, with what can be done about it."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        hint = "move it away and another is begun; runs stay in their folders"
        busy = isinstance(error, sqlite3.OperationalError)
        what = f"the ledger of runs cannot be used: {error}"
        raise RunError(Fault(str(out / "runs.sqlite"), what, "", "" if busy else hint)) from error
