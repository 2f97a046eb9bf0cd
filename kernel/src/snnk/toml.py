"""A document as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_LINE_MAX = 100  # characters of a table that is written in one line


def write(document: Mapping[str, Any]) -> str:
    """A document as TOML that reads back as it; what stands beside tables comes before them."""
    return "\n".join(_lines(document, "")).strip() + "\n"


def key(name: str) -> str:
    """A key as TOML writes it: bare, or else quoted."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else literal(name)


def literal(value: Any) -> str:
    """A value as TOML writes it, in one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key(k)} = {literal(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # as in JSON, where only one character more may stand unescaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value) if isinstance(value, int | float) else value.isoformat()


def _lines(table: Mapping[str, Any], place: str) -> Iterator[str]:
    """The keys of a table and then those tables in it that are sections, or too long for a line;
    `place` is its own, with a dot at the end."""
    long: dict[str, Any] = {}
    for name, value in table.items():
        line = f"{key(name)} = {literal(value)}"
        if (isinstance(value, Mapping) or _are_tables(value)) and (
            not place or len(line) > _LINE_MAX
        ):
            long[f"{place}{key(name)}"] = value
        else:
            yield line
    for below, value in long.items():
        listed = isinstance(value, list)
        for one in value if listed else [value]:
            yield f"\n[[{below}]]" if listed else f"\n[{below}]"
            yield from _lines(one, f"{below}.")


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)
