"""A kind once more, with one of its parameters changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import attrs

from snn_kernel.errors import SnnkError

FACTORS = (1.25, 0.75)  # of a number; the first that its validators allow
STEP = 0.25  # from 0


def variants(config: Any) -> Iterator[tuple[str, Any]]:
    """("threshold = 1.25", config object) for every parameter that is a number, true or false, or
    one of a few words, and may have another value while the others stay."""
    for attribute in attrs.fields(type(config)):
        if not attribute.init:
            continue
        for value in _others(getattr(config, attribute.name), attribute.type):
            try:
                made = attrs.evolve(config, **{attribute.alias: value})
            except (ValueError, TypeError, SnnkError):  # as its validators have it
                continue
            yield f"{attribute.alias} = {value!r}", made
            break


def _others(value: Any, tp: Any) -> Iterator[Any]:
    """Values that a parameter might have instead of `value`, the most telling first."""
    if get_origin(tp) is Literal:
        yield from (word for word in get_args(tp) if word != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, float):
        yield from (value * factor for factor in FACTORS) if value else (STEP, -STEP)
