"""Checks of augmentations: on small batches of every layout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_kernel.errors import SnnkError
from snn_kernel.kinds import Shapes
from snn_kernel.testing.splits import CLASSES, LAYOUTS, samples
from snn_kernel.testing.subject import Subject
from snn_kernel.testing.values import copied, same


@frozen
class Batch:
    """A batch as a framework hands it out."""

    layout: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    shapes: Shapes

    @classmethod
    def of(cls, layout: str) -> Batch:
        """Samples of one layout."""
        found = samples(layout)
        timesteps = found.x.shape[1] if found.timed else None
        shapes = Shapes(found.x.shape[2 if found.timed else 1 :], (CLASSES,), timesteps)
        return cls(layout, found.x, found.y, shapes)


def some_batches_are_taken(subject: Subject) -> Iterator[str]:
    """apply(x, y, context, shapes) takes batches of one layout at least, and gives (x, y)."""
    taken, refused = _applied(subject)
    for batch, made in taken:
        if not isinstance(made, tuple) or len(made) != 2:
            yield f"for {batch.layout} apply returned {type(made).__name__}. Return (x, y)."
    if not taken:
        yield f"it takes none of these: {'; '.join(refused)}. Let it take samples of one layout."


def batches_are_sound(subject: Subject) -> Iterator[str]:
    """x stays float32 of its shape, with labels [N], or shares of the classes [N, K]."""
    for batch, (x, y) in _applied(subject)[0]:
        if not isinstance(x, np.ndarray) or (x.dtype, x.shape) != (np.float32, batch.x.shape):
            made = f"{getattr(x, 'dtype', type(x).__name__)} {np.shape(x)}"
            yield f"x is {made}, not float32 {batch.x.shape} ({batch.layout}). Keep both."
        elif not np.isfinite(x).all():
            yield f"x is not finite ({batch.layout}). Keep its values in range."
        if fault := _mislabelled(np.asarray(y), len(batch.y)):
            yield f"{fault} ({batch.layout}). Return labels [N], or [N, {CLASSES}] if mixed."
        elif getattr(subject.config, "evaluate", False) and not same(np.asarray(y), batch.y):
            yield (
                f"it changes labels, of samples to test on too ({batch.layout}). Let `evaluate` be "
                "false, or leave y as it is."
            )


def the_batch_given_stays(subject: Subject) -> Iterator[str]:
    """x and y that it is given stay as they are."""
    for batch, _ in _applied(subject)[0]:
        kept = copied(batch)
        subject.config.apply(batch.x, batch.y, subject.context, batch.shapes)
        if not same(kept, batch):
            yield f"apply changes the batch it is given ({batch.layout}). Work on `x.copy()`."
            return


def one_seed_gives_one_batch(subject: Subject) -> Iterator[str]:
    """one seed gives one result."""
    for batch, made in _applied(subject)[0]:
        again = subject.config.apply(batch.x, batch.y, subject.context, batch.shapes)
        if not same(again, made):
            yield (
                f"two results for one batch differ ({batch.layout}). Draw with "
                "numpy.random.default_rng(context.seed)."
            )
            return


def _mislabelled(y: NDArray[Any], count: int) -> str:
    if y.shape == (count,) and y.dtype == np.int64:
        return "" if ((y >= 0) & (y < CLASSES)).all() else f"labels are {y.min()} to {y.max()}"
    if y.shape == (count, CLASSES) and np.allclose(y.sum(axis=1), 1, atol=1e-4):
        return ""
    return f"y is {y.dtype} {y.shape}"


def _applied(subject: Subject) -> tuple[list[tuple[Batch, Any]], list[str]]:
    """(batch, result) of what it takes, and why it refuses the rest."""
    taken, refused = [], []
    for batch in map(Batch.of, LAYOUTS):
        given = copied(batch)
        try:
            made = subject.config.apply(given.x, given.y, subject.context, given.shapes)
        except SnnkError as error:
            refused.append(f"{batch.layout}: {error}")
        else:
            taken.append((batch, made))
    return taken, refused
