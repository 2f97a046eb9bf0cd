"""Frames that still know which sample they are from."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import cmp_using, field, frozen
from numpy.typing import NDArray

from snn_kernel import DataError, Samples


@frozen
class FramedSamples(Samples):
    """Frames of recordings of different lengths: x[bounds[i]:bounds[i+1]] are those of recording i.

    To everybody who does not ask for `bounds`, every frame is a sample of its own, with the label
    of its recording. bounds int64 [S+1], from 0 to the number of frames.
    """

    bounds: NDArray[np.int64] = field(eq=cmp_using(eq=np.array_equal))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        ends = self.bounds
        if self.timed:
            raise DataError(f"frames with timesteps in the data ({self.layout}) need no bounds")
        if not len(ends) or ends[0] != 0 or ends[-1] != len(self.x) or np.any(np.diff(ends) < 0):
            raise DataError(f"bounds {ends} do not part the {len(self.x)} frames into recordings")

    def take(self, index: Any) -> Samples:
        """Those frames that `index` picks, as plain samples: recordings are no longer whole."""
        return Samples(self.x[index], self.y[index], self.layout)
