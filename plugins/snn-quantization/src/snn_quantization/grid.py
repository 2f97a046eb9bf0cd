"""Values on a grid: the one rounding and the one clamp of the fixed-point law, with gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snn_quantization.settings import Rounding

FLOAT32_BITS, FLOAT64_BITS = 24, 53  # integers up to 2^bits are exact


def rounded(y: Tensor, how: Rounding) -> Tensor:
    """Integers: floor, ceil, or nearest with halves up. Exact, where adding 0.5 first would carry
    numbers just below a half over it."""
    if how == "ceil":
        return torch.ceil(y)
    below = torch.floor(y)
    return below + (y - below >= 0.5).to(y.dtype) if how == "nearest" else below


class _Gridded(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, scale: Tensor, low: int, high: int, how: Rounding, offset: Any
    ) -> Tensor:
        steps = rounded(x / scale, how)
        if offset is not None:
            steps = steps + offset
        clamped = steps.clamp(low, high)
        ctx.save_for_backward(steps == clamped)
        return (clamped if offset is None else clamped - offset) * scale

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        (inside,) = ctx.saved_tensors
        return torch.where(inside, grad, 0.0), None, None, None, None, None


def gridded(
    x: Tensor, scale: Tensor, low: int, high: int, how: Rounding, offset: Tensor | None = None
) -> Tensor:
    """scale · clamp(rounded(x/scale), low, high); `offset` shifts the clamp.

    The gradient passes where nothing is clamped and does not reach the scale (straight-through:
    Y. Bengio et al., arXiv:1308.3432).
    """
    made: Tensor = _Gridded.apply(x, scale, low, high, how, offset)  # type: ignore[no-untyped-call]
    return made


def valued(value: Tensor, graph: Tensor) -> Tensor:
    """A tensor with the numbers of `value` and the gradient of `graph`."""
    return value.detach() + (graph - graph.detach())


def holding(bits: int) -> torch.dtype:
    """The float type that holds all integers of so many bits, the sign included."""
    return torch.float32 if bits <= FLOAT32_BITS + 1 else torch.float64
