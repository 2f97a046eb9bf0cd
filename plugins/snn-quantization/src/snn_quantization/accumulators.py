"""In which float type the sums of a layer are those of integers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from snn_kernel import RunError
from snn_quantization.grid import FLOAT32_BITS, FLOAT64_BITS
from snn_quantization.quantizer import Quantizer


def accumulator(
    x: Tensor, quantizers: Sequence[Quantizer], bound: Callable[[], float]
) -> torch.dtype:
    """The float type for a layer's sums of `x`, all of whose operands `quantizers` quantise.

    `bound` is the largest sum, in steps of the grid of the sums: below 2^24 float32 is exact in any
    order, below 2^53 float64; RunError beyond. What trains, and what has no fixed-point format,
    stays in the type of `x`; what comes from outside unquantised is summed in float64.
    """
    used = [q for q in quantizers if q.settings.quant_enable]
    if quantizers[0].training or any(q.settings.obstacle for q in used):
        return x.dtype
    if len(used) < len(quantizers):
        return torch.float64
    if (most := bound()) < 2.0**FLOAT32_BITS:
        return torch.float32
    if most < 2.0**FLOAT64_BITS:
        return torch.float64
    raise RunError(
        f"quantizer '{quantizers[0].name}': the layer's sums reach 2^{math.log2(most):.1f} steps, "
        f"beyond the 2^{FLOAT64_BITS} that are exact (set fewer bits)"
    )


def magnitude(quantizer: Quantizer, fraction: int) -> float:
    """The largest magnitude that comes out of `quantizer`, in steps of 2^-fraction."""
    made = quantizer.format
    return 2.0 ** (made.bits - 1 + fraction - made.fraction)
