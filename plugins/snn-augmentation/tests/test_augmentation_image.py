import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_augmentation.image import Crop, HorizontalFlip, ResizedCrop, Rotation2D
from snn_kernel import DataError

sizes = st.integers(1, 7)
seeds = st.integers(0, 2**63)


def images(height: int, width: int, n: int = 3, seed: int = 0):
    """Values from 1 to 2, and zeros, which show the least that is blended in."""
    x = np.random.default_rng(seed).uniform(0, 2, (n, height, width, 2)).astype(np.float32)
    return np.where(x < 1, 0, x), np.zeros(n, np.int64)


@given(sizes, sizes, seeds)
def test_two_flips_are_none(seeded, height, width, seed):
    x, y = images(height, width)
    flip = HorizontalFlip(p=1)
    once, _ = flip.apply(x, y, seeded(seed))
    assert np.array_equal(once, x[:, :, ::-1])
    assert np.array_equal(flip.apply(once, y, seeded(seed))[0], x)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("turns", [-4, -1, 0, 1, 2, 3, 4])
@given(sizes)
def test_quarter_turns_are_those_of_numpy(seeded, interpolation, turns, size):
    x, y = images(size, size)
    turn = Rotation2D((90.0 * turns, 90.0 * turns), interpolation, fill=7)
    assert np.array_equal(turn.apply(x, y, seeded())[0], np.rot90(x, turns, axes=(1, 2)))


def test_a_turned_plane_is_a_plane(seeded):
    """Bilinear interpolation is exact on values that are linear in row and column."""
    rows, columns = np.mgrid[:9, :9] - 4.0
    x = np.float32(3 * rows + 5 * columns)[None, :, :, None]
    after, _ = Rotation2D((30.0, 30.0)).apply(x, np.zeros(1, np.int64), seeded())
    cosine, sine = np.cos(np.pi / 6), np.sin(np.pi / 6)
    source = 3 * (rows * cosine + columns * sine) + 5 * (columns * cosine - rows * sine)
    inside = np.hypot(rows, columns) <= 4
    np.testing.assert_allclose(after[0, :, :, 0][inside], source[inside], atol=1e-4)


def test_counter_clockwise_is_positive(seeded):
    x = np.zeros((1, 9, 9, 1), np.float32)
    x[0, 4, 8] = 1  # on the right
    up, _ = Rotation2D((45.0, 45.0), "nearest").apply(x, np.zeros(1, np.int64), seeded())
    assert np.argwhere(up[0, :, :, 0])[:, 0].max() < 4


def test_what_comes_in_from_outside_is_fill(seeded):
    x, y = np.ones((1, 4, 8, 1), np.float32), np.zeros(1, np.int64)
    after = Rotation2D((90.0, 90.0), fill=5).apply(x, y, seeded())[0][0, :, :, 0]
    assert np.array_equal(after, np.tile([5, 5, 1, 1, 1, 1, 5, 5], (4, 1)))
    near, _ = Rotation2D((20.0, 20.0), "nearest", fill=5).apply(x, y, seeded())
    assert set(np.unique(near)) == {1, 5}


@given(st.integers(2, 7), st.integers(3, 7), st.integers(0, 1), st.integers(0, 2), seeds)
def test_a_crop_is_one_of_the_windows(seeded, height, width, down, right, seed):
    x, y = images(height, width, 4)
    for mode in ("constant", "edge", "reflect"):
        after, _ = Crop((down, right), mode).apply(x, y, seeded(seed))
        padded = np.pad(x, ((0, 0), (down, down), (right, right), (0, 0)), mode=mode)
        for n in range(4):
            windows = [
                padded[n, i : i + height, j : j + width]
                for i in range(2 * down + 1)
                for j in range(2 * right + 1)
            ]
            assert any(np.array_equal(after[n], window) for window in windows)


def test_all_windows_are_cropped(seeded):
    x = np.broadcast_to(np.arange(1, 6, dtype=np.float32)[:, None], (500, 5, 1))
    after, _ = Crop(2, fill=-1).apply(x, np.zeros(500, np.int64), seeded())
    shifts, counts = np.unique(after[:, 2, 0], return_counts=True)
    assert shifts.tolist() == [1, 2, 3, 4, 5]
    assert counts.min() > 60  # of 100 on average
    assert set(np.unique(after)) == {-1, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("padding", "what"), [((1, 2, 3), "is for 3 axes"), (4, "out of sight"), ((1, 5), "sight")]
)
def test_a_padding_that_does_not_fit_is_refused(seeded, padding, what):
    with pytest.raises(DataError, match=what):
        Crop(padding).apply(*images(4, 5), seeded())


@given(sizes, sizes, seeds)
def test_the_whole_resized_is_the_whole(seeded, height, width, seed):
    x, y = images(height, width)
    ratio = width / height
    after, _ = ResizedCrop((1.0, 1.0), (ratio, ratio)).apply(x, y, seeded(seed))
    assert np.array_equal(after, x)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@given(sizes, sizes, seeds)
def test_resized_values_lie_between_those_of_the_image(seeded, interpolation, height, width, seed):
    x, y = images(height, width)
    after, _ = ResizedCrop(interpolation=interpolation).apply(x, y, seeded(seed))
    for old, new in zip(x, after, strict=True):
        for channel in range(2):
            values = old[:, :, channel]
            assert values.min() - 1e-6 <= new[:, :, channel].min()
            assert new[:, :, channel].max() <= values.max() + 1e-6
            if interpolation == "nearest":
                assert np.isin(new[:, :, channel], values).all()


def test_a_box_is_enlarged_about_pixel_centres(seeded):
    """A quarter of the area at ratio 1: two pixels become four, at -0.25, 0.25, 0.75, 1.25."""
    x = np.broadcast_to(np.float32([0, 10, 20, 30])[:, None], (200, 4, 4, 1))  # by column
    after, _ = ResizedCrop((0.25, 0.25), (1.0, 1.0)).apply(x, np.zeros(200, np.int64), seeded())
    columns = np.unique(after[:, 0, :, 0], axis=0)
    assert columns.tolist() == [[s, s + 2.5, s + 7.5, s + 10] for s in (0, 10, 20)]


def test_a_ratio_that_never_fits_takes_the_largest_box_in_the_middle(seeded):
    x = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None], (5, 2, 8, 1))
    after, _ = ResizedCrop((1.0, 1.0), (1.0, 1.0), "nearest").apply(
        x, np.zeros(5, np.int64), seeded()
    )
    assert np.array_equal(after[:, :, :, 0], np.tile([3, 3, 3, 3, 4, 4, 4, 4], (5, 2, 1)))
