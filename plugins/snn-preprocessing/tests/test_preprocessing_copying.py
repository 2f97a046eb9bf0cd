from itertools import permutations

import numpy as np
import pytest

from snn_kernel import ConfigError, DataError, Samples, Splits
from snn_kernel.config import configure
from snn_preprocessing.copying import CopySet

SETS = ("train", "valid", "test")


def numbered(count: int, start: int = 0) -> Samples:
    y = np.arange(start, start + count, dtype=np.int64)
    return Samples(y[:, None].astype(np.float32), y, "NC")


def splits_of(**sets) -> Splits:
    return Splits(**{name: sets.get(name) for name in SETS}, classes=7)


@pytest.mark.parametrize(("source", "dest", "third"), list(permutations(SETS)))
@pytest.mark.parametrize("kind", ["samples", "events"])
def test_the_set_is_the_same_and_the_others_stay(
    context, locked, events_of, kind, source, dest, third
):
    given = numbered(5) if kind == "samples" else events_of([2, 0, 3])
    splits = locked(splits_of(**{source: given, third: numbered(4, 100)}))
    made = CopySet(source, dest).apply(splits, context)
    assert getattr(made, dest) is getattr(made, source) is given  # events can fill the memory
    assert getattr(made, third) == numbered(4, 100)
    assert made.classes == 7
    assert getattr(splits, dest) is None


def test_by_default_the_training_set_validates(context):
    made = CopySet().apply(splits_of(train=numbered(3), valid=numbered(0)), context)
    assert made.valid == numbered(3)
    assert made.test is None


@pytest.mark.parametrize("source", [None, numbered(0)])
def test_a_source_without_samples_to_copy_is_told(context, source):
    with pytest.raises(DataError, match="CopySet: the test set has no samples to take"):
        CopySet("test").apply(splits_of(train=numbered(9), test=source), context)


def test_a_set_with_samples_is_not_lost(context):
    splits = splits_of(train=numbered(10), valid=numbered(5))
    with pytest.raises(DataError, match=r"CopySet: the valid set has 5 samples already.*leave"):
        CopySet().apply(splits, context)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dest": "train"}, "'source' and 'dest' are both 'train'"),
        ({"source": "valid"}, "'source' and 'dest' are both 'valid'"),
        ({"source": "all"}, "'source' must be one of 'train', 'valid', 'test'"),
        ({"sources": "test"}, "unknown key 'sources' .did you mean 'source'"),
    ],
)
def test_sets_that_cannot_be_are_faults_of_the_file(params, message):
    with pytest.raises(ConfigError, match=message) as caught:
        configure("preprocessing", "CopySet", params)
    assert len(caught.value.faults) == 1
