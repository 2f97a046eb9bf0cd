import hashlib

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from snn_datasets.digits import Digits
from snn_kernel import ConfigError
from snn_kernel.config import configure


def test_digits_are_all_there_once_and_exact(heard):
    splits = Digits().load(heard.context)
    assert (len(splits.train), splits.valid, len(splits.test)) == (1437, None, 360)
    assert splits.classes == 10
    assert splits.train.layout == "NHWC"
    assert splits.train.x.shape[1:] == (8, 8, 1)
    images = np.concatenate([splits.train.x, splits.test.x])[..., 0] * 16
    labels = np.concatenate([splits.train.y, splits.test.y])
    # All 1797 images differ, so equal sets mean: none lost, none in both.
    found = {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)}
    original = load_digits()
    pairs = zip(original.images.astype(np.float32), original.target, strict=True)
    assert found == {(image.tobytes(), label) for image, label in pairs}
    assert len(found) == 1797


def test_test_set_has_36_of_each_class_and_ignores_the_seed_of_the_run(heard):
    one = Digits().load(heard.context)
    other = Digits().load(attrs.evolve(heard.context, seed=99))
    assert np.bincount(one.test.y).tolist() == [36] * 10
    assert one == other


def test_test_set_stays_the_same_over_versions(heard):
    """Whoever changes the draw makes all results incomparable with earlier ones."""
    test = Digits().load(heard.context).test
    assert hashlib.sha256(test.x.tobytes()).hexdigest()[:16] == "67c84834bbf84c8f"


def test_test_seed_changes_the_test_set(heard):
    assert Digits().load(heard.context).test != Digits(test_seed=1).load(heard.context).test


@settings(deadline=None, max_examples=15)
@given(size=st.integers(10, 1700), seed=st.integers(0, 2**32 - 1))
def test_any_size_is_met_exactly_and_evenly(size, seed):
    labels = load_digits().target
    held_out = Digits(size, seed)._held_out(labels)
    counts = np.bincount(labels[held_out], minlength=10)
    assert held_out.sum() == size
    assert counts.max() - counts.min() <= 1
    assert np.bincount(labels[~held_out]).min() >= 1


@pytest.mark.parametrize("params", [{"test_size": 9}, {"test_size": 1701}, {"test_seed": -1}])
def test_a_size_or_seed_out_of_range_is_a_fault_of_the_file(params):
    with pytest.raises(ConfigError, match=f"'{next(iter(params))}' must be"):
        configure("dataset", "Digits", params)
