"""Runs that are over, in the terminal: one whole, or several side by side."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rich.text import Text

from snnk.command import STEPS
from snnk.comparison import Comparison
from snnk.console import agreement, measures, screen
from snnk.entry import DISAGREES, DONE, FAILED, Entry
from snnk.reference import Picked
from snnk.sheet import Sheet, sheets
from snnk.toml import write

_STYLES = {DONE: "green", DISAGREES: "red", FAILED: "red"}
_FILES_MAX = 24
_OWN = 2  # of the labels of a row: its name and its unit; then comes its provenance


def show(picked: Picked) -> None:
    """Everything that the ledger knows of a run, on standard output."""
    console, entry = screen(), picked.entry
    state = (entry.state, _STYLES.get(entry.state, "yellow"))
    console.print(Text.assemble((f"run {picked.name}", "bold"), f" of {entry.name}: ", state))
    for what, text in _facts(entry):
        console.print(Text.assemble((f"{what:10}", "dim"), text), soft_wrap=True)
    if entry.conditions.document:
        console.print(Text("\n" + write(entry.conditions.document)), soft_wrap=True)
    for made in entry.made:
        console.print(Text.assemble((made.model, "bold"), f", run {made.run}"))
        console.print(measures(made.measures, made.limited, how=True))
        if made.agreement:
            console.print(agreement(made.agreement))
    files = list(entry.files())
    width = max((len(name) for name, _ in files), default=0)
    for name, path in files[:_FILES_MAX]:
        gone = "" if path.exists() else "  is gone"
        shown = Text.assemble(f"{name:{width}}  ", (str(path), "underline"), (gone, "red"))
        console.print(shown, soft_wrap=True)
    if len(files) > _FILES_MAX:
        console.print(f"{len(files) - _FILES_MAX} more in {entry.folder}", soft_wrap=True)


def compare(comparison: Comparison) -> None:
    """A comparison on standard output: as tables, or row by row where they are too wide."""
    console = screen()
    known = all(column.entry.conditions.document for column in comparison.columns)
    if known and not comparison.differences:
        console.print("their configurations do not differ\n")
    for sheet in sheets(comparison):
        lines = list(_lines(sheet))
        if max(map(len, lines)) > console.width:
            lines = list(_stacked(sheet))
        console.print(*lines, "", sep="\n", soft_wrap=True)
    for note in comparison.notes:
        console.print(Text(note, "dim"), soft_wrap=True)


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    """What is known of a run, line by line, each with its title."""
    given, started, finished = entry.conditions, entry.started, entry.finished
    if entry.fault:
        yield "because", entry.fault
    if given.file:
        until = () if given.until in ("", STEPS[-1]) else ("--until", given.until)
        yield "asked", shlex.join(("snnk", "run", given.file, *given.overrides, *until))
    if started:
        yield "started", f"{started}, took {finished - started}" if finished else str(started)
    yield "folder", f"{entry.folder}{'' if entry.folder.exists() else ' is gone'}"
    if given.versions:
        yield "with", ", ".join(f"{name} {version}" for name, version in given.versions.items())
    if given.platform:
        yield "on", given.platform


def _lines(sheet: Sheet) -> Iterator[Text]:
    """A sheet as a table; rows of the same provenance stand under a line that tells it."""
    own = min(sheet.labels, _OWN)
    rows = [(*row[:own], *row[sheet.labels :]) for row in (sheet.header, *sheet.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    said: tuple[str, ...] = ()
    for place, row in enumerate(rows):
        whose = sheet.rows[place - 1][own : sheet.labels] if place else said
        if whose != said:
            yield Text(", ".join(reversed(whose)), "dim")
        said = whose
        cells = [c.ljust(w) for c, w in zip(row[:own], widths, strict=False)]
        cells += [c.rjust(w) for c, w in zip(row[own:], widths[own:], strict=True)]
        yield Text("  ".join(cells).rstrip(), "" if place else "bold")


def _stacked(sheet: Sheet) -> Iterator[Text]:
    titles = sheet.header[sheet.labels :]
    width = max(map(len, titles))
    for row in sheet.rows:
        yield Text("  ".join(filter(None, row[: sheet.labels])), "bold")
        for title, cell in zip(titles, row[sheet.labels :], strict=True):
            if cell:
                yield Text.assemble((f"  {title:>{width}}  ", "dim"), cell)
