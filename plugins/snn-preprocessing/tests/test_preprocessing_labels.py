import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_kernel import ConfigError, DataError, Samples, Splits
from snn_kernel.config import configure
from snn_preprocessing.labels import Class2BinMatrix


def labelled(*labels: int) -> Samples:
    return Samples(np.zeros((len(labels), 1), np.float32), np.array(labels, np.int64), "NC")


some = st.lists(st.integers(0, 20), max_size=6)


@given(some, some, some)
def test_without_a_number_the_largest_label_of_all_sets_tells(context, train, valid, test):
    splits = Splits(labelled(*train), labelled(*valid), labelled(*test), 99)
    if not (train or valid or test):
        with pytest.raises(DataError, match="no samples"):
            Class2BinMatrix().apply(splits, context)
        return
    made = Class2BinMatrix().apply(splits, context)
    assert made.classes == max(train + valid + test) + 1
    assert (made.train, made.valid, made.test) == (splits.train, splits.valid, splits.test)


def test_absent_sets_and_events_are_fine(context, events_of):
    made = Class2BinMatrix().apply(Splits(events_of([2, 0, 1]), None, None, 0), context)
    assert made.classes == 3
    assert Class2BinMatrix(7).apply(made, context).classes == 7


def test_labels_outside_are_told_for_all_sets_at_once(context, events_of):
    splits = Splits(labelled(0, 3, 1, 9), labelled(0, 1), events_of([1, 1, 1, 1]), 10)
    with pytest.raises(DataError) as caught:
        Class2BinMatrix(3).apply(splits, context)
    assert str(caught.value).splitlines() == [
        "train set (Class2BinMatrix): label 3 of sample 1 is not one of 0..2, nor are 1 more",
        "test set (Class2BinMatrix): label 3 of sample 3 is not one of 0..2",
    ]


@pytest.mark.parametrize("classes", [None, 5])
def test_a_label_below_zero_is_told(context, classes):
    with pytest.raises(DataError, match=r"valid set .*: label -1 of sample 2 is not one of 0..4"):
        Class2BinMatrix(classes).apply(Splits(labelled(4), labelled(0, 0, -1), None, 5), context)


@pytest.mark.parametrize("classes", [1, 0, -2, 2.0, True, "10"])
def test_a_number_that_cannot_be_is_a_fault_of_the_file(classes):
    with pytest.raises(ConfigError, match="'classes' must be"):
        configure("preprocessing", "Class2BinMatrix", {"classes": classes})
