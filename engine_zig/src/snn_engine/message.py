"""A message to the engine whose last value is written in place: samples are not copied twice."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import msgpack

FIELDS_MAX = 15  # of a map whose head is one byte
HEAD = struct.Struct(">BI")  # of bytes, however many
BYTES = 0xC6


def message(
    fields: Mapping[str, Any], key: str, size: int, memory: bytearray | None = None
) -> tuple[bytearray, int]:
    """`fields` and under `key`, last, `size` bytes, to be written where the number returned says.

    In `memory`, the message before, if that is as long: fresh pages cost more than what is written
    there.
    """
    assert len(fields) < FIELDS_MAX
    packed = msgpack.packb(fields)
    # One more field, whose value follows without being encoded anew.
    head = bytes([packed[0] + 1]) + packed[1:] + msgpack.packb(key)
    at = len(head) + HEAD.size
    if memory is None or len(memory) != at + size:
        memory = bytearray(at + size)
    memory[: len(head)] = head
    HEAD.pack_into(memory, len(head), BYTES, size)
    return memory, at
