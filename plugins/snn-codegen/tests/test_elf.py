"""Sizes and functions of ELF files, good ones and any bytes at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_codegen.elf import ALLOC, HEADER, IDENTITY, NOBITS, SECTION, SYMBOL, SYMTAB, WRITE, Image
from snn_kernel import DataError

PROGBITS, STRTAB = 1, 3
SECTIONS = (  # name, kind, flags, size in memory
    ("", 0, 0, 0),
    (".text", PROGBITS, ALLOC | 4, 1000),
    (".rodata", PROGBITS, ALLOC, 200),
    (".stack", NOBITS, ALLOC | WRITE, 4096),
    (".data", PROGBITS, ALLOC | WRITE, 30),
    (".bss", NOBITS, ALLOC | WRITE, 500),
    (".debug_info", PROGBITS, 0, 99),
)


def written():
    """An ELF file of these sections, two functions and an object, byte by byte."""
    names = b"".join(n.encode() + b"\0" for n, *_ in (*SECTIONS, (".symtab",), (".strtab",)))
    symbols = b"".join(
        SYMBOL.pack(name, address, size, info, 0, 1)
        for name, address, size, info in ((1, 0x101, 16, 2), (6, 0x111, 8, 0x12), (11, 0, 4, 1))
    )
    strings = b"\0main\0step\0some\0"
    parts = [names, symbols, strings]
    places = [HEADER.size]
    for part in parts:
        places.append(places[-1] + len(part))
    rows, at = [], 0
    for name, kind, flags, size in SECTIONS:
        rows.append((at, kind, flags, 0, 0, size, 0, 0, 0, 0))
        at += len(name) + 1
    count = len(rows)
    rows[0] = (0, STRTAB, 0, 0, places[0], len(names), 0, 0, 0, 0)
    rows.append((at, SYMTAB, 0, 0, places[1], len(symbols), count + 1, 0, 0, SYMBOL.size))
    rows.append((at + 8, STRTAB, 0, 0, places[2], len(strings), 0, 0, 0, 0))
    sizes = (HEADER.size, 0, 0, SECTION.size, len(rows), 0)
    header = HEADER.pack(IDENTITY, 2, 40, 1, 0, 0, places[3], 0, *sizes)
    return header + b"".join(parts) + b"".join(SECTION.pack(*row) for row in rows)


GOOD = written()


def test_sizes_and_functions():
    image = Image(GOOD)
    assert [s.name for s in image.sections][1:7] == [name for name, *_ in SECTIONS[1:]]
    assert image.rom == 1000 + 200 + 30
    assert image.ram == 30 + 500
    assert image.function(0x100) == image.function(0x10F) == "main"
    assert image.function(0x110) == "step"
    assert image.function(0x118) == image.function(0) == ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no 32-bit"),
        (b"\x7fELF\x02\x01" + GOOD[6:], "no 32-bit"),
        (GOOD[:40], "truncated"),
        (GOOD[:-1], "truncated"),
        (GOOD[:46] + struct.pack("<H", 41) + GOOD[48:], "without a table"),
        (GOOD[:50] + struct.pack("<H", 99) + GOOD[52:], "without a table"),
    ],
)
def test_other_files_are_refused_with_the_reason(data, reason):
    with pytest.raises(DataError, match=reason):
        _ = Image(data).rom


def read(data):
    image = Image(data)
    try:
        assert image.rom >= 0
        assert image.ram >= 0
        assert isinstance(image.function(0x110), str)
    except DataError:
        pass


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    read(IDENTITY + data)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, len(GOOD)))
def test_any_damage_is_read_or_refused(at, value, length):
    damaged = bytearray(GOOD)
    damaged[at] = value
    read(bytes(damaged[:length]))
    read(bytes(damaged))
