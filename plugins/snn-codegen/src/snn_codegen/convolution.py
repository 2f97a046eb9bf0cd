"""Which of its kernels a convolution runs in, and how its weights are then arranged.

All give the same sums. `dense` visits every element of every window; `gather` visits, for each
pixel of the output, only what is not zero in its window; `scatter` visits what is not zero in the
input once, and adds it to every pixel that sees it, which takes room for a sum per element of the
output.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_codegen.tensor import Map, Tensor
from snn_kernel.network import Conv

Variant: TypeAlias = Literal["auto", "dense", "gather", "scatter"]

SPARSE = 0.02  # below this rate of spikes, scattering needs fewer instructions than gathering
DENSE = 0.3  # above this rate of values that are not zero, looking for them does not pay
HALF = 1 << 15  # what a sum of 16 bits stays below
ROOM = 64 << 10  # bytes of sums that scattering may take: a quarter of a microcontroller's RAM


def variant(asked: Variant, layer: Conv, x: Tensor, made: Map, rate: float | None) -> str:
    """The kernel for a layer that reads `x`, of which a share `rate` (if known) is not zero."""
    if asked != "auto":
        return asked
    if x.element != "bits":
        return "gather" if rate is not None and rate < DENSE else "dense"
    pixels = made[1] * made[2]
    room = 4 * made[0] * pixels
    if rate is not None and rate < SPARSE and pixels > 1 and room <= ROOM:
        return "scatter"
    return "gather"


def doubled(weight: NDArray[Any], x: Tensor) -> bool:
    """Whether weights add up to 16 bits whichever inputs spike: two filters can share a lane."""
    if x.element != "bits" or weight.dtype.kind != "i":
        return False
    flat = weight.astype(np.int64).reshape(len(weight), -1)
    return bool(max(flat.clip(0).sum(1).max(), -flat.clip(None, 0).sum(1).min()) < HALF)


def paired(weight: NDArray[Any]) -> NDArray[Any]:
    """Weights [..., filter] two to a lane, as low + 2^16·high modulo 2^32."""
    whole = np.pad(
        weight.astype(np.int64), [(0, 0)] * (weight.ndim - 1) + [(0, weight.shape[-1] % 2)]
    )
    return (whole[..., ::2] + (whole[..., 1::2] << 16)) & 0xFFFF_FFFF


def ordered(chosen: str, weight: NDArray[Any], groups: int) -> NDArray[Any]:
    """Weights [filter, channel, (y,) x] in the order in which the kernel reads them."""
    whole = weight if weight.ndim == 4 else weight[:, :, None, :]
    if chosen == "dense":
        return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))
    split = whole.reshape(groups, len(whole) // groups, *whole.shape[1:])
    return np.ascontiguousarray(split.transpose(0, 3, 4, 2, 1))
