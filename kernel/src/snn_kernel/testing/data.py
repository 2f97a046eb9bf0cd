"""Checks of data sets and preprocessings: that they are what they were, and sound."""

from __future__ import annotations

from collections.abc import Iterator
from traceback import extract_tb
from typing import Any

import numpy as np
from attrs import evolve

from snn_kernel import signals
from snn_kernel.errors import DataError, SnnkError
from snn_kernel.run import shapes
from snn_kernel.signals import Events, Samples, Splits
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
    """a run takes them: two classes or more, labels from 0 to below their number, samples of every
    class to train on and some to test on, and all sets of one shape."""
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
    """a run takes what it makes, as for data sets."""
    for _, given, made in _applied(subject)[0]:
        untested = given.test is None and made.test is None
        yield from unsound(evolve(made, test=made.train) if untested else made)


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
    """What is wrong with splits: all that a run would refuse, and events beyond their size."""
    sizes = set()
    for name in SETS:
        found = getattr(made, name)
        if isinstance(found, Events):
            sizes.add(tuple(found.size))
            yield from _beyond(found, name)
        elif found is not None and 0 in found.x.shape[1:]:
            yield f"samples of the {name} set are {found.x.shape[1:]}. Give them values."
    if len(sizes) > 1:
        yield f"sets have events of different sizes {sorted(sizes)}. Give every set the same."
    seen = made.map(_stand_in) if isinstance(made.train, Events) else made
    sets = {"": seen, "as a test set, its valid set: ": evolve(seen, test=seen.valid or seen.test)}
    for of, these in sets.items():
        try:
            shapes(these)
        except DataError as error:
            yield (
                f"{of}{error}. A run takes two classes or more, labels from 0 to below their "
                "number, samples of every class to train on, and others like them to test on."
            )
            return
    shown = {
        n: s.x.shape[1:] for n in SETS if isinstance(s := getattr(seen, n), Samples) and len(s)
    }
    if len({*shown.values()}) > 1:
        told = ", ".join(f"{name} {shape}" for name, shape in shown.items())
        yield f"samples of the sets have the shapes {told}. Give every set the same."


def _beyond(found: Events, name: str) -> Iterator[str]:
    fields = ((axis, found.records[axis]) for axis in "xyp")
    highs = zip(fields, found.size, strict=True)
    if wrong := [axis for (axis, v), high in highs if len(v) and v.max() >= high]:
        yield (
            f"events of the {name} set lie beyond {found.size} in {', '.join(wrong)}. "
            "Let size be (width, height, polarities)."
        )


def _stand_in(found: Samples | Events) -> Samples:
    """What is labelled as `found` is; frames are yet to be made of events."""
    if isinstance(found, Samples):
        return found
    return Samples(np.zeros((len(found), 1), np.float32), found.labels, "NC")


def _loaded(subject: Subject) -> Any:
    try:
        return subject.config.load(subject.context)
    except SnnkError as error:
        if extract_tb(error.__traceback__)[-1].filename == signals.__file__:
            raise  # not of files that are elsewhere, but of what was made of them
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
