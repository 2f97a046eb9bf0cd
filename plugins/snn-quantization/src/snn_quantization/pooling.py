"""Pools that quantise what they take and give: maximum, average and sum."""

from __future__ import annotations

import math
from typing import Any

from spikingjelly.activation_based import base
from spikingjelly.activation_based import layer as sj
from torch import Tensor
from torch.nn import functional as F

from snn_framework_spikingjelly.readers import sizes_of
from snn_network.fixed import FACTOR_BITS, factor
from snn_quantization.accumulators import accumulator, magnitude
from snn_quantization.layers import Quantising
from snn_quantization.settings import QuantParams


class _MaxPool(Quantising):
    def __init__(self, *args: Any, quant_params: QuantParams, **more: Any) -> None:
        super().__init__(*args, **more)
        self.prepare(quant_params)


class QuantizedMaxPool1d(_MaxPool, sj.MaxPool1d):  # type: ignore[misc]
    """The maximum of each window, [N, C, L]; parameters as torch's, and `quant_params`."""

    def computed(self, x: Tensor) -> Tensor:
        """The maxima."""
        sizes = (self.kernel_size, self.stride, self.padding, self.dilation)
        return F.max_pool1d(x, *sizes, ceil_mode=self.ceil_mode)


class QuantizedMaxPool2d(_MaxPool, sj.MaxPool2d):  # type: ignore[misc]
    """The maximum of each window, [N, C, H, W]; parameters as torch's, and `quant_params`."""

    def computed(self, x: Tensor) -> Tensor:
        """The maxima."""
        sizes = (self.kernel_size, self.stride, self.padding, self.dilation)
        return F.max_pool2d(x, *sizes, ceil_mode=self.ceil_mode)


class _AveragePool(Quantising):
    """The sum of each window, the padding included, times 1/K: exactly where K is a power of 2,
    else with FACTOR_BITS fraction bits, as the fixed-point law has it."""

    dims: int

    def __init__(self, *args: Any, quant_params: QuantParams, **more: Any) -> None:
        super().__init__(*args, **more)
        padded = any(sizes_of(self.padding, self.dims))
        divided = getattr(self, "divisor_override", None) is not None
        if self.ceil_mode or divided or (padded and not self.count_include_pad):
            raise ValueError(
                "an average pool that divides by anything but the size of its window cannot be "
                "quantised: ceil_mode, divisor_override and count_include_pad = False"
            )
        self.elements = math.prod(sizes_of(self.kernel_size, self.dims))
        self.fraction = self.elements.bit_length() - 1
        self.factor = 1
        if self.elements & (self.elements - 1):
            self.fraction, self.factor = FACTOR_BITS, factor(self.elements)
        if not self.factor:
            raise ValueError(f"an average pool of {self.elements} elements: 1/K is rounded to 0")
        self.prepare(quant_params)

    def computed(self, x: Tensor) -> Tensor:
        """The averages."""

        def bound() -> float:
            most = self.elements * self.factor
            return most * magnitude(self.quantizer_input, self.quantizer_input.format.fraction)

        x = x.to(accumulator(x, (self.quantizer_input,), bound))
        sizes = [sizes_of(v, self.dims) for v in (self.kernel_size, self.stride, self.padding)]
        if self.dims == 1:  # the 1D form has no divisor
            sizes = [(fill, *n) for fill, n in zip((1, 1, 0), sizes, strict=True)]
            x = x.unsqueeze(-2)
        made = F.avg_pool2d(x, *sizes, divisor_override=1)
        made = made.squeeze(-2) if self.dims == 1 else made
        return made * (self.factor * 2.0**-self.fraction)


class QuantizedAvgPool1d(_AveragePool, sj.AvgPool1d):  # type: ignore[misc]
    """The average of each window, [N, C, L]; parameters as torch's, and `quant_params`."""

    dims = 1


class QuantizedAvgPool2d(_AveragePool, sj.AvgPool2d):  # type: ignore[misc]
    """The average of each window, [N, C, H, W]; parameters as torch's, and `quant_params`."""

    dims = 2


class _GlobalSumPool(Quantising, base.StepModule):  # type: ignore[misc]
    axes: tuple[int, ...]

    def __init__(self, *, quant_params: QuantParams, step_mode: str = "s") -> None:
        super().__init__()
        self.step_mode = step_mode
        self.prepare(quant_params)

    def computed(self, x: Tensor) -> Tensor:
        """The sums."""
        elements = math.prod(x.shape[axis] for axis in self.axes)

        def bound() -> float:
            return elements * magnitude(self.quantizer_input, self.quantizer_input.format.fraction)

        return x.to(accumulator(x, (self.quantizer_input,), bound)).sum(dim=self.axes)


class QuantizedGlobalSumPool1d(_GlobalSumPool):
    """The sum over all positions, [N, C, L] → [N, C]."""

    axes = (-1,)


class QuantizedGlobalSumPool2d(_GlobalSumPool):
    """The sum over all positions, [N, C, H, W] → [N, C]."""

    axes = (-2, -1)
