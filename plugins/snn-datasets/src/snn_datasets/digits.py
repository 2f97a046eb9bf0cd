"""The handwritten digits that scikit-learn brings along."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen, validators
from numpy.typing import NDArray

from snn_kernel import Context, Samples, Splits

CLASSES = 10


@frozen
class Digits:
    """1797 real handwritten digits of 8x8 pixels in 10 classes, without any download.

    The test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI,
    1998) as scikit-learn ships it. x is [N, 8, 8, 1], the 17 grey levels 0..16 divided by 16;
    layout NHWC. There is no validation set. The test set has as many samples of each class as of
    any other (one more of the first classes where test_size is no multiple of 10), and is drawn
    with test_seed, not with the seed of [bench], so that runs with different seeds are tested on
    the same samples. The samples carry no writer, so that a writer may be in both sets.

    test_size: samples in the test set, 10..1700; default 360, the other 1437 are for training
    test_seed: which samples these are, 0..2³²-1; default 0
    """

    test_size: int = field(default=360, validator=[validators.ge(10), validators.le(1700)])
    test_seed: int = field(default=0, validator=[validators.ge(0), validators.lt(2**32)])

    def load(self, context: Context) -> Splits:
        """Both sets, each in the order of the original."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        x = (digits.images[..., None] / 16).astype(np.float32)
        samples = Samples(x, digits.target.astype(np.int64), "NHWC")
        held_out = self._held_out(samples.y)
        return Splits(samples.take(~held_out), None, samples.take(held_out), CLASSES)

    def _held_out(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """A mask [N] of the test samples."""
        # Numpy promises that RandomState's stream never changes; a Generator's may (NEP 19).
        draw = np.random.RandomState(self.test_seed)
        each, rest = divmod(self.test_size, CLASSES)
        held_out = np.zeros(len(labels), bool)
        for label in range(CLASSES):
            members = draw.permutation(np.flatnonzero(labels == label))
            held_out[members[: each + (label < rest)]] = True
        return held_out
