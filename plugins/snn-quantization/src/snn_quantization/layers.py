"""Convolutions, linear layers, sums and identities that quantise what they take, hold and give.

In evaluation they compute with integers held in floats: the sums of a layer are bounded, and formed
in the float type in which they are exact in any order. Training keeps the type of the input.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from spikingjelly.activation_based import layer as sj
from torch import Tensor, nn
from torch.nn import functional as F

from snn_kernel.network import Format, Layer
from snn_quantization.accumulators import accumulator, magnitude
from snn_quantization.grid import holding
from snn_quantization.quantizer import Quantizer
from snn_quantization.settings import QuantParams


class Quantising(nn.Module, ABC):
    """Quantise the input, compute, quantise the output: what comes before a layer of SpikingJelly.

    Input and output are [N, …] in step mode "s", [T, N, …] in "m".
    """

    step_mode: str

    def prepare(self, params: QuantParams) -> None:
        """Make the quantisers that every layer has."""
        self.quantizer_input = Quantizer(params.of("input"), "quantizer_input")
        self.quantizer_act = Quantizer(params.of("act"), "quantizer_act")

    def forward(self, x: Tensor) -> Tensor:
        """One timestep, or all of them."""
        x = self.quantizer_input(x)
        if self.step_mode == "s":
            return given(self.quantizer_act, self.computed(x))
        made = self.computed(x.flatten(0, 1))
        return given(self.quantizer_act, made.unflatten(0, x.shape[:2]))

    @abstractmethod
    def computed(self, x: Tensor) -> Tensor:
        """The layer's operation, [N, …] → [N, …]."""

    def lower(self, name: str) -> tuple[Layer, ...]:
        """As a layer of the network document, with integers."""
        from snn_quantization.documents import document

        return document(self, name)


def given(quantizer: Quantizer, y: Tensor) -> Tensor:
    """A layer's output, quantised, in float32 again where that holds it."""
    made: Tensor = quantizer(y)
    if quantizer.training or not quantizer.settings.quant_enable:
        return made
    return made.to(holding(quantizer.settings.bits))


class Weighted(Quantising):
    """A layer with weights, and a bias on their grid or, with a `bias` table, on one of its own."""

    weight: Tensor
    bias: Tensor | None
    running = False  # whether the ranges of weights are remembered, or those of the weights now

    def prepare(self, params: QuantParams) -> None:
        """Make the quantisers."""
        super().prepare(params)
        self.quantizer_w = Quantizer(params.of("w"), "quantizer_w", running=self.running)
        if params.bias is not None:
            of_bias = params.of("bias")
            self.quantizer_bias = Quantizer(of_bias, "quantizer_bias", running=self.running)

    def gridded(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Weights and bias on their grids, as they are now."""
        if bias is None:
            return self.quantizer_w.follow(weight), None
        if hasattr(self, "quantizer_bias"):
            return self.quantizer_w.follow(weight), self.quantizer_bias.follow(bias)
        weight, bias = self.quantizer_w.follow(weight, bias)
        return weight, bias

    def accumulator(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> torch.dtype:
        """The float type for bias + Σ weight·x, a sum for each row of `weight`."""
        quantizers = [self.quantizer_input, self.quantizer_w]
        if bias is not None and hasattr(self, "quantizer_bias"):
            quantizers.append(self.quantizer_bias)

        def bound() -> float:
            x, w, *b = (q.format.fraction for q in quantizers)
            fraction = max((x + w, *b))
            most = float(weight.detach().abs().sum(1).max())
            offset = 0.0 if bias is None else float(bias.detach().abs().max())
            return most * magnitude(self.quantizer_input, fraction) + offset * 2.0**fraction

        return accumulator(x, quantizers, bound)


class Summing(Weighted):
    """A layer that sums its inputs with weights."""

    def computed(self, x: Tensor) -> Tensor:
        """The sums of the layer."""
        weight, bias = self.gridded(self.weight, self.bias)
        dtype = self.accumulator(x, weight.flatten(1), bias)
        return self.summed(x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))

    @abstractmethod
    def summed(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """bias + Σ weight·x."""


class QuantizedLinear(Summing, sj.Linear):  # type: ignore[misc]
    """y = Q(W)·Q(x) + Q(b), quantised; parameters as torch's, and `quant_params`."""

    def __init__(self, *args: Any, quant_params: QuantParams, **more: Any) -> None:
        super().__init__(*args, **more)
        self.prepare(quant_params)

    def summed(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """bias + Σ weight·x."""
        return F.linear(x, weight, bias)


class _Convolution(Summing):
    def __init__(self, *args: Any, quant_params: QuantParams, **more: Any) -> None:
        super().__init__(*args, **more)
        self.prepare(quant_params)

    def summed(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """bias + weight ⋆ x."""
        made: Tensor = self._conv_forward(x, weight, bias)
        return made


class QuantizedConv1d(_Convolution, sj.Conv1d):  # type: ignore[misc]
    """y = Q(W) ⋆ Q(x) + Q(b), quantised; parameters as torch's, and `quant_params`."""


class QuantizedConv2d(_Convolution, sj.Conv2d):  # type: ignore[misc]
    """y = Q(W) ⋆ Q(x) + Q(b), quantised; parameters as torch's, and `quant_params`."""


class QuantizedAdd(nn.Module):
    """The sum of two inputs, each quantised, and quantised itself; any shape."""

    any_axes = True  # a time axis is nothing to it

    def __init__(self, *, quant_params: QuantParams) -> None:
        super().__init__()
        self.quantizer_input_a = Quantizer(quant_params.of("input"), "quantizer_input_a")
        self.quantizer_input_b = Quantizer(quant_params.of("input"), "quantizer_input_b")
        self.quantizer_act = Quantizer(quant_params.of("act"), "quantizer_act")

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """2 × […] → […]."""
        both = self.quantizer_input_a, self.quantizer_input_b

        def bound() -> float:
            fraction = max(q.format.fraction for q in both)
            return sum(magnitude(q, fraction) for q in both)

        a, b = both[0](a), both[1](b)
        dtype = accumulator(a, both, bound)
        return given(self.quantizer_act, a.to(dtype) + b.to(dtype))

    def lower(self, name: str) -> tuple[Layer, ...]:
        """As a layer of the network document."""
        from snn_quantization.documents import document

        return document(self, name)


class QuantizedIdentity(nn.Module):
    """What comes in, quantised with the settings of outputs: where a network begins."""

    any_axes = True

    def __init__(self, *, quant_params: QuantParams) -> None:
        super().__init__()
        self.quantizer_act = Quantizer(quant_params.of("act"), "quantizer_act")

    def forward(self, x: Tensor) -> Tensor:
        """[…] → […]."""
        return given(self.quantizer_act, x)

    @property
    def input_format(self) -> Format | None:
        """What a network document says of its input; RunError where that is not known yet."""
        settings = self.quantizer_act.settings
        return self.quantizer_act.format if settings.quant_enable else None
