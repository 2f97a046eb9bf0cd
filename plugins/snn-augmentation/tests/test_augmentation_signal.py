import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_augmentation.noise import ExponentialNoise, GaussianNoise
from snn_augmentation.normalize import Normalize
from snn_augmentation.signal import Amplitude, Cutout1D, TimeShifting
from snn_kernel import DataError, Shapes

seeds = st.integers(0, 2**63)
N = 400


def ramps(length: int, n: int = N):
    """Signals 1, 2, …, length in two channels, the second negative."""
    ramp = np.arange(1, length + 1, dtype=np.float32)
    return np.tile(np.stack([ramp, -ramp], -1), (n, 1, 1)), np.zeros(n, np.int64)


def test_gaussian_noise_has_mean_0_and_its_sigma(seeded):
    x, y = np.full((N, 50, 5), 3, np.float32), np.zeros(N, np.int64)
    noise = GaussianNoise(0.5).apply(x, y, seeded())[0] - x
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 0.5) < 0.01
    assert abs((np.abs(noise) < 0.5).mean() - 0.6827) < 0.01


def test_exponential_noise_has_its_mean_and_deviation(seeded):
    x, y = np.full((N, 50, 5), 3, np.float32), np.zeros(N, np.int64)
    noise = ExponentialNoise(0.5).apply(x, y, seeded())[0] - x
    assert noise.min() >= 0
    assert abs(noise.mean() - 0.5) < 0.01
    assert abs(noise.std() - 0.5) < 0.02
    assert abs((noise > 0.5).mean() - np.exp(-1)) < 0.01


def test_amplitude_is_one_factor_in_range_per_sample(seeded):
    x, y = ramps(6)
    factor = Amplitude((0.5, 2.0)).apply(x, y, seeded())[0] / x
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1, :1], x.shape), rtol=1e-6)
    assert 0.5 <= factor.min() < 0.52
    assert 1.98 < factor.max() <= 2
    assert abs(factor.mean() - 1.25) < 0.1


@given(st.integers(2, 12), st.data(), st.booleans(), seeds)
def test_a_shift_is_a_shift(seeded, length, data, wrap, seed):
    most = data.draw(st.integers(0, length - 1))
    x, y = ramps(length, 5)
    after, _ = TimeShifting(most, wrap, fill=-99).apply(x, y, seeded(seed))
    padded = np.pad(x, ((0, 0), (most, most), (0, 0)), constant_values=-99)
    for n in range(5):
        shifted = [
            np.roll(x[n], s, axis=0) if wrap else padded[n, most - s : most - s + length]
            for s in range(-most, most + 1)
        ]
        assert any(np.array_equal(after[n], s) for s in shifted)


def test_shifts_go_both_ways_and_all_the_way(seeded):
    x, y = ramps(9)
    after, _ = TimeShifting(2, wrap=True).apply(x, y, seeded())
    shifts, counts = np.unique(after[:, 4, 0], return_counts=True)
    assert shifts.tolist() == [3, 4, 5, 6, 7]
    assert counts.min() > 45  # of 80 on average


def test_frames_move_along_their_timesteps(seeded):
    x = np.zeros((N, 5, 3, 4, 1), np.float32)
    x[:, 2] = np.arange(1, 13).reshape(3, 4, 1)
    after, _ = TimeShifting(1).apply(x, np.zeros(N, np.int64), seeded())
    moved = after.any(axis=(2, 3, 4)).argmax(1)
    assert set(moved) == {1, 2, 3}
    assert np.array_equal(after[np.arange(N), moved], x[:, 2])


@given(st.integers(2, 12), st.data(), seeds)
def test_cutout_blanks_one_stretch_and_nothing_else(seeded, length, data, seed):
    hole = data.draw(st.integers(1, length))
    x, y = ramps(length, 5)
    after, _ = Cutout1D(hole, fill=-99).apply(x, y, seeded(seed))
    blank = after == -99
    assert (blank[:, :, 0] == blank[:, :, 1]).all()
    assert np.array_equal(after[~blank], x[~blank])
    for row in blank[:, :, 0]:
        places = np.flatnonzero(row)
        assert 1 <= len(places) <= hole
        assert np.array_equal(places, np.arange(places[0], places[-1] + 1))
        assert len(places) == hole or row[0] or row[-1]


def test_any_step_may_be_the_middle_of_a_cut(seeded):
    x, y = ramps(6)
    after, _ = Cutout1D(3).apply(x, y, seeded())
    share = (after[:, :, 0] == 0).mean(0)
    assert np.all(np.abs(share - np.array([2, 3, 3, 3, 3, 2]) / 6) < 0.08)


def test_lengths_that_do_not_fit_are_refused(seeded):
    with pytest.raises(DataError, match="max_shift = 6 is no less than 6 steps"):
        TimeShifting(6).apply(*ramps(6), seeded())
    with pytest.raises(DataError, match="length = 7 is more than 6 steps"):
        Cutout1D(7).apply(*ramps(6), seeded())
    x, y = np.zeros((2, 1, 4), np.float32), np.zeros(2, np.int64)
    with pytest.raises(DataError, match="have neither"):
        Cutout1D(1).apply(x, y, seeded(), Shapes((4,), (2,), 1))


def test_normalize_is_by_channel_or_by_one_number(seeded):
    x, y = ramps(4, 3)
    after, labels = Normalize((1.0, -2.0), (2.0, 4.0)).apply(x, y, seeded())
    assert labels is y
    assert np.array_equal(after[0].T, [[0, 0.5, 1, 1.5], [0.25, 0, -0.25, -0.5]])
    assert np.array_equal(Normalize(1.0, 2.0).apply(x, y, seeded())[0], (x - 1) / 2)
    with pytest.raises(DataError, match="Normalize: mean has 3 numbers for 2 channels"):
        Normalize((1.0, 2.0, 3.0)).apply(x, y, seeded())
