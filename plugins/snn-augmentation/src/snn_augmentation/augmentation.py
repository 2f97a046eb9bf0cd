"""What all augmentations have in common: when they act, and on which axes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import attrs
import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from snn_augmentation.ranges import within
from snn_kernel import Context, DataError, Fault, Shapes

Floats = NDArray[np.float32]
IMAGE_AXES = 5  # of frames [N, T, H, W, C]


@frozen(kw_only=True)
class Augmentation(ABC):
    """Changes a batch; see `apply`.

    evaluate: act on samples that are not trained on as well.
    before, after: whether to act before or after a batch goes to the training device. Batches are
        changed before they go, so these are read, and mean no more than that not both are false.
    """

    evaluate: bool = False
    before: bool | None = None
    after: bool | None = field(default=None)

    @after.validator
    def _ever(self, attribute: attrs.Attribute[bool | None], value: bool | None) -> None:
        if value is False and self.before is False:
            raise ValueError("'before' and 'after' are both false: it would never act, remove it")

    @abstractmethod
    def apply(
        self, x: Floats, y: NDArray[Any], context: Context, shapes: Shapes | None = None
    ) -> tuple[Floats, NDArray[Any]]:
        """A changed copy of `x`, of its shape, and the labels; what is given stays as it is.

        x float32 [N, …, C], [N, T, …, C] where `shapes` says that timesteps are in the data; y
        int64 [N], or [N, K] where labels are mixed. All chance is drawn from context.seed. Without
        `shapes` a batch of five axes has timesteps, [N, T, H, W, C], and no other has.
        Raises DataError where samples have not the axes it needs.
        """


@frozen(kw_only=True)
class RandomAugmentation(Augmentation):
    """Changes some samples, drawn at random, each by a draw of its own for all its timesteps.

    p: the probability that a sample is changed.
    """

    p: float = field(default=1.0, validator=within(0, 1))

    def apply(
        self, x: Floats, y: NDArray[Any], context: Context, shapes: Shapes | None = None
    ) -> tuple[Floats, NDArray[Any]]:
        draw = np.random.default_rng(context.seed)
        made = x.copy()
        frames = framed(made, shapes)
        self.examine(frames.shape)
        chosen = draw.random(len(x)) < self.p
        if chosen.any():
            frames[chosen] = self.change(frames[chosen], draw)
        return made, y

    def examine(self, shape: tuple[int, ...]) -> None:
        """DataError if frames of this shape are not what it can change."""

    @abstractmethod
    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        """New frames, [N, T, …, C] as those given: a draw for each sample, the same for all T."""

    def refuse(self, what: str, hint: str = "") -> DataError:
        """The error for samples that this kind cannot change."""
        return DataError(Fault(type(self).__name__, what, hint=hint))


class ImageAugmentation(RandomAugmentation):
    """One that needs frames [N, T, H, W, C]."""

    __slots__ = ()

    def examine(self, shape: tuple[int, ...]) -> None:
        if len(shape) != IMAGE_AXES:
            raise self.refuse(f"changes images [H, W, C], not samples of shape {shape[2:]}")


def framed(x: Floats, shapes: Shapes | None) -> Floats:
    """A view of `x` with a time axis, [N, T, …, C]; T is 1 where no timesteps are in the data."""
    if shapes is None:
        return x if x.ndim == IMAGE_AXES else x[:, None]
    timed = shapes.timesteps is not None
    if x.shape[2 if timed else 1 :] != shapes.input:
        what = f"a batch {x.shape} does not hold samples {shapes.input}"
        raise DataError(f"{what}, {'timesteps first' if timed else 'without timesteps'}")
    return x if timed else x[:, None]


def each(values: NDArray[Any], frames: Floats) -> Floats:
    """Values [N] shaped to fit `frames` by broadcasting, one for each sample."""
    return values.astype(np.float32).reshape(-1, *[1] * (frames.ndim - 1))
