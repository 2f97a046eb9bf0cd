"""Recordings of the DVS128 Gesture data set, as they come."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from snn_kernel import EVENT, Events
from snn_preprocessing_events.grouping import Group2TimeStepsBySample
from snn_preprocessing_events.integration import (
    IntegrateEventsByFixedDuration,
    IntegrateEventsByFixedFramesNumber,
)

SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[3] / ".." / "shared"))
GESTURES = SHARED / "data" / "dvs_gesture"

pytestmark = pytest.mark.skipif(
    not (GESTURES / "labels.csv").exists(), reason=f"no recordings in {GESTURES}"
)


def recording(path: Path) -> np.ndarray:
    """Records of EVENT; in the file x has 12 bits, y 12, p 8 and t 24, big endian."""
    b = np.fromfile(path, np.uint8).reshape(-1, 7).T.astype(np.uint32)
    records = np.empty(b.shape[1], EVENT)
    records["x"], records["y"] = b[0] << 4 | b[1] >> 4, (b[1] & 15) << 8 | b[2]
    records["p"], records["t"] = b[3], b[4] << 16 | b[5] << 8 | b[6]
    return records


@pytest.fixture(scope="module")
def gestures() -> Events:
    with (GESTURES / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (GESTURES / row["file"]).exists()]
    parts = [recording(GESTURES / row["file"]) for row in rows]
    offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    labels = np.array([int(row["index0"]) for row in rows], np.int64)
    records = np.concatenate(parts)
    records.flags.writeable = False
    assert len(records) > 100_000
    return Events(records, offsets, labels, (128, 128, 2))


def images(events: Events) -> np.ndarray:
    """All events of every recording in one frame: [N, 128, 128, 2]."""
    return np.array(
        [
            np.histogramdd(
                np.stack([part["y"], part["x"], part["p"]], axis=1),
                bins=[np.arange(129), np.arange(129), np.arange(3)],
            )[0]
            for part in np.split(events.records, events.offsets[1:-1])
        ]
    )


def test_every_event_is_in_its_frame(gestures, context, train_of):
    found = IntegrateEventsByFixedDuration(10_000).apply(train_of(gestures), context).train
    whole = np.add.reduceat(found.x, found.bounds[:-1])
    assert np.array_equal(whole, images(gestures))
    assert np.diff(found.bounds).tolist() == [145] * len(gestures)
    for i in range(len(gestures)):
        t = gestures.records["t"][gestures.offsets[i] : gestures.offsets[i + 1]].astype(int)
        per_frame = found.x[found.bounds[i] : found.bounds[i + 1]].sum(axis=(1, 2, 3))
        edges = [*(t[0] + 10_000 * np.arange(145)), t[-1] + 1]
        assert np.array_equal(per_frame, np.histogram(t, edges)[0])


def test_groups_are_samples_with_timesteps(gestures, context, train_of):
    frames = IntegrateEventsByFixedDuration(10_000).apply(train_of(gestures), context)
    found = Group2TimeStepsBySample(4).apply(frames, context).train
    assert found.x.shape == (36 * len(gestures), 4, 128, 128, 2)
    assert np.array_equal(found.y, np.repeat(gestures.labels, 36))
    second = frames.train.bounds[1]
    assert np.array_equal(found.x[36], frames.train.x[second : second + 4])


@pytest.mark.parametrize("unit", ["time", "number"])
def test_frames_number(gestures, context, train_of, unit):
    step = IntegrateEventsByFixedFramesNumber(unit, 16)
    found = step.apply(train_of(gestures), context).train
    assert found.x.shape == (len(gestures), 16, 128, 128, 2)
    assert np.array_equal(found.x.sum(axis=1), images(gestures))
    counts = found.x.sum(axis=(2, 3, 4))
    if unit == "number":
        equal = np.diff(gestures.offsets) // 16
        assert np.array_equal(counts[:, :-1], np.repeat(equal[:, None], 15, axis=1))
    else:
        assert np.ptp(counts, axis=1).min() > 1000  # gestures are not steady
