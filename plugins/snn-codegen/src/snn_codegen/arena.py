"""Where tensors are kept: an array per type of element, shared by what is not needed at one time.

Elements only ever share their place with elements of their own type, so that no access breaks the
rules of aliasing that C has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from snn_codegen.element import Element


@frozen
class Span:
    """An array of `length` elements, needed from step `first` to step `last`, both included."""

    element: Element
    length: int
    first: int
    last: int

    def meets(self, other: Span) -> bool:
        """Whether both are needed at some step."""
        return self.first <= other.last and other.first <= self.last


def plan(spans: Mapping[int, Span]) -> tuple[dict[int, int], dict[Element, int]]:
    """Where each span begins in the array of its element, and how long these arrays are.

    The largest is placed first, each at the lowest place where it meets nobody.
    """
    offsets: dict[int, int] = {}
    lengths: dict[Element, int] = {}
    for key in sorted(spans, key=lambda k: (-spans[k].length, k)):
        span = spans[key]
        taken = _taken(span, ((offsets[k], spans[k]) for k in offsets))
        offset = 0
        for begin, end in sorted(taken):
            if offset + span.length <= begin:
                break
            offset = max(offset, end)
        offsets[key] = offset
        lengths[span.element] = max(lengths.get(span.element, 0), offset + span.length)
    return offsets, lengths


def _taken(span: Span, others: Iterable[tuple[int, Span]]) -> list[tuple[int, int]]:
    return [
        (offset, offset + other.length)
        for offset, other in others
        if other.element == span.element and other.meets(span)
    ]
