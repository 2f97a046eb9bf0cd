"""Events to frames to timesteps, against every recorded case.

What may differ follows from the record: an error in it, events that are not in the order of time,
labels that ours does not have, a result without elements. Each test prints what it compared.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from golden_records import GOLDEN

from snn_kernel import EVENT, Context, DataError, Events, Samples, Splits, configure
from snn_preprocessing_events.frames import FramedSamples

RECORD = GOLDEN / "preprocessing.json"
LAYOUTS = {2: "NC", 3: "NLC", 4: "NHWC"}

pytestmark = pytest.mark.skipif(not RECORD.exists(), reason=f"no recorded frames in {GOLDEN}")


def cases(*kinds: str) -> list[tuple[dict, dict[str, np.ndarray]]]:
    """Every recorded case of these kinds, with its arrays."""
    with np.load(RECORD.with_suffix(".npz")) as file:
        return [
            (
                case,
                {k.split("__", 1)[1]: file[k] for k in file if k.startswith(f"{case['case']}__")},
            )
            for case in json.loads(RECORD.read_text())
            if case["kind"] in kinds
        ]


def applied(case: dict, found: Events | Samples) -> Samples:
    step = configure("preprocessing", case["kind"], case["params"])
    made = step.apply(Splits(found, None, None, 3), Context(0, Path()))
    return made.train


def events(case: dict, arrays: dict[str, np.ndarray]) -> Events:
    """The recorded events; a sample's label is that of its first event."""
    records = np.zeros(len(arrays["ev_t"]), EVENT)
    for name in EVENT.names:
        records[name] = arrays.get(f"ev_{name}", 0)
    begin, end = arrays["in_begin"], arrays["in_end"]
    assert np.array_equal(begin[1:], end[:-1])
    height = case["h"] if "ev_y" in arrays else 1
    labels = arrays["ev_labels"][begin]
    return Events(records, np.append(begin, end[-1]), labels, (case["w"], height, 2))


def by_class(labels: np.ndarray) -> np.ndarray:
    """Class numbers [N] of recorded labels [N], [N, 1] or one-hot [N, classes]."""
    if labels.ndim == 1 or labels.shape[1] == 1:
        return labels.reshape(-1).astype(np.int64)
    return labels.argmax(axis=1)


def test_every_recorded_case_is_of_a_kind_compared_here():
    compared = {"Group2TimeStepsBySample", "Split2TimeSteps"} | {
        f"IntegrateEventsByFixed{by}" for by in ("Duration", "FramesNumber")
    }
    record = json.loads(RECORD.read_text())
    assert {case["kind"] for case in record} <= compared
    print(f"{len(record)} recorded cases")


def integrated(case: dict, arrays: dict[str, np.ndarray]) -> str:
    """How ours relates to one recorded integration of events."""
    found = events(case, arrays)
    parts = np.split(arrays["ev_t"], found.offsets[1:-1])
    if any(np.any(np.diff(t) < 0) for t in parts):
        with pytest.raises(DataError, match=r"train set, sample \d+ .*: event \d+ .* is earlier"):
            applied(case, found)
        return "excused: not in the order of time, an error in ours"
    if "error" in case:
        if min(map(len, parts)) < case["params"].get("frames_num", 1):
            with pytest.raises(DataError, match=r"train set, sample \d+ .*: \d+ events .* too few"):
                applied(case, found)
            return "an error in both: too few events"
        assert applied(case, found).x.sum() == len(found.records)
        return "excused: an error in the record, all events in frames in ours"
    made = applied(case, found)
    frames = made.x.reshape(arrays["out_x"].shape)
    assert frames.dtype == arrays["out_x"].dtype
    assert np.array_equal(frames, arrays["out_x"])
    if isinstance(made, FramedSamples):
        assert np.array_equal(made.bounds[:-1], arrays["out_begin"])
        assert np.array_equal(made.bounds[1:], arrays["out_end"])
    else:
        assert np.all(arrays["out_end"] - arrays["out_begin"] == made.x.shape[1])
    if any(np.ptp(y) for y in np.split(arrays["ev_labels"], found.offsets[1:-1])):
        return "equal but for labels: events of one sample have different ones, ours have not"
    y = made.y if isinstance(made, FramedSamples) else np.repeat(made.y, made.x.shape[1])
    assert np.array_equal(y, arrays["out_y"])
    return "equal"


def test_integration():
    seen: Counter[str] = Counter()
    for kind in ("IntegrateEventsByFixedDuration", "IntegrateEventsByFixedFramesNumber"):
        for case, arrays in cases(kind):
            seen[integrated(case, arrays)] += 1
    print(dict(seen))
    assert seen["equal"] > 0


def grouped(case: dict, arrays: dict[str, np.ndarray]) -> str:
    """How ours relates to one recorded grouping of frames."""
    if "error" in case:
        steps = case["params"]["timesteps"]
        plain = Samples(np.zeros((4 * steps, 2, 1), np.float32), np.zeros(4 * steps, int), "NLC")
        with pytest.raises(DataError, match="no frames that know which sample they are from"):
            applied(case, plain)
        return "an error in both: no bounds"
    x = arrays["in_x"]
    bounds = np.append(arrays["in_begin"], arrays["in_end"][-1])
    frames = FramedSamples(x, by_class(arrays["in_y"]), LAYOUTS[x.ndim], bounds)
    made = applied(case, frames)
    assert np.array_equal(made.x, arrays["out_x"])
    assert len(made) == arrays["out_end"][-1]
    y = arrays["out_y"]
    if y.ndim == 2 and y.shape[1] > 1:
        labelled = y.sum(axis=1) == 1
        assert np.array_equal(made.y[labelled], by_class(y)[labelled])
        if not labelled.all():
            return "equal but for labels: the record votes column by column, and finds no class"
    else:
        assert np.array_equal(made.y, by_class(y))
    return "equal"


def test_grouping():
    seen = Counter(grouped(*case) for case in cases("Group2TimeStepsBySample"))
    print(dict(seen))
    assert seen["equal"] > 0


def split(case: dict, arrays: dict[str, np.ndarray]) -> str:
    """How ours relates to one recorded cut into timesteps."""
    x = arrays["in_x"]
    found = Samples(x, by_class(arrays["in_y"]), LAYOUTS[x.ndim])
    if not arrays["out_x"].size:
        with pytest.raises(DataError, match=r"samples of \d+ cannot be cut in \d+ chunks"):
            applied(case, found)
        return "excused: timesteps without elements in the record, an error in ours"
    made = applied(case, found)
    assert np.array_equal(made.x, arrays["out_x"])
    assert np.array_equal(made.y, by_class(arrays["out_y"]))
    return "equal"


def test_splitting():
    seen = Counter(split(*case) for case in cases("Split2TimeSteps"))
    print(dict(seen))
    assert seen["equal"] > 0
