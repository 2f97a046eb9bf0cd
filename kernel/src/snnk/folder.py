"""The folder of a run: its lock file, which says what was run with what, and its tables."""

from __future__ import annotations

import csv
import io
import json
import platform
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from snn_kernel.record import RunFolder, write_atomic

if TYPE_CHECKING:
    from snn_kernel.plan import Plan
    from snn_kernel.results import ModelReport

LOCK = "lock.json"


def begin(
    plan: Plan, out: Path, warn: Callable[[str], None], left: Iterable[Path] = ()
) -> RunFolder:
    """A new folder, with a lock file that says what ran with which versions of what; or else the
    first of the folders `left` by runs that did not get to the end which has just this lock file.
    """
    stem, twins = out / plan.bench.name / time.strftime("%Y-%m-%d_%H-%M-%S"), 0
    names = {"snn-kernel", "numpy", "torch", *(c.offer.plugin for c in plan.choices())}
    found = sorted((d.name, d.version) for d in metadata.distributions() if d.name in names)
    inline = {p.name: p.version for p in plan.registry.plugins if p.module in plan.bench.inline}
    versions = {"python": platform.python_version(), **dict(found), **inline}
    lock = {"platform": platform.platform(), "versions": versions, "document": plan.document}
    text = json.dumps(lock, indent=2, default=str)
    same = [p for p in left if (p / LOCK).is_file() and (p / LOCK).read_text("utf-8") == text]
    stem.parent.mkdir(parents=True, exist_ok=True)
    while not same:
        path = stem.with_name(f"{stem.name}_{twins}") if twins else stem
        with suppress(FileExistsError):  # be it made by another run at this very moment
            path.mkdir()
            same = [write_atomic(path / LOCK, text).parent]
        twins += 1
    return RunFolder(same[0], versions, warn)


def keep(report: ModelReport) -> ModelReport:
    """The report with its tables written as CSV beside its other files."""
    files = dict(report.files)
    for table in report.tables:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
        name, number = table.name, 2
        while name in files:
            name, number = f"{table.name} {number}", number + 1
        path = report.folder / f"{name.replace(' ', '_')}.csv"
        files[name] = write_atomic(path, text.getvalue())
    return evolve(report, files=files)
