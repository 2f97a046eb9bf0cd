"""How runs, and models in them, are called on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from attrs import evolve, frozen

from snn_kernel.errors import ConfigError, Fault, near
from snnk.entry import Entry


@frozen
class Picked:
    """An entry, with all that it made or with one model's part alone, by its shortest name."""

    name: str
    entry: Entry


def pick(entries: Sequence[Entry], text: str) -> Picked:
    """What `text` names among one entry or more: a run by its number, `last`, -2 for the last but
    one, its folder, or how the name of its folder begins, with or without that of the bench. Behind
    a slash may stand a model, or one run of it: `3/scnn`, `3/scnn_r2`. ConfigError if it names none
    of them, or several."""
    found, (head, _, tail) = _matching(entries, text), text.rstrip("/").rpartition("/")
    if not found and head and len(whole := _matching(entries, head)) == 1:
        return Picked(f"{whole[0].id}/{tail}", _part(whole[0], tail))
    if len(found) == 1:
        return Picked(str(found[0].id), found[0])
    raise ConfigError(_unclear(found, text) if found else _unknown(entries, text))


def _matching(entries: Sequence[Entry], text: str) -> list[Entry]:
    """The entries that `text` may mean; of those in one folder the latest."""
    if text == "last":
        return [entries[-1]]
    try:
        number = int(text)
    except ValueError:
        number = 0
    if -len(entries) <= number < 0:
        return [entries[number]]
    if found := [e for e in entries if e.id == number]:
        return found
    wanted, path = text.rstrip("/"), Path(text).resolve()
    latest = {e.folder: e for e in entries}.values()
    exact = [e for e in latest if wanted in _names(e) or path == e.folder.resolve()]
    return exact or [e for e in latest if any(n.startswith(wanted) for n in _names(e))]


def _names(entry: Entry) -> tuple[str, ...]:
    folder = entry.folder
    return folder.name, f"{entry.name}/{folder.name}", str(folder)


def _unclear(found: Sequence[Entry], text: str) -> Fault:
    *several, last = (str(e.id) for e in found)
    return Fault("", f"'{text}' names {len(found)} runs", "", f"{', '.join(several)} or {last}?")


def _unknown(entries: Sequence[Entry], text: str) -> Fault:
    hint = f"the last is {entries[-1].id}"
    known = {name for e in entries for name in (*_names(e), e.name)}
    if close := get_close_matches(text, sorted(known), n=1):
        hint = f"did you mean '{close[0]}'?"
    return Fault("", f"there is no run '{text}'", "", hint)


def _part(entry: Entry, name: str) -> Entry:
    models = [m for m in entry.made if m.model == name]
    if made := models or [m for m in entry.made if m.label == name]:
        return evolve(entry, made=tuple(made))
    hint = near(name, (n for m in entry.made for n in (m.model, m.label)))
    what = f"run {entry.id}, which is {entry.state}, has no results of a model '{name}'"
    raise ConfigError(Fault("", what, "", hint))
