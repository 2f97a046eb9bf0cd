"""What an image for a microcontroller occupies: as much of 32-bit ELF as that takes."""

from __future__ import annotations

import struct
from functools import cached_property

from attrs import frozen

from snn_kernel import DataError

HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
SECTION = struct.Struct("<IIIIIIIIII")
SYMBOL = struct.Struct("<IIIBBH")
IDENTITY = b"\x7fELF\x01\x01"  # 32 bits, little-endian
SYMTAB, NOBITS = 2, 8
WRITE, ALLOC = 1, 2
FUNCTION = 2


@frozen
class Section:
    """One section: its name, kind and flags, where it lies in memory and in the file."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


@frozen(slots=False)
class Image:
    """An ELF file's bytes; whatever else they may be, reading them ends in DataError."""

    data: bytes

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """All sections, the first of which is empty, in the order of the file."""
        if self.data[: len(IDENTITY)] != IDENTITY:
            raise DataError("this is no 32-bit little-endian ELF file")
        header = self._unpack(HEADER, 0)
        start, size, count, names = header[6], *header[11:]
        if size != SECTION.size or names >= count:
            raise DataError("an ELF file without a table of sections")
        rows = [self._unpack(SECTION, start + i * size) for i in range(count)]
        text = self._slice(rows[names][4], rows[names][5])
        return tuple(Section(_text(text, r[0]), *r[1:7]) for r in rows)

    @cached_property
    def rom(self) -> int:
        """Bytes of program, constants and the initial values of data."""
        kept = (s for s in self.sections if s.flags & ALLOC and s.kind != NOBITS)
        return sum(s.size for s in kept)

    @cached_property
    def ram(self) -> int:
        """Bytes of data, initialised or zeroed; the stack is not among them."""
        kept = (s for s in self.sections if s.flags & ALLOC and s.flags & WRITE)
        return sum(s.size for s in kept if s.name != ".stack")

    @cached_property
    def functions(self) -> tuple[tuple[int, int, str], ...]:
        """(address, size, name) of every function, as the symbol table has them."""
        found = []
        for table in (s for s in self.sections if s.kind == SYMTAB):
            if table.link >= len(self.sections):
                raise DataError("an ELF symbol table without names")
            names = self.sections[table.link]
            text = self._slice(names.offset, names.size)
            data = self._slice(table.offset, table.size - table.size % SYMBOL.size)
            for name, address, size, info, _, _ in SYMBOL.iter_unpack(data):
                if info & 15 == FUNCTION:
                    found.append((address & ~1, size, _text(text, name)))  # bit 0: Thumb
        return tuple(found)

    def function(self, address: int) -> str:
        """The name of the function that `address` lies in; empty if none is known."""
        within = (n for start, size, n in self.functions if start <= address < start + size)
        return next(within, "")

    def _slice(self, offset: int, size: int) -> bytes:
        if offset + size > len(self.data):
            raise DataError(f"a truncated ELF file: {len(self.data)} of {offset + size} bytes")
        return self.data[offset : offset + size]

    def _unpack(self, form: struct.Struct, offset: int) -> tuple[int, ...]:
        return form.unpack(self._slice(offset, form.size))


def _text(table: bytes, at: int) -> str:
    """The zero-terminated string at `at`; a place outside the table is an empty one."""
    return table[at : table.find(b"\0", at)].decode("latin-1") if at < len(table) else ""
