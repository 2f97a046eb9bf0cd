"""The ledger of runs (SQLite), and the results of a run for machines."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import asdict

from snn_kernel.results import Report
from snnk.leftovers import alive

RUNNING, DONE = "running", "done"
_TABLE = """CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, name TEXT, folder TEXT, started TEXT, status TEXT, results TEXT,
    pid INTEGER)"""


def connect(out: Path) -> sqlite3.Connection:
    """The ledger of all runs below folder `out`, made if it is not there."""
    out.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(out / "runs.sqlite", isolation_level=None)
    database.execute(_TABLE)
    if "pid" not in (row[1] for row in database.execute("PRAGMA table_info(runs)")):
        database.execute("ALTER TABLE runs ADD COLUMN pid INTEGER")  # a ledger from before it
    return database


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
def entry(out: Path, name: str, folder: Path) -> Iterator[Callable[[Report], None]]:
    """A row for one invocation; call what it yields with the report to complete it. An exception
    becomes its status; a row that still says running belongs to a process that lives or was killed.
    """
    with closing(connect(out)) as database:
        started = time.strftime("%Y-%m-%dT%H:%M:%S")
        insert = "INSERT INTO runs (name, folder, started, status, pid) VALUES (?, ?, ?, ?, ?)"
        values = (name, str(folder), started, RUNNING, os.getpid())
        row = database.execute(insert, values).lastrowid

        def close(status: str, results: str = "") -> None:
            change = "UPDATE runs SET status = ?, results = ? WHERE id = ?"
            database.execute(change, (status, results, row))

        try:
            yield lambda report: close(DONE, json.dumps(results(report)))
        except BaseException as error:
            close(f"failed ({type(error).__name__})")
            raise


def results(report: Report) -> dict[str, Any]:
    """What a report says, as JSON has it."""
    return {
        "runs": [
            {
                "model": r.model,
                "run": r.run,
                "measures": [asdict(m) for m in r.measures],
                "agreement": asdict(r.agreement) if r.agreement else None,
                "files": {n: str(path) for n, path in {**r.files, **report.files}.items()},
            }
            for r in report.runs
        ]
    }
