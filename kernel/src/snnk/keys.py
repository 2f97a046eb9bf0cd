"""The keys of a table, as its attrs class tells of them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from types import NoneType
from typing import Any, get_args, get_origin

import attrs
from attrs import frozen

from snn_kernel.config import words
from snn_kernel.kinds import Choice

REQUIRED = "required"
_SIGNS = {">=": "≥ ", "<=": "≤ ", ">": "> ", "<": "< "}


@frozen
class Key:
    """One key of a table: its type and what is allowed in words, its default as TOML has it or
    "required", and what the docstring of its class says of it."""

    name: str
    type: str
    default: str
    allowed: str
    meaning: str


def keys(cls: type, place: str = "") -> Iterator[Key]:
    """The keys of the table that `cls` answers to, those of tables within it included."""
    _, meanings = told(cls)
    for a in attrs.fields(attrs.resolve_types(cls)):
        if not a.init or (a.name == "choice" and hasattr(cls, "slot")):
            continue
        slot, inner = a.metadata.get("slot"), _table(a.type)
        tp = f"a table {{kind, params}} of a {slot}" if slot else words(a.type)
        allowed = "" if tp.startswith("one of") else _allowed(a.validator)
        yield Key(place + a.alias, tp, _default(a), allowed, meanings.get(a.alias, ""))
        if inner and not slot:
            yield from keys(inner, f"{place}{a.alias}.")


def told(cls: type) -> tuple[str, dict[str, str]]:
    """What the docstring of a class says of it, and what of each of its keys ("name: …")."""
    known = {a.alias for a in attrs.fields(cls)}
    prose: list[str] = []
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
        found = re.match(r"(\w+(?:, \w+)*): +(.*)", line)
        if found and known.issuperset(found[1].split(", ")):
            names = found[1].split(", ")
            meanings |= dict.fromkeys(names, found[2])
        elif names and line.startswith(" "):
            meanings |= {n: f"{meanings[n]} {line.strip()}" for n in names}
        else:
            names = []
            prose.append(line)
    return "\n".join(prose).strip(), meanings


def _table(tp: Any) -> type | None:
    """The attrs class of a table, also where it may be left out."""
    members = [m for m in (get_args(tp) or (tp,)) if m is not NoneType]
    one = len(members) == 1 and get_origin(tp) is not tuple and members[0] is not Choice
    return members[0] if one and isinstance(members[0], type) and attrs.has(members[0]) else None


def _default(a: Any) -> str:
    if a.default is attrs.NOTHING:
        return REQUIRED
    value = a.default.factory() if isinstance(a.default, attrs.Factory) else a.default  # type: ignore[arg-type]
    if attrs.has(type(value)):
        return "its own"
    return "none" if value is None else json.dumps(value, default=repr, ensure_ascii=False)


def _allowed(validator: Any) -> str:
    """What attrs' own validators let pass; of others the docstring of the kind tells."""
    if several := getattr(validator, "_validators", None):  # and_
        return ", ".join(filter(None, map(_allowed, several)))
    if inner := getattr(validator, "validator", None):  # optional
        return _allowed(inner)
    if hasattr(validator, "bound"):
        return f"{_SIGNS.get(validator.compare_op, '')}{validator.bound}"
    if hasattr(validator, "options"):
        return "one of " + ", ".join(json.dumps(o, default=repr) for o in validator.options)
    if member := getattr(validator, "member_validator", None):
        return f"each {_allowed(member)}"
    pattern = getattr(validator, "pattern", None)
    return f"matching {pattern.pattern}" if pattern else ""
