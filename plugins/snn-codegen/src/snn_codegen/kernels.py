"""The kernels: hand-written C in kernels/*.c, given the types of one layer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import resources

from attrs import field, frozen

from snn_codegen.element import C, Element

TELLING = ("finish", "charge", "reset", "divided", "at_first")  # calls that are part of a name


@frozen
class Kernel:
    """A kernel for the types of one layer: a static function `name`, its text, what it calls."""

    stem: str
    name: str
    text: str = field(repr=False)
    calls: tuple[Kernel, ...] = field(default=(), repr=False)

    def __iter__(self) -> Iterator[Kernel]:
        """What it calls, and then it."""
        for called in self.calls:
            yield from called
        yield self


@lru_cache
def text(name: str) -> str:
    """The file `name` of the folder kernels."""
    return (resources.files("snn_codegen") / "kernels" / name).read_text("utf-8")


def kernel(
    stem: str,
    elements: Mapping[str, Element] | None = None,
    calls: Mapping[str, Kernel] | None = None,
    types: Mapping[str, str] | None = None,
) -> Kernel:
    """The kernel of file `stem`.c: `elements` stand for its placeholders (input for input_t, …),
    `calls` for the functions that it leaves open, `types` for its structures."""
    elements, calls = elements or {}, calls or {}
    how = [called.stem.partition("_")[2] for slot, called in calls.items() if slot in TELLING]
    name = "_".join([stem, *elements.values(), *how])
    made = re.sub(rf"\b{stem}\(", f"{name}(", text(f"{stem}.c"))
    for slot, called in calls.items():
        made = re.sub(rf"\b{slot}\(", f"{called.name}(", made)
    words = {word: C[element] for word, element in elements.items()} | dict(types or {})
    for word, replacement in words.items():
        made = re.sub(rf"\b{word}_t\b", replacement, made)
    return Kernel(stem, name, made, tuple(calls.values()))


def in_order(kernels: Iterable[Kernel]) -> list[Kernel]:
    """Each kernel once, after what it calls."""
    return list({k.name: k for outer in kernels for k in outer}.values())
