"""The opcodes of pickles that hold data: what they are called, what follows them, what they push.

They are described in the standard library's pickletools. Those of numbers push at most 64 bits.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any


def decimal(line: bytes) -> int:
    """A number written as text, of Python 2's long with an L."""
    if not re.fullmatch(rb"[+-]?[0-9]{1,18}L?", line):
        raise ValueError("no decimal number of up to 18 digits")
    return int(line.rstrip(b"L"))


def _signed(data: bytes) -> int:
    if len(data) > 8:
        raise ValueError(f"a number of {len(data)} bytes")
    return int.from_bytes(data, "little", signed=True)


def unsigned(data: bytes) -> int:
    """A number of so many bytes, little-endian."""
    return int.from_bytes(data, "little")


_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.?)", re.DOTALL)
_ESCAPED = {b"\\": b"\\", b"'": b"'", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _quoted(line: bytes) -> bytes:
    """What Python 2's repr made `line` of."""

    def unescaped(found: re.Match[bytes]) -> bytes:
        if len(code := found[1]) == 3:
            return bytes.fromhex(code[1:].decode())
        if code not in _ESCAPED:
            raise ValueError("an escape that Python does not write")
        return _ESCAPED[code]

    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise ValueError("a string without quotes")
    return _ESCAPE.sub(unescaped, line[1:-1])


# Opcodes that push a value, which they make of their argument.
VALUES: dict[str, Callable[[bytes], Any]] = {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_DICT": lambda _: {},
    "INT": lambda line: line == b"01" if line in (b"00", b"01") else decimal(line),
    "LONG": decimal,
    "LONG1": _signed,
    "BININT": _signed,
    "BININT1": unsigned,
    "BININT2": unsigned,
    "STRING": _quoted,
    "BINSTRING": bytes,
    "SHORT_BINSTRING": bytes,
    "BINBYTES": bytes,
    "SHORT_BINBYTES": bytes,
    "UNICODE": lambda line: line.decode("raw-unicode-escape"),
    "BINUNICODE": lambda data: data.decode("utf-8"),
}
# Opcodes that put what lies on the stack together.
COLLECTING = {
    *("LIST", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "DICT"),
    *("APPEND", "APPENDS", "SETITEM", "SETITEMS"),
}
# How long arguments are: so many bytes; a length of so many bytes and then the data; so many lines.
FIXED = {
    **{"PROTO": 1, "BININT": 4, "BININT1": 1, "BININT2": 2},
    **{"BINPUT": 1, "LONG_BINPUT": 4, "BINGET": 1, "LONG_BINGET": 4},
}
COUNTED = {
    **{"LONG1": 1, "SHORT_BINSTRING": 1, "SHORT_BINBYTES": 1},
    **{"BINSTRING": 4, "BINBYTES": 4, "BINUNICODE": 4},
}
LINES = {"INT": 1, "LONG": 1, "STRING": 1, "UNICODE": 1, "PUT": 1, "GET": 1, "GLOBAL": 2}


@functools.cache
def names() -> dict[int, str]:
    """What each opcode is called."""
    import pickletools

    return {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
