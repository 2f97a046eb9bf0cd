"""Images [H, W, C]: flipped, turned, cropped."""

from __future__ import annotations

from typing import Literal

import numpy as np
from attrs import field, frozen
from attrs.validators import and_, in_
from numpy.typing import NDArray

from snn_augmentation.augmentation import Floats, ImageAugmentation, RandomAugmentation
from snn_augmentation.ranges import ascending, positive, within
from snn_augmentation.sampling import Places, interpolated, taken

Interpolation = Literal["bilinear", "nearest"]
Pixels = NDArray[np.int64]
TRIES = 10  # boxes drawn before ResizedCrop takes the largest one in the middle


@frozen
class HorizontalFlip(ImageAugmentation):
    """Mirrors images left to right.

    p: probability that a sample is changed, 0 to 1 (default 0.5).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    p: float = field(default=0.5, validator=within(0, 1), kw_only=True)

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        return frames[:, :, :, ::-1]


def _degrees(instance: object, attribute: object, value: float | tuple[float, float]) -> None:
    within(-360 if isinstance(value, tuple) else 0, 360)(instance, attribute, value)


@frozen
class Rotation2D(ImageAugmentation):
    """Turns images about their middle by an angle drawn uniformly; corners that leave are lost.

    Positive angles turn counter-clockwise, multiples of 90 degrees exactly. Pixels that come in
    from outside are `fill`; at the border, bilinear interpolation blends with it.

    angle: degrees; a number a, 0 to 360, for -a..a, or [low, high] within -360..360 (default 10).
    interpolation: "bilinear", or "nearest", which makes no new values (default "bilinear").
    fill: the value of what is outside (default 0).
    p: probability that a sample is changed, 0 to 1 (default 1).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    angle: float | tuple[float, float] = field(default=10.0, validator=and_(_degrees, ascending))
    interpolation: Interpolation = field(default="bilinear", validator=in_(("bilinear", "nearest")))
    fill: float = field(default=0.0, validator=within())

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        low, high = self.angle if isinstance(self.angle, tuple) else (-self.angle, self.angle)
        radians = np.deg2rad(draw.uniform(low, high, (len(frames), 1, 1)))
        # Rounded, so that quarter turns have cosine 0 and not 6e-17.
        sine, cosine = np.sin(radians).round(15), np.cos(radians).round(15)
        middle = [(size - 1) / 2 for size in frames.shape[2:4]]
        down, right = np.ogrid[: frames.shape[2], : frames.shape[3]]
        down, right = down - middle[0], right - middle[1]
        rows = down * cosine + right * sine + middle[0]
        columns = right * cosine - down * sine + middle[1]
        return interpolated(frames, *_places(rows, columns, self.interpolation), self.fill)


@frozen
class Crop(RandomAugmentation):
    """Pads samples on all sides and cuts a window of their own shape out, at a random place.

    The shape stays, as the model asks for; with a padding of p pixels a picture thus moves by up to
    p pixels each way. Takes images [H, W, C] and signals [L, C].

    padding: pixels or steps on each side, >= 0 and less than there are in the sample;
        one for all axes, or [H, W] (default 4).
    padding_mode: "constant", "edge" repeats the outermost value, "reflect" mirrors without
        repeating it (default "constant").
    fill: the value of a constant padding (default 0).
    p: probability that a sample is changed, 0 to 1 (default 1).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    padding: int | tuple[int, ...] = field(default=4, validator=within(low=0))
    padding_mode: Literal["constant", "edge", "reflect"] = field(
        default="constant", validator=in_(("constant", "edge", "reflect"))
    )
    fill: float = field(default=0.0, validator=within())

    def examine(self, shape: tuple[int, ...]) -> None:
        space = shape[2:-1]
        if not space:
            raise self.refuse(f"crops images [H, W, C] or signals [L, C], not {shape[2:]}")
        padding = self._padding(len(space))
        if len(padding) != len(space):
            what = f"padding {list(padding)} is for {len(padding)} axes"
            raise self.refuse(f"{what}, samples {shape[2:]} have {len(space)}")
        if any(p >= size for p, size in zip(padding, space, strict=True)):
            what = f"a padding of {list(padding)} would move samples {shape[2:]} out of sight"
            raise self.refuse(what)

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        padding = self._padding(frames.ndim - 3)
        widths = [(0, 0), (0, 0), *((p, p) for p in padding), (0, 0)]
        if self.padding_mode == "constant":
            made = np.pad(frames, widths, constant_values=self.fill)
        else:
            made = np.pad(frames, widths, mode=self.padding_mode)
        for axis, width in enumerate(padding, start=2):
            start = draw.integers(0, 2 * width + 1, (len(frames), 1))
            made = taken(made, axis, start + np.arange(frames.shape[axis]))
        return made

    def _padding(self, axes: int) -> tuple[int, ...]:
        return self.padding if isinstance(self.padding, tuple) else (self.padding,) * axes


@frozen
class ResizedCrop(ImageAugmentation):
    """Cuts a random box out and enlarges it to the shape of the whole (Szegedy et al. 2015).

    Area and aspect ratio of the box are drawn, the latter on a logarithmic scale, rounded to whole
    pixels, up to ten times until the box fits; otherwise it is the largest in the middle with a
    ratio in range. Pixels are read at their centres; at its borders the box is continued by its
    outermost pixels, never by what is beside it.

    scale: [low, high], area of the box as a part of the image, above 0 to 1 (default [0.08, 1]).
    ratio: [low, high], width by height of the box in pixels, > 0 (default [0.75, 1.3333]).
    interpolation: "bilinear", or "nearest", which makes no new values (default "bilinear").
    p: probability that a sample is changed, 0 to 1 (default 1).
    evaluate: also on samples that are not trained on (default false).
    before, after: read as in existing files; not both false (default left out).
    """

    scale: tuple[float, float] = field(
        default=(0.08, 1.0), validator=and_(positive, within(0, 1), ascending)
    )
    ratio: tuple[float, float] = field(default=(3 / 4, 4 / 3), validator=and_(positive, ascending))
    interpolation: Interpolation = field(default="bilinear", validator=in_(("bilinear", "nearest")))

    def change(self, frames: Floats, draw: np.random.Generator) -> Floats:
        size = np.array(frames.shape[2:4])
        box, corner = self._boxes(len(frames), size, draw)
        steps = [np.arange(s) + 0.5 for s in size]
        centres = [box[:, [k]] / size[k] * steps[k] - 0.5 for k in (0, 1)]
        places = [corner[:, [k]] + centres[k].clip(0, box[:, [k]] - 1) for k in (0, 1)]
        rows, columns = places[0][:, :, None], places[1][:, None, :]
        return interpolated(frames, *_places(rows, columns, self.interpolation), 0.0)

    def _boxes(self, n: int, size: Pixels, draw: np.random.Generator) -> tuple[Pixels, Pixels]:
        """Height and width, top and left of a box for each of `n` samples, both [n, 2]."""
        area = draw.uniform(*self.scale, (n, TRIES)) * size.prod()
        low, high = np.log(self.ratio)
        ratio = np.exp(draw.uniform(low, high, (n, TRIES)))
        drawn = np.sqrt(np.stack([area / ratio, area * ratio], axis=-1))
        boxes = drawn.round().clip(0, size + 1).astype(np.int64)
        fits = ((boxes >= 1) & (boxes <= size)).all(axis=-1)
        box = boxes[np.arange(n), fits.argmax(axis=1)]
        corner = draw.integers(0, (size - box).clip(0) + 1)
        none = ~fits.any(axis=1)
        box[none] = self._largest(size)
        corner[none] = (size - box[none]) // 2
        return box, corner

    def _largest(self, size: Pixels) -> Pixels:
        """Height and width of the largest box with a ratio in range, in an image of `size`."""
        low, high = self.ratio
        wanted = np.array([size[1] / low, size[0] * high])
        return wanted.round().clip(1, size).astype(np.int64)


def _places(rows: Places, columns: Places, interpolation: Interpolation) -> tuple[Places, Places]:
    """Where to read: as they are, or the nearest pixels."""
    if interpolation == "bilinear":
        return rows, columns
    return np.floor(rows + 0.5), np.floor(columns + 0.5)
