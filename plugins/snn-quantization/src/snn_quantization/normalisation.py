"""Batch normalisation as one factor and one summand per channel, quantised together."""

from __future__ import annotations

from typing import Any

import torch
from spikingjelly.activation_based import layer as sj
from torch import Tensor

from snn_quantization.layers import Weighted
from snn_quantization.settings import QuantParams


class _BatchNorm(Weighted):
    """y = Q(α)·Q(x) + Q(β) with α = γ/√(σ² + ε), β = b - μ·α, quantised: of the batch's statistics
    while training, which the running ones follow, of those in evaluation."""

    running = True  # the statistics of batches vary as activations do

    def __init__(self, *args: Any, quant_params: QuantParams, **more: Any) -> None:
        super().__init__(*args, **more)
        self.prepare(quant_params)

    def computed(self, x: Tensor) -> Tensor:
        """The normalised batch."""
        scale, shift = self.gridded(*self.folded(x))
        dtype = self.accumulator(x, scale[:, None], shift)
        axes = (1, -1, *[1] * (x.ndim - 2))
        return x.to(dtype) * scale.to(dtype).reshape(axes) + shift.to(dtype).reshape(axes)

    def folded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """α and β, of the statistics of `x` or the running ones."""
        mean, variance = self.running_mean, self.running_var
        if self.training or mean is None:
            axes = [i for i in range(x.ndim) if i != 1]
            variance, mean = torch.var_mean(x, axes, correction=0)
        if self.training and self.running_mean is not None:
            self._follow(mean.detach(), variance.detach())
        scale = torch.rsqrt(variance + self.eps)
        scale = scale if self.weight is None else scale * self.weight
        return scale, (0.0 if self.bias is None else self.bias) - mean * scale

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Running statistics; the variance is that of the batch itself, not of what it is drawn
        from, as in the documented system."""
        self.num_batches_tracked += 1
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.mul_(1 - share).add_(mean * share)
        self.running_var.mul_(1 - share).add_(variance * share)


class QuantizedBatchNorm1d(_BatchNorm, sj.BatchNorm1d):  # type: ignore[misc]
    """Batch normalisation of [N, C] or [N, C, L]; parameters as torch's, and `quant_params`."""


class QuantizedBatchNorm2d(_BatchNorm, sj.BatchNorm2d):  # type: ignore[misc]
    """Batch normalisation of [N, C, H, W]; parameters as torch's, and `quant_params`."""
