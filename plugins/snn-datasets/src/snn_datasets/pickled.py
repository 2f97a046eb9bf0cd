"""The pickles of published data sets, read without unpickling them.

A pickle is a program: its opcodes may import anything and call it, so that whoever unpickles a file
runs what its writer wanted. Here nothing is imported and nothing called. The opcodes that Python 2
wrote data sets with, and Python 3 writes the same with in protocols 0 to 3, work on numbers, text,
bytes, lists, tuples and dictionaries; of symbols only those that a numpy array is stored with are
known, and what a pickle asks to be made with them stays inert data, which `array` recognises.
Everything else is an error that names it, before even its argument is read.

pickletools.genops would walk the same opcodes, but it makes text of bytes, which fails for those of
protocol 0 and copies all pixels, and it reads arguments of opcodes before they can be refused.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
from attrs import define, frozen
from numpy.typing import NDArray

from snn_datasets.opcodes import COLLECTING, COUNTED, FIXED, LINES, VALUES, decimal, names, unsigned
from snn_kernel import DataError, Fault

# Twenty times the largest published file: each opcode makes at most one object, of up to 64 bytes.
OPCODES_MAX = 1 << 22
PROTOCOL_MAX = 3
SHOWN = 60  # characters of a symbol that are told
_NDARRAY, _DTYPE, _ENCODE = "numpy.ndarray", "numpy.dtype", "_codecs.encode"
_RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
SYMBOLS = (*_RECONSTRUCT, _NDARRAY, _DTYPE, _ENCODE)


@frozen
class Symbol:
    """The name of what a pickle would import."""

    name: str


@define(eq=False)
class Made:
    """What a pickle would make by calling `symbol` with `args` and handing `state` to it."""

    symbol: str
    args: tuple[Any, ...]
    state: Any = None


def parse(content: bytes, where: str) -> Any:
    """The value that pickle `content` holds: None, bool, int, bytes, str, list, tuple, dict, Made.

    What was `str` in Python 2 is bytes; keys of dictionaries are str. Lists may hold themselves.
    DataError, naming `where`, for an opcode or symbol that is not of the closed set, for a pickle
    that is damaged, goes on after its end or has more than OPCODES_MAX opcodes.
    """
    machine = _Machine(content, where)
    for _ in range(OPCODES_MAX):
        if machine.step():
            return machine.result()
    machine.refuse(f"has more than {OPCODES_MAX} opcodes")


def array(value: Any, where: str) -> NDArray[np.uint8]:
    """The array of bytes that numpy stored as `value`; DataError where it is anything else."""
    if isinstance(value, Made) and value.symbol in _RECONSTRUCT:
        match value.state:
            case (1, tuple() as shape, Made() as dtype, bool() as fortran, stored):
                data = _bytes(stored)
                if _unsigned_bytes(dtype) and data is not None and _fits(shape, len(data)):
                    flat = np.frombuffer(data, np.uint8)
                    return flat.reshape(shape, order="F" if fortran else "C")
    raise DataError(Fault(where, "is no numpy array of unsigned bytes"))


def _bytes(stored: Any) -> bytes | None:
    """The data of an array: bytes, or as Python 3 writes them for Python 2, text to encode."""
    if isinstance(stored, Made) and stored.symbol == _ENCODE:
        match stored.args:
            case (str() as text, "latin1"):
                try:
                    return text.encode("latin-1")
                except UnicodeEncodeError:
                    return None
    return stored if isinstance(stored, bytes) else None


def _unsigned_bytes(dtype: Made) -> bool:
    match dtype.args:
        case (b"u1" | "u1", *_):
            return dtype.symbol == _DTYPE
    return False


def _fits(shape: tuple[Any, ...], count: int) -> bool:
    whole = all(type(length) is int and length >= 0 for length in shape)
    return whole and len(shape) <= 4 and math.prod(shape) == count


class _Machine:
    """The stack machine: what lies above the last mark, what lies below each mark, and the memo."""

    def __init__(self, content: bytes, where: str) -> None:
        self._content, self._where = content, where
        self._at = self._begin = 0
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def refuse(self, what: str) -> NoReturn:
        """Raises what in the opcode that is being read no data set needs."""
        hint = "no published file is like this; nothing of it was executed"
        raise DataError(Fault(self._where, f"{what}, at byte {self._begin}", hint=hint))

    def damaged(self, what: str) -> NoReturn:
        """Raises what in the opcode that is being read no pickle has."""
        whole = f"is damaged: {what}, at byte {self._begin}"
        raise DataError(Fault(self._where, whole, hint="fetch it again"))

    def step(self) -> bool:
        """Does what one opcode says; whether it was the last."""
        self._begin = self._at
        code = self._take(1)[0]
        name = names().get(code, f"{code:#04x}")
        try:
            if name in VALUES:
                self._push(VALUES[name](self._argument(name)))
            elif name in COLLECTING:
                self._collect(name)
            else:
                self._obey(name)
        except ValueError as error:
            self.damaged(f"{name} with {error}")
        return name == "STOP"

    def result(self) -> Any:
        """What lies on the stack at the end, alone."""
        if self._at < len(self._content):
            self.refuse(f"goes on for {len(self._content) - self._at} bytes after its end")
        if len(self._stack) != 1 or self._below:
            self.damaged("it ends before it is complete")
        return self._stack[0]

    def _take(self, count: int) -> bytes:
        data = self._content[self._at : self._at + count]
        if len(data) < count:
            self.damaged("it ends within an opcode")
        self._at += count
        return data

    def _line(self) -> bytes:
        end = self._content.find(b"\n", self._at)
        if end < 0:
            self.damaged("it ends within a line")
        line = self._take(end - self._at)
        self._at += 1
        return line

    def _argument(self, name: str) -> bytes:
        if name in COUNTED:
            return self._take(unsigned(self._take(COUNTED[name])))
        if name in LINES:
            return b".".join(self._line() for _ in range(LINES[name]))
        return self._take(FIXED.get(name, 0))

    def _collect(self, name: str) -> None:
        match name:
            case "LIST":
                self._push(self._marked())
            case "TUPLE":
                self._push(tuple(self._marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [self._pop() for _ in range(int(name[-1]))]
                self._push(tuple(reversed(items)))
            case "DICT":
                self._fill({}, self._marked())
            case "APPEND":
                self._extend([self._pop()])
            case "APPENDS":
                self._extend(self._marked())
            case "SETITEM":
                value, key = self._pop(), self._pop()
                self._fill(self._pop(), [key, value])
            case "SETITEMS":
                items = self._marked()
                self._fill(self._pop(), items)

    def _obey(self, name: str) -> None:
        match name:
            case "STOP":
                pass
            case "PROTO":
                if (protocol := unsigned(self._argument(name))) > PROTOCOL_MAX:
                    self.refuse(f"is a pickle of protocol {protocol}, beyond {PROTOCOL_MAX}")
            case "MARK":
                self._below.append(self._stack)
                self._stack = []
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[self._number(name)] = self._top()
            case "GET" | "BINGET" | "LONG_BINGET":
                if (number := self._number(name)) not in self._memo:
                    self.damaged("it takes what it never put into its memo")
                self._push(self._memo[number])
            case "GLOBAL":
                self._push(self._symbol(self._argument(name)))
            case "REDUCE":
                self._reduce()
            case "BUILD":
                self._build()
            case _:
                self.refuse(f"has opcode {name}")

    def _number(self, name: str) -> int:
        argument = self._argument(name)
        return decimal(argument) if name in LINES else unsigned(argument)

    def _push(self, value: Any) -> None:
        self._stack.append(value)  # the stack there is once `value` is: marks change it

    def _top(self) -> Any:
        if not self._stack:
            self.damaged("an opcode lacks what it works on")
        return self._stack[-1]

    def _pop(self) -> Any:
        self._top()
        return self._stack.pop()

    def _marked(self) -> list[Any]:
        """What lies above the last mark, which goes with it."""
        if not self._below:
            self.damaged("an opcode lacks its mark")
        items, self._stack = self._stack, self._below.pop()
        return items

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self._top(), list):
            self.damaged("it appends to what is no list")
        self._stack[-1].extend(items)

    def _fill(self, table: Any, items: list[Any]) -> None:
        """Pushes `table` with `items`, keys and values by turns."""
        keys = [k.decode("latin-1") if isinstance(k, bytes) else k for k in items[::2]]
        if not isinstance(table, dict) or len(items) % 2:
            self.damaged("it fills what is no dictionary, or with half a pair")
        if not all(isinstance(key, str) for key in keys):
            self.refuse("has a dictionary with keys that are no text")
        table.update(zip(keys, items[1::2], strict=True))
        self._push(table)

    def _symbol(self, argument: bytes) -> Symbol:
        name = argument.decode("latin-1")
        if name not in SYMBOLS:
            shown = ascii(name if len(name) <= SHOWN else f"{name[:SHOWN]}…")
            self.refuse(f"asks for symbol {shown}")
        return Symbol(name)

    def _reduce(self) -> None:
        args, symbol = self._pop(), self._pop()
        if not isinstance(symbol, Symbol) or not isinstance(args, tuple):
            self.damaged("REDUCE without a symbol and a tuple")
        self._push(Made(symbol.name, args))

    def _build(self) -> None:
        state, made = self._pop(), self._top()
        if not isinstance(made, Made) or made.state is not None:
            self.damaged("BUILD of what is nothing to build")
        made.state = state
