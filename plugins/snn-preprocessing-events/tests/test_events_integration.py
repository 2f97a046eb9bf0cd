import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snn_kernel import ConfigError, Context, DataError, Events, Samples, Splits, configure
from snn_preprocessing_events.frames import FramedSamples
from snn_preprocessing_events.integration import (
    IntegrateEventsByFixedDuration,
    IntegrateEventsByFixedFramesNumber,
)

# Times crowd around a few values, so that equal ones, exact multiples and gaps are common.
times = st.one_of(st.integers(0, 60), st.sampled_from([0, 100, 200, 2**32 - 1]))
event = st.tuples(st.integers(0, 4), st.integers(0, 5), times, st.integers(0, 3))
sample = st.lists(event, min_size=1, max_size=25).map(lambda e: sorted(e, key=lambda e: e[2]))
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def counted(sample, frames, frame_of):
    """Frames [frames, 6, 5, 2] of one sample, event by event."""
    x = np.zeros((frames, 6, 5, 2), np.float32)
    for i, event in enumerate(sample):
        column, row, t, p = map(int, event)
        x[frame_of(i, t - int(sample[0][2])), row, column, int(p != 0)] += 1
    return x


def span(sample):
    return int(sample[-1][2]) - int(sample[0][2])


@quick
@given(st.lists(sample, max_size=4), st.integers(2**24, 2**32 - 1) | st.sampled_from([10**8]))
def test_long_windows(context, events_of, train_of, samples, duration):
    check_duration(context, events_of, train_of, samples, duration)


@quick
@given(st.lists(sample, max_size=4), st.integers(1, 130))
def test_short_windows(context, events_of, train_of, samples, duration):
    near = [[e for e in sample if e[2] - sample[0][2] <= 200] for sample in samples]
    check_duration(context, events_of, train_of, near, duration)


def check_duration(context, events_of, train_of, samples, duration):
    made = IntegrateEventsByFixedDuration(duration).apply(train_of(events_of(samples)), context)
    found = made.train
    assert isinstance(found, FramedSamples)
    assert found.layout == "NHWC"
    assert found.x.dtype == np.float32
    assert len(found.bounds) == len(samples) + 1
    for i, sample in enumerate(samples):
        part = slice(found.bounds[i], found.bounds[i + 1])
        frames = max(1, math.ceil(span(sample) / duration))
        record = counted(sample, frames, lambda _, t, n=frames: min(t // duration, n - 1))
        assert np.array_equal(found.x[part], record)
        assert np.all(found.y[part] == i)
        assert found.x[part].sum() == len(sample)


@quick
@given(st.lists(sample, max_size=4), st.integers(1, 8), st.sampled_from(["time", "number"]))
def test_frames_number(context, events_of, train_of, samples, count, unit):
    splits = train_of(events_of(samples))
    step = IntegrateEventsByFixedFramesNumber(unit, count)
    if few := [i for i, sample in enumerate(samples) if len(sample) < count]:
        with pytest.raises(DataError) as caught:
            step.apply(splits, context)
        assert [f.where for f in caught.value.faults] == [f"train set, sample {i}" for i in few]
        return
    found = step.apply(splits, context).train
    assert found.layout == "NTHWC"
    assert found.x.shape == (len(samples), count, 6, 5, 2)
    assert np.array_equal(found.y, np.arange(len(samples)))
    for x, sample in zip(found.x, samples, strict=True):
        length = span(sample) if unit == "time" else len(sample)
        width = max(1, length // count)
        record = counted(
            sample,
            count,
            lambda i, t, w=width: min((t if unit == "time" else i) // w, count - 1),
        )
        assert np.array_equal(x, record)


def test_number_gives_equal_counts_and_the_last_frame_the_rest(context, events_of, train_of):
    splits = train_of(events_of([[(0, 0, 7 * i, 1) for i in range(14)]]))
    made = IntegrateEventsByFixedFramesNumber("number", 4).apply(splits, context)
    assert made.train.x.sum(axis=(0, 2, 3, 4)).tolist() == [3, 3, 3, 5]


@pytest.mark.parametrize(
    ("t", "frames"),
    [
        ([7], [1]),
        ([9, 9, 9], [3]),
        ([3, 4, 10], [3]),
        ([0, 99, 100, 200], [2, 2]),
        ([50, 51, 355], [2, 0, 0, 1]),
    ],
)
def test_windows_at_their_edges(context, events_of, train_of, t, frames):
    splits = train_of(events_of([[(1, 2, when, 0) for when in t]]))
    found = IntegrateEventsByFixedDuration(100).apply(splits, context).train
    assert found.x[:, 2, 1, 0].tolist() == frames
    assert found.x.sum() == len(t)


def test_one_time_stamp_fills_one_of_many_frames(context, events_of, train_of):
    splits = train_of(events_of([[(1, 2, 9, 0)] * 5]))
    found = IntegrateEventsByFixedFramesNumber("time", 3).apply(splits, context).train
    assert found.x[0, :, 2, 1, 0].tolist() == [5, 0, 0]


def test_a_sensor_of_one_row_has_frames_without_rows(context, events_of, train_of):
    splits = train_of(events_of([[(3, 0, 0, 0), (4, 0, 150, 1)]], size=(5, 1, 2)))
    frames = IntegrateEventsByFixedDuration(100).apply(splits, context).train
    assert frames.layout == "NLC"
    assert frames.x.tolist() == [[[0, 0]] * 3 + [[1, 0], [0, 0]], [[0, 0]] * 4 + [[0, 1]]]
    steps = IntegrateEventsByFixedFramesNumber("number", 2).apply(splits, context).train
    assert steps.layout == "NTLC"
    assert np.array_equal(steps.x[0], frames.x)


def test_all_sets_are_integrated_and_absent_ones_stay_absent(context, events_of):
    one, two = events_of([[(0, 0, 0, 0)]]), events_of([[(0, 0, 0, 0), (0, 0, 500, 0)]])
    made = IntegrateEventsByFixedDuration(100).apply(Splits(one, None, two, 2), context)
    assert (len(made.train), made.valid, len(made.test), made.classes) == (1, None, 5, 2)


STEPS = [
    IntegrateEventsByFixedDuration(100),
    IntegrateEventsByFixedFramesNumber("time", 1),
    IntegrateEventsByFixedFramesNumber("number", 1),
]


@pytest.mark.parametrize("step", STEPS)
def test_every_faulty_sample_of_every_set_is_told(context, events_of, step):
    good = [(0, 0, 3, 0)]
    back, wide, high = [(0, 0, 9, 0), (0, 0, 8, 0)], [(5, 0, 0, 0)], [(0, 0, 0, 0), (0, 6, 0, 0)]
    splits = Splits(events_of([good, back, []]), None, events_of([wide, good, high]), 2)
    with pytest.raises(DataError) as caught:
        step.apply(splits, context)
    told = [f"{f.where}: {f.what}" for f in caught.value.faults]
    assert told == [
        "train set, sample 1: event 1 at t 8 is earlier than the one before it, at 9",
        "train set, sample 2: 0 events are too few for 1 frames",
        "test set, sample 0: event 0 at x 5, y 0 is outside of the 5 x 6 sensor",
        "test set, sample 2: event 1 at x 0, y 6 is outside of the 5 x 6 sensor",
    ]
    assert all(f.whose == type(step).__name__ for f in caught.value.faults)


def test_of_many_faulty_samples_the_first_are_told(context, events_of, train_of):
    with pytest.raises(DataError) as caught:
        STEPS[0].apply(train_of(events_of([[]] * 500)), context)
    assert len(caught.value.faults) == 11
    assert "490 more samples are wrong" in str(caught.value)


@pytest.mark.parametrize("step", STEPS)
def test_samples_are_no_events(context, train_of, step):
    found = Samples(np.zeros((2, 3), np.float32), np.zeros(2, np.int64), "NC")
    with pytest.raises(DataError, match=r"train set .*: holds samples, not events"):
        step.apply(train_of(found), context)


@pytest.mark.parametrize("pixels", [2**12, 2**16])  # beyond the memory, beyond an address
def test_frames_that_no_memory_holds_are_told(context, events_of, train_of, pixels):
    ends = [(0, 0, 0, 0), (0, 0, 2**32 - 1, 0)]
    splits = train_of(events_of([ends] * 9, size=(pixels, pixels, 2)))
    with pytest.raises(DataError, match=r"train set .*: 38654705655 frames .* GiB of memory"):
        IntegrateEventsByFixedDuration(1).apply(splits, context)


def test_events_stay_as_they_are(context, events_of, train_of):
    """The arrays are locked, and here compared as well."""
    samples = [[(1, 2, 1000, 1), (1, 2, 1050, 0)], [(4, 5, 7, 1), (0, 0, 3000, 1)]]
    splits = train_of(events_of(samples))
    for step in STEPS:
        found = step.apply(splits, context).train
        assert not np.shares_memory(found.x, splits.train.records)
    assert splits.train == events_of(samples)


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("IntegrateEventsByFixedDuration", {}, "duration"),
        ("IntegrateEventsByFixedDuration", {"duration": 0}, "'duration' must be >= 1"),
        ("IntegrateEventsByFixedDuration", {"duration": 2**32}, "'duration' must be < 4294967296"),
        ("IntegrateEventsByFixedDuration", {"duration": True}, "'duration' must be an integer"),
        (
            "IntegrateEventsByFixedFramesNumber",
            {"split_by": "events", "frames_num": 2},
            "'split_by' must be one of 'time', 'number'",
        ),
        (
            "IntegrateEventsByFixedFramesNumber",
            {"split_by": "time", "frames_num": 0},
            "'frames_num' must be >= 1",
        ),
    ],
)
def test_params_that_cannot_be_are_faults_of_the_file(kind, params, message):
    with pytest.raises(ConfigError, match=message):
        configure("preprocessing", kind, params)


def test_no_events_at_all_are_no_frames(events_of, tmp_path):
    none: Events = events_of([])
    splits = Splits(none, None, None, 2)
    assert len(STEPS[0].apply(splits, Context(0, tmp_path)).train) == 0
    made = IntegrateEventsByFixedFramesNumber("time", 3).apply(splits, Context(0, tmp_path))
    assert made.train.x.shape == (0, 3, 6, 5, 2)
