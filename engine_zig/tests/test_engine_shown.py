"""Frames on the grid of the input: by the quick ways what the grid itself makes of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snn_engine.library import EngineError
from snn_engine.shown import BLOCK, show
from snn_kernel.network import Format

GRIDS = st.builds(
    Format, st.integers(2, 24), st.integers(-4, 23), st.sampled_from(["nearest", "floor", "ceil"])
)
SPIKES = st.sampled_from([0.0, -0.0, 1.0])
UNITS = st.integers(-40, 40).map(lambda n: n / 8)
NUMBERS = st.floats(width=32, allow_nan=False)


def drawn(elements):
    return arrays.arrays(np.float32, st.integers(0, 40), elements=elements)


@settings(deadline=None)
@given(st.one_of(map(drawn, (SPIKES, UNITS, NUMBERS))), GRIDS, st.booleans())
def test_frames_are_what_the_grid_makes_of_them(frames, grid, whole):
    into = np.full(frames.size, 99, np.int32 if whole else np.float32)
    show(frames, grid, whole, into)
    expected = grid.quantise(frames) if whole else grid.apply(frames)
    np.testing.assert_array_equal(into, expected)


@pytest.mark.parametrize("whole", [False, True])
def test_blocks_are_judged_one_by_one(whole):
    rng = np.random.default_rng(0)
    frames = (rng.random((3, BLOCK - 7)) < 0.1).astype(np.float32)
    frames[1, 5] = 0.3
    grid = Format(8, 2)
    into = np.empty(frames.size, np.int32 if whole else np.float32)
    show(frames, grid, whole, into)
    expected = grid.quantise(frames) if whole else grid.apply(frames)
    np.testing.assert_array_equal(into, expected.reshape(-1))


def test_no_integer_stands_for_a_nan():
    frames = np.array([0, 1, np.nan], np.float32)
    with pytest.raises(EngineError, match="NaN"):
        show(frames, Format(8, 2), True, np.empty(3, np.int32))
    into = np.empty(3, np.float32)
    show(frames, Format(8, 2), False, into)
    assert np.isnan(into[2])
