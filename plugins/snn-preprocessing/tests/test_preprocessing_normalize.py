import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snn_kernel import ConfigError, DataError, Samples, Splits
from snn_kernel.config import configure
from snn_preprocessing import normalize
from snn_preprocessing.normalize import Normalize

LAYOUTS = {2: "NC", 3: "NLC", 4: "NHWC", 5: "NTHWC"}
METHODS = ("z-score", "min-max")


def samples(x, layout=None) -> Samples:
    x = np.array(x, np.float32)
    return Samples(x, np.zeros(len(x), np.int64), layout or LAYOUTS[x.ndim])


@st.composite
def cases(draw):
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    values = st.one_of(st.just(0), st.floats(-1e6, -0.125, width=32), st.floats(1, 1e6, width=32))
    train, test = (
        draw(hnp.arrays(np.float32, (draw(st.integers(1, 6)), *shape), elements=values))
        for _ in range(2)
    )
    others = draw(st.sets(st.integers(1, len(shape))))
    return samples(train), samples(test), (0, *sorted(others))


@given(cases())
def test_z_score_is_that_of_numpy(context, case):
    train, test, axes = case
    made = Normalize("z-score", axes).apply(Splits(train, None, test, 2), context)
    x = train.x.astype(np.float64)
    mean, std = x.mean(axis=axes, keepdims=True), x.std(axis=axes, keepdims=True)
    constant = np.ptp(train.x, axis=axes, keepdims=True) == 0
    for before, after in ((train, made.train), (test, made.test)):
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = np.where(constant, 0, (before.x - mean) / std)
        assert after.x.dtype == np.float32
        np.testing.assert_allclose(after.x, expected, rtol=1e-5, atol=1e-5)
        assert np.array_equal(after.y, before.y)


@given(cases())
def test_min_max_fills_zero_to_one_with_the_training_set(context, case):
    train, test, axes = case
    made = Normalize("min-max", axes).apply(Splits(train, test, None, 2), context)
    constant = np.ptp(train.x, axis=axes) == 0
    assert np.all(made.train.x.min(axis=axes) == 0)
    assert np.all(made.train.x.max(axis=axes) == np.where(constant, 0, 1))
    assert np.all(made.valid.x[np.broadcast_to(np.expand_dims(constant, axes), test.x.shape)] == 0)


def test_only_the_training_set_counts(context):
    train = samples([[0], [2], [4]])
    for far in (100, -7):
        splits = Splits(train, samples([[far]]), samples([[6]]), 2)
        made = Normalize("min-max").apply(splits, context)
        assert made.train.x.ravel().tolist() == [0, 0.5, 1]
        assert made.valid.x.item() == np.float32(far / 4)
        assert made.test.x.item() == 1.5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0, 0.1, -3e38, 1e-45])
def test_what_is_constant_becomes_zero_everywhere(context, method, value):
    """In float32 the mean of a thousand times 0.1 would be off, and their deviation not be 0."""
    x = np.full((1000, 2), value, np.float32)
    x[:, 1] = np.arange(1000)
    test = samples([[5, 5]])
    with np.errstate(all="raise", under="ignore"):
        made = Normalize(method).apply(Splits(samples(x), None, test, 2), context)
    assert np.all(made.train.x[:, 0] == 0)
    assert np.ptp(made.train.x[:, 1]) >= 1
    assert made.test.x[0, 0] == 0


def test_blocks_change_nothing(context, monkeypatch):
    x = np.random.default_rng(0).normal(5, 3, (50, 4, 3)).astype(np.float32)
    splits = Splits(samples(x), None, samples(x[:7]), 2)
    whole = Normalize(axis=(0, 1)).apply(splits, context)
    monkeypatch.setattr(normalize, "BLOCK", 1)
    parts = Normalize(axis=(0, 1)).apply(splits, context)
    np.testing.assert_allclose(parts.train.x, whole.train.x, rtol=1e-6, atol=1e-6)
    assert whole.train.x.mean(axis=(0, 1)) == pytest.approx([0, 0, 0], abs=1e-6)
    assert whole.train.x.std(axis=(0, 1)) == pytest.approx([1, 1, 1], abs=1e-6)


def test_large_offsets_keep_their_digits(context):
    """In float32 the mean of 2²⁴ and 2²⁴ + 2 many times over would not be found."""
    x = np.tile([[2.0**24], [2.0**24 + 2]], (5000, 1))
    made = Normalize().apply(Splits(samples(x), None, None, 2), context)
    assert np.array_equal(made.train.x[:2, 0], [-1, 1])


@pytest.mark.parametrize("method", METHODS)
def test_what_is_handed_in_stays_as_it_is(context, locked, method):
    x = np.random.default_rng(0).random((6, 3))
    splits = locked(Splits(samples(x), samples(x[:2]), samples(x[:1]), 2))
    made = Normalize(method, debug=True).apply(splits, context)
    assert np.array_equal(splits.train.x, x.astype(np.float32))
    assert not np.shares_memory(made.train.x, splits.train.x)


def test_debug_writes_the_statistics_that_were_applied(context, tmp_path):
    context = attrs.evolve(context, folder=tmp_path)
    x = np.array([[1, 2, 7], [3, 2, 7.5]])
    made = Normalize("min-max", debug=True).apply(Splits(samples(x), None, None, 2), context)
    with np.load(tmp_path / "normalize-min-max.npz") as kept:
        assert kept["centre"].tolist() == [[1, 2, 7]]
        assert kept["scale"].tolist() == [[2, np.inf, 0.5]]
        assert np.array_equal((x - kept["centre"]) / kept["scale"], made.train.x)
    Normalize("z-score").apply(Splits(samples(x), None, None, 2), context)
    assert [p.name for p in tmp_path.iterdir()] == ["normalize-min-max.npz"]


def test_sets_of_other_shapes_are_told(context):
    train = samples(np.ones((2, 4, 1)))
    for other in (samples(np.ones((2, 1, 1))), samples(np.ones((2, 4, 1)), "NTC")):
        with pytest.raises(DataError, match=r"test set \(Normalize\): N.* do not fit NLC \(4, 1\)"):
            Normalize().apply(Splits(train, None, other, 2), context)
    longer = Splits(train, None, samples(np.ones((2, 9, 1))), 2)
    assert Normalize(axis=(0, 1)).apply(longer, context).test.x.shape == (2, 9, 1)


def test_events_and_missing_samples_are_told(context, events_of):
    train = samples([[1], [2]])
    with pytest.raises(DataError, match=r"valid set .*events: add a preprocessing"):
        Normalize().apply(Splits(train, events_of([1]), None, 2), context)
    with pytest.raises(DataError, match="train set still holds events"):
        Normalize().apply(Splits(events_of([1]), None, None, 2), context)
    with pytest.raises(DataError, match="no train samples"):
        Normalize().apply(Splits(None, None, train, 2), context)
    empty = Splits(train, train.take(slice(0)), None, 2)
    assert len(Normalize().apply(empty, context).valid) == 0


def test_an_axis_that_is_not_there_is_told(context):
    with pytest.raises(DataError, match=r"axis 2 is not there: NC has 0\.\.1"):
        Normalize(axis=(0, 2)).apply(Splits(samples([[1]]), None, None, 2), context)


def test_a_result_beyond_float32_is_told(context):
    splits = Splits(samples([[0], [1e-45]]), None, samples([[3e38]]), 2)
    with pytest.raises(DataError, match=r"test set .*feature \[0\] of sample 0 is beyond float32"):
        Normalize().apply(splits, context)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"axis": 1}, "'axis' must have axis 0, the samples"),
        ({"axis": [1, 2]}, "'axis' must have axis 0, the samples"),
        ({"axis": []}, "'axis' must be different axes from 0 on"),
        ({"axis": [0, 0]}, "'axis' must be different axes from 0 on"),
        ({"axis": [0, -1]}, "'axis' must be different axes from 0 on"),
        ({"axis": 0.0}, "'axis' must be an integer or a list"),
        ({"method": "zscore"}, "'method' must be one of 'z-score', 'min-max'"),
        ({"debug": 1}, "'debug' must be true or false"),
    ],
)
def test_params_that_cannot_be_are_faults_of_the_file(params, message):
    with pytest.raises(ConfigError, match=message):
        configure("preprocessing", "Normalize", params)


def test_axes_of_a_file_are_a_list():
    made = configure("preprocessing", "Normalize", {"axis": [0, 1]})
    assert made == Normalize(axis=(0, 1))
