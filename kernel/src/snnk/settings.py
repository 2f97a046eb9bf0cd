"""What the ledger keeps of a plan: every key with the value it has, defaults included."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from snn_kernel.kinds import Choice
from snn_kernel.plan import Plan
from snnk.entry import Conditions


def conditions(
    plan: Plan, file: Path, overrides: Iterable[str], until: str, versions: Mapping[str, str]
) -> Conditions:
    """What a run of `plan`, which `file` and `overrides` make, was asked, and with what it ran."""
    asked = (str(file), tuple(overrides), plan.document, settings(plan))
    return Conditions(*asked, versions, platform.platform(), until)


def settings(plan: Plan) -> dict[str, Any]:
    """The document of `plan` as if it had left nothing to a default; what is none is not there."""
    return _table(plan, plan.document)


def _table(config: Any, said: Any) -> dict[str, Any]:
    """The keys of a config object. `said` is its table in the document: it names the kinds of
    which the object holds no more than what they were made into, and its keys come first."""
    found: dict[str, Any] = {}
    for a in attrs.fields(type(config)):
        value, own = getattr(config, a.name, None), _below(said, a.alias)
        if not a.init or value is None:
            continue
        if a.name == "choice" and hasattr(config, "slot"):
            found |= _plain(value, said)  # kind and params stand beside its other keys
        elif a.metadata.get("slot") and attrs.has(type(value)) and not isinstance(value, Choice):
            kind = _below(own, "kind") or type(value).__name__
            found[a.alias] = {"kind": kind, "params": _table(value, _below(own, "params"))}
        else:
            found[a.alias] = _plain(value, own)
    written = [key for key in said if key in found] if isinstance(said, Mapping) else []
    return {key: found[key] for key in (*written, *found)}


def _plain(value: Any, said: Any) -> Any:
    if isinstance(value, Choice):
        return {"kind": value.kind, "params": _table(value.config, _below(said, "params"))}
    if attrs.has(type(value)):
        return _table(value, said)
    if isinstance(value, Mapping):
        return {k: _plain(v, _below(said, k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, _below(said, i)) for i, v in enumerate(value)]
    return value


def _below(said: Any, key: str | int) -> Any:
    """What a table has at a name, or a list at a place; None where it has nothing."""
    if isinstance(said, Mapping):
        return said.get(key)
    return (
        said[key] if isinstance(said, list) and isinstance(key, int) and key < len(said) else None
    )
