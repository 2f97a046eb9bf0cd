"""Checks of catalogues: what they say that they have, they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from snn_kernel.hookspecs import SLOTS
from snn_kernel.kinds import Kind
from snn_kernel.testing.subject import SkippedError, Subject

ABSENT = "there is no kind of this name"


def kinds_are_mapped(subject: Subject) -> Iterator[str]:
    """kinds(slot) gives, for every slot, a mapping of names, empty where it has none."""
    for slot in SLOTS:
        found = subject.config.kinds(slot)
        if not isinstance(found, Mapping):
            yield (
                f"for slot '{slot}' kinds returned {type(found).__name__}. Return a mapping of "
                "names to kinds, {} for slots that it has nothing for."
            )
        elif ABSENT in found:
            yield f"it says that it has '{ABSENT}'. Let `in` look at the names."
        elif other := [name for name in found if not isinstance(name, str)]:
            yield f"for slot '{slot}' it has the name {other[0]!r}. Let names be text."


def kinds_answer_to_their_names(subject: Subject) -> Iterator[str]:
    """each name that it lists is `in` it, and gives a Kind of that name with an attrs class."""
    empty = True
    for slot in SLOTS:
        found = subject.config.kinds(slot)
        for name in found:
            empty, kind = False, found[name]
            if name not in found:
                yield f"it lists {slot} '{name}', but `in` denies it. Let both look at the names."
            if not isinstance(kind, Kind):
                yield f"{slot} '{name}' is {type(kind).__name__}. Give a snn_kernel.Kind."
                continue
            if kind.name != name:
                yield f"{slot} '{name}' is a kind named '{kind.name}'. Give it the name it has."
            attrs.resolve_types(kind.config)
    if empty:
        raise SkippedError("it has no kinds here; install what it is a catalogue of")
