from collections import Counter

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snn_kernel import ConfigError, DataError, Samples, Splits, configure
from snn_preprocessing_events.frames import FramedSamples
from snn_preprocessing_events.grouping import Group2TimeStepsBySample, majority
from snn_preprocessing_events.integration import (
    IntegrateEventsByFixedDuration,
    IntegrateEventsByFixedFramesNumber,
)

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def framed(counts, labels=None) -> FramedSamples:
    """Recordings of counts[i] frames [2, 1] that hold their own number; arrays that are locked."""
    total = sum(counts)
    x = np.repeat(np.arange(total, dtype=np.float32), 2).reshape(total, 2, 1)
    y = np.repeat(np.arange(len(counts)), counts) if labels is None else np.array(labels)
    bounds = np.cumsum([0, *counts]).astype(np.int64)
    for array in (x, y, bounds):
        array.flags.writeable = False
    return FramedSamples(x, y.astype(np.int64), "NLC", bounds)


@quick
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 5))
def test_consecutive_frames_of_one_recording(context, train_of, counts, steps):
    splits, step = train_of(framed(counts)), Group2TimeStepsBySample(steps)
    if max(counts) < steps:
        with pytest.raises(DataError, match=f"{len(counts)} of {len(counts)} samples have fewer"):
            step.apply(splits, context)
        return
    found = step.apply(splits, context).train
    bounds = splits.train.bounds
    first = [b + i * steps for b, n in zip(bounds, counts, strict=False) for i in range(n // steps)]
    assert found.layout == "NTLC"
    assert type(found) is Samples
    assert found.x[:, :, 0, 0].tolist() == [list(range(f, f + steps)) for f in first]
    assert found.y.tolist() == [i for i, n in enumerate(counts) for _ in range(n // steps)]
    assert splits.train == framed(counts)


@given(
    st.integers(1, 6).flatmap(
        lambda t: st.lists(st.lists(st.integers(-3, 10**12), min_size=t, max_size=t), min_size=1)
    )
)
def test_majority_is_the_most_common_and_then_the_smallest(rows):
    votes = [min(Counter(sorted(row)).items(), key=lambda v: (-v[1], v[0]))[0] for row in rows]
    assert majority(np.array(rows, np.int64)).tolist() == votes


def test_labels_are_voted_within_a_group(context, train_of):
    frames = framed([4, 3], labels=[2, 1, 1, 0, 5, 5, 4])
    found = Group2TimeStepsBySample(2).apply(train_of(frames), context).train
    assert found.y.tolist() == [1, 0, 5]


def test_samples_that_are_lost_are_warned_of(context, warnings, train_of):
    Group2TimeStepsBySample(3).apply(train_of(framed([3, 2, 7, 0])), context)
    told = "train set (Group2TimeStepsBySample): 2 of 4 samples have fewer than 3 frames, first"
    assert [w.startswith(told + " sample 1") for w in warnings] == [True]
    Group2TimeStepsBySample(1).apply(train_of(framed([3, 2])), context)
    assert len(warnings) == 1


def test_the_documented_pipeline(context, events_of):
    """Recordings of 2, 3 and 1 windows, pairs of which are grouped."""
    samples = [[(0, 0, 5, 0), (1, 1, 205, 1)], [(2, 2, 0, 0), (2, 2, 299, 0)], [(3, 3, 8, 0)]]
    splits = Splits(events_of(samples), None, events_of(samples[:1]), 3)
    frames = IntegrateEventsByFixedDuration(100).apply(splits, context)
    assert frames.train.bounds.tolist() == [0, 2, 5, 6]
    scaled = frames.map(lambda s: attrs.evolve(s, x=s.x / 2))  # what another step may do
    found = Group2TimeStepsBySample(2).apply(scaled, context)
    assert found.train.layout == "NTHWC"
    assert found.train.x.shape == (2, 2, 6, 5, 2)
    assert found.train.y.tolist() == [0, 1]
    assert found.train.x.sum(axis=(2, 3, 4)).tolist() == [[0.5, 0.5], [0.5, 0]]
    assert len(found.test) == 1


def test_frames_of_equal_number_are_grouped_to_fewer(context, events_of, train_of):
    samples = [[(i, i, i, 0) for i in range(5)], [(0, 0, i, 1) for i in range(5)]]
    steps = IntegrateEventsByFixedFramesNumber("number", 5).apply(
        train_of(events_of(samples)), context
    )
    same = Group2TimeStepsBySample(5).apply(steps, context).train
    assert same == steps.train
    assert np.shares_memory(same.x, steps.train.x)  # nothing dropped, nothing copied
    pairs = Group2TimeStepsBySample(2).apply(steps, context).train
    assert pairs.y.tolist() == [0, 0, 1, 1]
    assert np.array_equal(pairs.x, steps.train.x[:, :4].reshape(4, 2, 6, 5, 2))


def test_frames_that_were_picked_are_no_longer_grouped(context, train_of):
    picked = framed([4, 4]).take(slice(1, 7))
    assert type(picked) is Samples
    assert picked.y.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(DataError, match=r"train set .*: holds nothing to group"):
        Group2TimeStepsBySample(2).apply(train_of(picked), context)


def test_events_are_not_grouped(context, events_of, train_of):
    with pytest.raises(DataError, match=r"nothing to group.*IntegrateEventsByFixedDuration"):
        Group2TimeStepsBySample(2).apply(train_of(events_of([[(0, 0, 0, 0)]])), context)


def test_bounds_always_part_the_frames():
    frames = framed([2, 3])
    with pytest.raises(DataError, match="do not part the 4 frames"):
        attrs.evolve(frames, x=frames.x[:4], y=frames.y[:4])
    for bounds in ([], [1, 5], [0, 3, 2, 5]):
        with pytest.raises(DataError, match="do not part the 5 frames"):
            attrs.evolve(frames, bounds=np.array(bounds, np.int64))
    with pytest.raises(DataError, match="need no bounds"):
        FramedSamples(frames.x, frames.y, "NTC", frames.bounds)
    assert frames == framed([2, 3])
    assert frames != framed([3, 2], labels=frames.y)


def test_params_that_cannot_be_are_faults_of_the_file():
    with pytest.raises(ConfigError, match="'timesteps' must be >= 1: 0"):
        configure("preprocessing", "Group2TimeStepsBySample", {"timesteps": 0})
