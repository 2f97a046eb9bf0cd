"""The verbs that look back: runs, show, compare. They write nothing but what --json asks for."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from snn_kernel.errors import ConfigError, Fault
from snnk import ledger, machine, reference, toml
from snnk.entry import as_text
from snnk.reference import Picked


def runs(out: Path, where: str | None) -> int:
    """A line for each run in `out`."""
    machine.writable(where)
    if not (found := ledger.entries(out)):
        print(_none(out), file=sys.stderr)
    if machine.written(where, [e.as_json() for e in found]):
        return 0
    for e in found:
        overrides = shlex.join(e.conditions.overrides)
        line = f"{e.id:4}  {as_text(e.started):19}  {e.state:11}  {e.folder}  {overrides}"
        print(line.rstrip())
    return 0


def show(out: Path, name: str, where: str | None, bare: bool) -> int:
    """One run, or one model of it, whole; or its document alone."""
    machine.writable(where)
    (picked,) = _picked(out, [name])
    if bare:
        if not (said := picked.entry.conditions.document):
            raise ConfigError(f"run {picked.name}: its configuration is not recorded")
        print(toml.write(said), end="")
    elif not machine.written(where, picked.entry.as_json()):
        from snnk import past

        past.show(picked)
    return 0


def compare(out: Path, names: Sequence[str], where: str | None, form: str | None) -> int:
    """Runs, or models of runs, side by side."""
    from snnk import past, sheet
    from snnk.comparison import Comparison

    machine.writable(where)
    comparison = Comparison.of(_picked(out, names))
    if len(comparison.columns) < 2:
        what = f"run {comparison.columns[0].name} is all there is to compare"
        raise ConfigError(Fault("", what, "", "name another run"))
    if machine.written(where, comparison.as_json()):
        return 0
    if form:
        print(sheet.FORMS[form](comparison))
    else:
        past.compare(comparison)
    return 0


def _picked(out: Path, names: Sequence[str]) -> list[Picked]:
    if not (entries := ledger.entries(out)):
        raise ConfigError(_none(out))
    return [reference.pick(entries, name) for name in names]


def _none(out: Path) -> Fault:
    return Fault("", f"there are no runs in {out} yet", "", "snnk run FILE makes one")
