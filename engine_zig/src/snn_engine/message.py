"""A message to the engine whose last value is written in place: events are not copied twice."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import msgpack

FIELDS_MAX = 15  # of a map whose head is one byte
BIN_HEAD = struct.Struct(">BI")  # of bytes, however many
BYTES = 0xC6


def message(fields: Mapping[str, Any], key: str, size: int) -> tuple[bytearray, int]:
    """`fields`, and last under `key` `size` bytes, to be written where the number returned says."""
    assert len(fields) < FIELDS_MAX
    packed = msgpack.packb(fields)
    # One more field, whose value follows without being encoded anew.
    head = bytes([packed[0] + 1]) + packed[1:] + msgpack.packb(key) + bin_head(size)
    made = bytearray(len(head) + size)
    made[: len(head)] = head
    return made, len(head)


def bin_head(size: int) -> bytes:
    """What stands before `size` bytes."""
    return BIN_HEAD.pack(BYTES, size)
