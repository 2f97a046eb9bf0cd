import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_augmentation.mixup import Mixup
from snn_kernel import DataError, Shapes

K = 4
TOLD = Shapes((3,), (K,))


def batch(n: int):
    """Samples that hold their one-hot label, as far as three features can."""
    y = np.arange(n, dtype=np.int64) % K
    return np.eye(K, dtype=np.float32)[y][:, :3], y


@given(st.integers(1, 9), st.floats(1e-3, 100), st.integers(0, 2**63))
def test_labels_sum_to_one_and_mix_as_samples_do(seeded, n, alpha, seed):
    x, y = batch(n)
    after, labels = Mixup(alpha).apply(x, y, seeded(seed), TOLD)
    assert (labels.shape, labels.dtype) == ((n, K), np.float32)
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)
    assert labels.min() >= 0
    np.testing.assert_allclose(after, labels[:, :3], atol=1e-6)
    assert all(1 <= np.count_nonzero(row) <= 2 for row in labels)
    assert np.array_equal(y, np.arange(n) % K)


def test_shares_are_those_of_beta(seeded):
    """Own shares where the partner has another label; Beta(a, a) has variance 1 / (8a + 4)."""
    x, y = batch(8000)
    _, labels = Mixup(2.0).apply(x, y, seeded(), TOLD)
    own = labels[np.arange(8000), y]
    own = own[np.count_nonzero(labels, axis=1) == 2]
    assert abs(len(own) / 8000 - 0.75) < 0.03
    assert abs(own.mean() - 0.5) < 0.02
    assert abs(own.var() - 1 / 20) < 0.005


def test_mixed_labels_can_be_mixed_again(seeded):
    x, y = batch(6)
    once = Mixup(1.0).apply(x, y, seeded(1), TOLD)
    after, labels = Mixup(1.0).apply(*once, seeded(2))
    np.testing.assert_allclose(after, labels[:, :3], atol=1e-6)
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)


def test_the_number_of_classes_is_the_files_or_the_frameworks(seeded):
    x, y = batch(4)
    assert Mixup(classes=7).apply(x, y, seeded(), TOLD)[1].shape == (4, 7)
    assert Mixup(classes=7).apply(x, y, seeded())[1].shape == (4, 7)
    with pytest.raises(DataError, match=r"Mixup: .*how many classes.*params\.classes"):
        Mixup().apply(x, y, seeded())
    with pytest.raises(DataError, match="labels are 0 to 3, not 0 to 2"):
        Mixup(classes=3).apply(x, y, seeded())
