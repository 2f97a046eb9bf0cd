"""A configuration as TOML text, line by line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Line:
    """A `[table]` heading, or a key with its value."""

    heading: str = ""
    key: str = ""
    value: str = ""

    def __str__(self) -> str:
        return self.heading or f"{self.key} = {self.value}"


def lines(document: Mapping[str, Any]) -> tuple[Line, ...]:
    """The lines of `document`; what TOML has no form for stands as a string, None is left out."""
    return tuple(_table(document, ()))


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Line]:
    items = [(str(k), v) for k, v in table.items() if v is not None]
    for key, value in items:
        if not _is_table(value) and not _are_tables(value):
            yield Line(key=_key(key), value=_value(value))
    for key, value in items:
        at = (*path, key)
        if _is_table(value):
            yield Line(heading=f"[{'.'.join(map(_key, at))}]")
            yield from _table(value, at)
        elif _are_tables(value):
            for row in value:
                yield Line(heading=f"[[{'.'.join(map(_key, at))}]]")
                yield from _table(row, at)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_table, value))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        inside = (f"{_key(str(k))} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{{', '.join(inside)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"[{', '.join(_value(v) for v in value)}]"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return _string(str(value))
