"""Bring features to a common scale."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Literal

import attrs
import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from snn_kernel import Context, DataError, Events, Fault, Samples, Splits, write_atomic

BLOCK = 1 << 22  # elements worked on at once: float64 copies of whole data sets fill the memory


def _statistics_axes(_: Any, attribute: attrs.Attribute[Any], value: int | tuple[int, ...]) -> None:
    axes = (value,) if isinstance(value, int) else value
    if min(axes, default=-1) < 0 or len(set(axes)) < len(axes):
        raise ValueError(f"'{attribute.alias}' must be different axes from 0 on, not {value}")
    if 0 not in axes:
        raise ValueError(
            f"'{attribute.alias}' must have axis 0, the samples, among its axes, not {value}: "
            "other sets have other samples, which statistics of each sample do not fit"
        )


@frozen
class Normalize:
    """Shifts and scales every set by statistics of the training set alone.

    z-score: (x - mean) / standard deviation, which is that of the whole population (divided by N).
    min-max: (x - min) / (max - min): the training set fills [0, 1], others may go beyond.
    A feature that is constant in the training set tells nothing, and becomes 0 in every set.
    Statistics are taken and applied in float64; the result is float32.

    method: "z-score" or "min-max"; default "z-score"
    axis: the axis or axes of x that statistics are taken over, 0 (the samples) among them; default
        0: one mean per feature. Of NHWC, [0, 1, 2] gives one per channel, [0, 1, 2, 3] one in all
    debug: write the statistics, which a target needs as well, to normalize-<method>.npz in the
        folder of the run, as float64 arrays `centre` and `scale` (infinite where constant) that fit
        x by broadcasting: x' = (x - centre) / scale; default false
    """

    method: Literal["z-score", "min-max"] = "z-score"
    axis: int | tuple[int, ...] = field(default=0, validator=_statistics_axes)
    debug: bool = False

    def apply(self, splits: Splits, context: Context) -> Splits:
        """New samples for every set that is there.

        DataError where a set still holds events or does not fit the training set, where an axis is
        not there, or where a result is beyond float32.
        """
        train = splits.samples("train")
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis
        if max(axes) >= train.x.ndim:
            what = f"axis {max(axes)} is not there: {train.layout} has 0..{train.x.ndim - 1}"
            raise DataError(Fault("train set", what, "Normalize"))
        for name in ("valid", "test"):
            _fits(name, getattr(splits, name), train, axes)
        centre, scale = self._statistics(train.x, axes)
        if self.debug:
            buffer = io.BytesIO()
            np.savez(buffer, centre=centre, scale=scale)
            write_atomic(context.folder / f"normalize-{self.method}.npz", buffer.getvalue())
        sets = {name: getattr(splits, name) for name in ("train", "valid", "test")}
        made: dict[str, Any] = {
            name: _scaled(name, found, centre, scale)
            for name, found in sets.items()
            if found is not None
        }
        return evolve(splits, **made)

    def _statistics(
        self, x: NDArray[np.float32], axes: tuple[int, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What to subtract and what to divide by, shaped like x with 1 along `axes`."""
        if self.method == "min-max":
            centre = x.min(axis=axes, keepdims=True).astype(np.float64)
            scale = x.max(axis=axes, keepdims=True) - centre
        else:
            centre = x.mean(axis=axes, keepdims=True, dtype=np.float64)
            squares = np.zeros_like(centre)
            for part in _blocks(x):
                squares += np.square(x[part] - centre).sum(axis=axes, keepdims=True)
            scale = np.sqrt(squares * (centre.size / x.size))
        # Exact: in float64, half a billion equal numbers have their own value as their mean.
        return centre, np.where(scale == 0, np.inf, scale)


def _fits(name: str, found: Samples | Events | None, train: Samples, axes: tuple[int, ...]) -> None:
    if found is None:
        return
    if isinstance(found, Events):
        what = "still holds events: add a preprocessing that makes frames before this one"
        raise DataError(Fault(f"{name} set", what, "Normalize"))
    kept = [i for i in range(train.x.ndim) if i not in axes]
    if found.layout != train.layout or any(found.x.shape[i] != train.x.shape[i] for i in kept):
        ours, theirs = ((s.layout, s.x.shape[1:]) for s in (train, found))
        what = f"{theirs[0]} samples {theirs[1]} do not fit {ours[0]} {ours[1]} of the train set"
        raise DataError(Fault(f"{name} set", what, "Normalize"))


def _blocks(x: NDArray[np.float32]) -> Iterator[slice]:
    """Slices of samples, one after the other, of about BLOCK elements each."""
    step = max(1, BLOCK * len(x) // max(1, x.size))
    return (slice(start, start + step) for start in range(0, len(x), step))


def _scaled(
    name: str, samples: Samples, centre: NDArray[np.float64], scale: NDArray[np.float64]
) -> Samples:
    scaled = np.empty_like(samples.x)
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is told below
        for part in _blocks(samples.x):
            scaled[part] = (samples.x[part] - centre) / scale
    if len(beyond := np.argwhere(~np.isfinite(scaled))):
        sample, *feature = beyond[0].tolist()
        what = f"feature {feature} of sample {sample} is beyond float32 after scaling"
        hint = "it hardly varies in the train set"
        raise DataError(Fault(f"{name} set", what, "Normalize", hint))
    return evolve(samples, x=scaled)
