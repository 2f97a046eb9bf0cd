"""`Quantizer`: one tensor of a network, put on a grid."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from snn_kernel import RunError
from snn_kernel.network import Format
from snn_quantization.grid import gridded, holding, rounded, valued
from snn_quantization.ranges import REACHES, power
from snn_quantization.settings import Settings

SCALE_MIN = 2.0**-64  # a learnt scale does not fall below it
HALF = 2.0**-0.5


class Quantizer(nn.Module):
    """Puts a tensor on a grid of 2^bits integers times a scale.

    While training, each call first widens the range to what it is given (`observe`); with
    `running` false the range is that of the last call alone. In evaluation it stays. The range and
    a learnt scale are part of the state dict. `name` is what errors call it.

    A learnt scale (LSQ) starts at 2·mean|x|/√(2^(bits-1) - 1): S. Esser et al., "Learned step size
    quantization", ICLR 2020, eq. 1-3.
    """

    def __init__(self, settings: Settings, name: str = "", *, running: bool = True) -> None:
        super().__init__()
        self.settings, self.name, self.running = settings, name, running
        self.low, self.high = -(2 ** (settings.bits - 1)), 2 ** (settings.bits - 1) - 1
        self.range: Tensor
        self.register_buffer("range", torch.tensor([torch.inf, -torch.inf]))
        self.learnt = nn.Parameter(torch.ones(())) if settings.LSQ else None

    def forward(self, x: Tensor, *others: Tensor) -> Any:
        """`x` on the grid, of its shape; with `others`, all of them on one grid, as a tuple.

        RunError if nothing has set the range yet.
        """
        if self.training:
            self.observe(x, *others)
        found = tuple(self.quantise(tensor) for tensor in (x, *others))
        return found if others else found[0]

    @torch.no_grad()
    def observe(self, *tensors: Tensor) -> None:
        """Widen the range to what `tensors` hold, taken together."""
        if not self.settings.quant_enable:
            return
        flat = [t.flatten().float() for t in tensors]
        x = torch.cat(flat) if len(flat) > 1 else flat[0]
        if self.learnt is not None and self.range[1] < self.range[0]:
            start = 2 * x.abs().mean() / self.high**0.5
            self.learnt.copy_(torch.where(start > 0, start, 1.0))
        if self.settings.is_asymmetric:
            found = torch.stack((x.min(), x.max()))
        else:
            reach = REACHES[self.settings.range_setting](x, self.settings)
            found = torch.stack((-reach, reach))
        if self.running:
            low = torch.minimum(self.range[0], found[0])
            found = torch.stack((low, torch.maximum(self.range[1], found[1])))
        self.range.copy_(found)

    def follow(self, *tensors: Tensor) -> Any:
        """Parameters on one grid: unless `running`, that of what they are now, training or not. A
        learnt scale is kept."""
        if self.training or not (self.running or self.settings.LSQ):
            self.observe(*tensors)
        found = tuple(self.quantise(tensor) for tensor in tensors)
        return found if len(found) > 1 else found[0]

    def quantise(self, x: Tensor) -> Tensor:
        """`x` on the grid as it is now; training or not, nothing else changes."""
        if not self.settings.quant_enable:
            return x
        if not self.training:
            self._ready()
            x = x.to(torch.promote_types(x.dtype, holding(self.settings.bits)))
        if self.learnt is not None:
            return self._learnt(x)
        scale = self.scale.to(x.dtype)
        return gridded(x, scale, self.low, self.high, self.settings.roundtype, self._offset)

    @property
    def scale(self) -> Tensor:
        """What an integer is worth, as a tensor without a shape."""
        settings, (low, high) = self.settings, self.range
        if self.learnt is not None:
            return self._step(self.learnt.abs().clamp_min(SCALE_MIN)).detach()
        if settings.fraction is not None:
            return torch.ldexp(torch.ones_like(high), torch.tensor(-settings.fraction))
        if settings.quantype == "fake":
            scale = (high - low) / (2**settings.bits - 1)
        else:
            scale = torch.where(high.isfinite(), power(high, settings.bits), torch.nan)
        return torch.where(high == low, torch.ones_like(scale), scale)

    @property
    def format(self) -> Format:
        """The fixed-point format; RunError where there is none, or none yet."""
        if obstacle := self.settings.obstacle:
            raise RunError(f"quantizer '{self.name}' has no fixed-point format: {obstacle}")
        self._ready()
        fraction = 1 - int(torch.frexp(self.scale.float()).exponent)
        return Format(self.settings.bits, fraction, self.settings.roundtype)

    @property
    def _offset(self) -> Tensor | None:
        """By what the clamp of an asymmetric range is shifted: its end nearer to 0, in integers,
        as the documented system was seen to do."""
        low, high = self.range
        return torch.where(high <= -low, high, low) if self.settings.is_asymmetric else None

    def _ready(self) -> None:
        if self.settings.fraction is not None and self.learnt is None:
            return
        low, high = self.range.tolist()
        if high < low:
            raise RunError(
                f"quantizer '{self.name}' has no range yet: train the model, or show it samples in "
                "training mode, before it is evaluated"
            )
        if not low > -torch.inf or not high < torch.inf:
            raise RunError(
                f"quantizer '{self.name}' has the range {low} to {high}: training diverged"
            )

    def _learnt(self, x: Tensor) -> Tensor:
        """Learned step size quantisation, with the gradient of the scale scaled down."""
        assert self.learnt is not None
        gain = 1.0 / (self.high * x.numel()) ** 0.5
        size = self.learnt.abs().clamp_min(SCALE_MIN)
        size = size.detach() + gain * (size - size.detach())
        scale = self._step(size).to(x.dtype)
        steps = (x / scale).clamp(self.low, self.high)
        if self.settings.LSQ_scale == "real":
            made = torch.round(steps)
        else:
            made = rounded(steps, self.settings.roundtype)
        return valued(made, steps) * scale

    def _step(self, size: Tensor) -> Tensor:
        """The scale that is used: `size`, or the power of 2 next to it in the logarithm."""
        if self.settings.LSQ_scale == "real":
            return size
        mantissa, exponent = torch.frexp(size.detach())
        nearest = torch.ldexp(torch.ones_like(mantissa), exponent - (mantissa < HALF).int())
        return valued(nearest, size * (nearest / size.detach()))


def name(model: nn.Module) -> None:
    """Call the quantisers of `model` by where they stand in it, for errors."""
    for path, module in model.named_modules():
        if isinstance(module, Quantizer):
            module.name = path
