from typing import Any

import numpy as np
import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from snn_kernel import DataError, Samples, Splits
from snn_preprocessing.flattening import Reshape2DTo1D

SHAPES = {"NC": (3, 4), "NLC": (3, 4, 2), "NTC": (3, 2, 4), "NTLC": (3, 2, 4, 1)}
sizes = st.integers(1, 5)


def counted(layout: Any, shape: tuple[int, ...]) -> Samples:
    """Samples whose values are all different."""
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Samples(x, np.arange(shape[0], dtype=np.int64), layout)


@given(st.tuples(sizes, sizes, sizes, sizes), st.one_of(st.none(), sizes))
def test_every_pixel_goes_to_its_place_with_its_channels(context, locked, shape, steps):
    count, height, width, channels = shape
    timed = () if steps is None else (steps,)
    train = counted("NTHWC" if timed else "NHWC", (count, *timed, height, width, channels))
    splits = locked(Splits(train, None, train.take(slice(1)), 5))
    made = Reshape2DTo1D().apply(splits, context)
    assert made.train.layout == ("NTLC" if timed else "NLC")
    assert made.train.x.shape == (count, *timed, height * width, channels)
    for h in range(height):
        for w in range(width):
            pixel = made.train.x[..., h * width + w, :]
            assert np.array_equal(pixel, train.x[..., h, w, :])
    assert np.array_equal(made.train.y, train.y)
    assert made.valid is None
    assert made.test == made.train.take(slice(1))
    assert made.classes == 5


@pytest.mark.parametrize("layout", SHAPES)
def test_samples_without_two_dimensions_are_told(context, layout):
    splits = Splits(counted(layout, SHAPES[layout]), None, None, 5)
    with pytest.raises(DataError) as caught:
        Reshape2DTo1D().apply(splits, context)
    text = str(caught.value)
    assert text.startswith(f"train set (Reshape2DTo1D): is {layout}, not NHWC or NTHWC")
    assert text.endswith("(leave this step out)") is ("L" in layout)


def test_all_sets_are_told_at_once(context, events_of):
    splits = Splits(events_of([1, 2]), counted("NLC", (3, 4, 2)), counted("NC", (3, 4)), 5)
    with pytest.raises(DataError) as caught:
        Reshape2DTo1D().apply(splits, context)
    assert [f.where for f in caught.value.faults] == ["train set", "valid set", "test set"]
    assert "train set (Reshape2DTo1D): still holds events" in str(caught.value)


def test_what_samples_know_beside_their_values_is_kept(context):
    @frozen
    class Marked(Samples):
        mark: str = field(default="")

    samples = counted("NHWC", (3, 2, 2, 1))
    marked = Marked(samples.x, samples.y, "NHWC", "theirs")
    assert Reshape2DTo1D().apply(Splits(marked, None, None, 5), context).train.mark == "theirs"
