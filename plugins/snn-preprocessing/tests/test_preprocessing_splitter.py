from itertools import permutations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_kernel import ConfigError, DataError, Events, Samples, Splits
from snn_kernel.config import configure
from snn_preprocessing.splitter import DatasetSplitter

SETS = ("train", "valid", "test")
ratios = st.floats(0, 1, exclude_min=True, exclude_max=True)


def numbered(count: int, start: int = 0) -> Samples:
    """Samples that differ: sample i holds i, and its label is i."""
    y = np.arange(start, start + count, dtype=np.int64)
    return Samples(y[:, None].astype(np.float32), y, "NC")


def events(part: Events, i: int):
    return part.records[part.offsets[i] : part.offsets[i + 1]]


def splits_of(**sets) -> Splits:
    return Splits(**{name: sets.get(name) for name in SETS}, classes=7)


@given(st.integers(1, 60), ratios, st.sampled_from(list(permutations(SETS))), st.integers(0, 2**63))
def test_nothing_is_lost_or_doubled_and_order_stays(context, locked, count, ratio, names, seed):
    source, dest, third = names
    splits = locked(splits_of(**{source: numbered(count), third: numbered(4, 100)}))
    step, context = DatasetSplitter(source, dest, ratio), attrs.evolve(context, seed=seed)
    if round(ratio * count) in (0, count):
        with pytest.raises(DataError, match="leaves a set empty"):
            step.apply(splits, context)
        return
    made = step.apply(splits, context)
    rest, moved = getattr(made, source), getattr(made, dest)
    assert len(moved) == round(ratio * count)
    assert sorted([*rest.y, *moved.y]) == list(range(count))
    for part in (rest, moved):
        assert np.all(np.diff(part.y) > 0)
        assert np.array_equal(part.x[:, 0], part.y)
    assert getattr(made, third) == numbered(4, 100)
    assert made.classes == 7
    assert getattr(splits, source) == numbered(count)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=20), ratios, st.integers(0, 2**32))
def test_events_go_with_their_samples(context, events_of, locked, counts, ratio, seed):
    splits = locked(splits_of(train=events_of(counts)))
    if round(ratio * len(counts)) in (0, len(counts)):
        return
    step = DatasetSplitter("train", "test", ratio)
    made = step.apply(splits, attrs.evolve(context, seed=seed))
    assert sorted([*made.train.labels, *made.test.labels]) == list(range(len(counts)))
    for part in (made.train, made.test):
        assert isinstance(part, Events)
        assert part.size == splits.train.size
        for i, label in enumerate(part.labels):
            assert np.array_equal(events(part, i), events(splits.train, label))
    assert len(made.train.records) + len(made.test.records) == sum(counts)


def test_events_and_samples_are_drawn_alike(context, events_of):
    events = DatasetSplitter().apply(splits_of(train=events_of([1] * 50)), context)
    samples = DatasetSplitter().apply(splits_of(train=numbered(50)), context)
    assert np.array_equal(events.test.labels, samples.test.y)


def test_the_seed_draws(context):
    splits = splits_of(train=numbered(200))
    one, same, other = (
        DatasetSplitter().apply(splits, attrs.evolve(context, seed=seed)).test.y
        for seed in (1, 1, 2)
    )
    assert len(one) == 20
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.max() - one.min() > 50  # from all over, not from one end


def test_a_destination_with_samples_is_told_and_an_empty_one_is_taken(context):
    splits = splits_of(train=numbered(10), test=numbered(5))
    with pytest.raises(DataError, match="DatasetSplitter: the test set has 5 samples already"):
        DatasetSplitter().apply(splits, context)
    empty = splits_of(train=numbered(10), test=numbered(0))
    assert len(DatasetSplitter().apply(empty, context).test) == 1


@pytest.mark.parametrize("source", [None, numbered(0)])
def test_a_source_without_samples_is_told(context, source):
    with pytest.raises(DataError, match="the valid set has no samples to take"):
        DatasetSplitter("valid").apply(splits_of(train=numbered(9), valid=source), context)


def test_an_empty_part_is_told(context):
    with pytest.raises(DataError, match=r"ratio 0\.1 of 4 samples moves 0"):
        DatasetSplitter().apply(splits_of(train=numbered(4)), context)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ratio": 0}, "'ratio' must be between 0 and 1, not 0"),
        ({"ratio": 1.0}, "'ratio' must be between 0 and 1, not 1"),
        ({"ratio": float("nan")}, "'ratio' must be between 0 and 1, not nan"),
        ({"ratio": "0.1"}, "'ratio' must be a number"),
        ({"dest": "train"}, "'source' and 'dest' are both 'train'"),
        ({"source": "test"}, "'source' and 'dest' are both 'test'"),
        ({"dest": "validation"}, "'dest' must be one of 'train', 'valid', 'test'"),
    ],
)
def test_params_that_cannot_be_are_faults_of_the_file(params, message):
    with pytest.raises(ConfigError, match=message) as caught:
        configure("preprocessing", "DatasetSplitter", params)
    assert len(caught.value.faults) == 1
