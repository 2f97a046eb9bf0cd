"""Checks of data sets and preprocessings: that they are what they were, and sound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from snn_kernel.errors import SnnkError
from snn_kernel.signals import Events, Splits
from snn_kernel.testing.splits import every
from snn_kernel.testing.subject import SkippedError, Subject
from snn_kernel.testing.values import copied, same

SETS = ("train", "valid", "test")


def data_can_be_loaded(subject: Subject) -> Iterator[str]:
    """load(context) gives Splits with a training set."""
    made = _loaded(subject)
    if not isinstance(made, Splits):
        yield f"load returned {type(made).__name__}. Return snn_kernel.Splits."
    elif not made.train:
        yield "there are no training samples. Give Splits a `train` set."


def data_are_sound(subject: Subject) -> Iterator[str]:
    """labels count from 0 to below `classes`, and all sets have one shape."""
    yield from unsound(_loaded(subject))


def loaded_twice_the_same(subject: Subject) -> Iterator[str]:
    """two loads with one seed give the same samples in the same order."""
    if not same(_loaded(subject), _loaded(subject)):
        yield (
            "two loads differ. Sort what a folder lists, and draw with "
            "numpy.random.default_rng(context.seed)."
        )


def some_splits_are_taken(subject: Subject) -> Iterator[str]:
    """apply(splits, context) takes splits of one layout at least, and gives Splits."""
    taken, refused = _applied(subject)
    for layout, _, made in taken:
        if not isinstance(made, Splits):
            yield f"for {layout} apply returned {type(made).__name__}. Return snn_kernel.Splits."
    if not taken:
        yield f"it takes none of these: {'; '.join(refused)}. Give the check splits it takes."


def made_data_are_sound(subject: Subject) -> Iterator[str]:
    """what it makes has labels from 0 to below `classes` and sets of one shape."""
    for _, _, made in _applied(subject)[0]:
        yield from unsound(made)


def splits_given_stay(subject: Subject) -> Iterator[str]:
    """the splits given stay as they are."""
    for layout, given, _ in _applied(subject)[0]:
        kept = copied(given)
        subject.config.apply(given, subject.context)
        if not same(kept, given):
            yield (
                f"apply changes the splits it is given ({layout}). Make new ones: "
                "`splits.map(lambda s: attrs.evolve(s, x=…))`."
            )
            return


def applied_twice_the_same(subject: Subject) -> Iterator[str]:
    """one seed gives one result."""
    for layout, given, made in _applied(subject)[0]:
        if not same(subject.config.apply(given, subject.context), made):
            yield (
                f"two results for the same splits differ ({layout}). Draw with "
                "numpy.random.default_rng(context.seed)."
            )
            return


def unsound(made: Splits) -> Iterator[str]:
    """What is wrong with splits."""
    shapes = set()
    for name in SETS:
        found = getattr(made, name)
        if found is None or not len(found):
            continue
        labels = found.labels if isinstance(found, Events) else found.y
        if labels.min() < 0 or labels.max() >= made.classes:
            yield (
                f"labels of the {name} set go from {labels.min()} to {labels.max()} with "
                f"{made.classes} classes. Count labels from 0, and say how many there are."
            )
        if isinstance(found, Events):
            shapes.add(tuple(found.size))
            fields = ((axis, found.records[axis]) for axis in "xyp")
            highs = zip(fields, found.size, strict=True)
            if wrong := [axis for (axis, v), high in highs if len(v) and v.max() >= high]:
                yield (
                    f"events of the {name} set lie beyond {found.size} in {', '.join(wrong)}. "
                    "Let size be (width, height, polarities)."
                )
        else:
            shapes.add(found.x.shape[1:])
    if len(shapes) > 1:
        yield f"sets have different shapes {sorted(shapes)}. Give every set the same."


def _loaded(subject: Subject) -> Any:
    try:
        return subject.config.load(subject.context)
    except SnnkError as error:
        raise SkippedError(
            f"it could not load: {error}. Give the check params with which it can"
        ) from None


def _applied(subject: Subject) -> tuple[list[tuple[str, Splits, Any]], list[str]]:
    """(layout, splits, result) of what it takes, and why it refuses the rest."""
    given = subject.given.get("splits")
    taken, refused = [], []
    for layout, found in [("the splits given", given)] if given else every():
        try:
            taken.append((layout, found, subject.config.apply(copied(found), subject.context)))
        except SnnkError as error:
            refused.append(f"{layout}: {error}")
    return taken, refused
