"""What a scale should cover: the magnitude that counts as a tensor's largest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

import torch
from torch import Tensor

from snn_quantization.grid import gridded
from snn_quantization.settings import SHIFT_MAX, Range, Settings

CANDIDATES = 400  # widths that MSE_simulation tries, up to the one that clips nothing
FINER_MAX = 8  # by how many bits mse_pot may clip
AT_ONCE = 1 << 22  # elements that a search holds


def minmax(x: Tensor, settings: Settings) -> Tensor:
    """The largest magnitude."""
    low, high = x.aminmax()
    return torch.maximum(-low, high)


def analysed(x: Tensor, settings: Settings) -> Tensor:
    """The width of the clipping that errs least on a Gaussian of the deviation of `x`.

    R. Banner et al., "Post training 4-bit quantization of convolutional networks for rapid-
    deployment", NeurIPS 2019, eq. 6; as documented, the whole width counts as the magnitude.
    """
    return 2 * _clipping(settings.bits) * x.std()


def simulated(x: Tensor, settings: Settings) -> Tensor:
    """The width, of those tried, whose 2^bits equal steps err least on `x`; as documented, the
    whole width counts as the magnitude."""
    widths = 4 * minmax(x, settings) * torch.arange(1, CANDIDATES + 1, device=x.device) / CANDIDATES
    return widths[_best(x, widths / 2**settings.bits, settings)]


def shifted(x: Tensor, settings: Settings) -> Tensor:
    """The largest magnitude times the power of 2 whose fixed-point grid errs least on `x`."""
    shifts = torch.arange(FINER_MAX + 1, device=x.device)
    reaches = torch.ldexp(minmax(x, settings).expand(len(shifts)), -shifts)
    return reaches[_best(x, power(reaches, settings.bits), settings)]


REACHES: Mapping[Range, Callable[[Tensor, Settings], Tensor]] = {
    "minmax": minmax,
    "MSE_analysis": analysed,
    "MSE_simulation": simulated,
    "mse_pot": shifted,
}


def power(reach: Tensor, bits: int) -> Tensor:
    """The scale 2^-f with f = bits - 1 - e, where reach = m·2^e with 0.5 ≤ m < 1, of float32; f
    stays within what `force_q` may be."""
    exponent = torch.frexp(reach).exponent - (bits - 1)
    return torch.ldexp(torch.ones_like(reach), exponent.clamp(-SHIFT_MAX, SHIFT_MAX))


def _best(x: Tensor, scales: Tensor, settings: Settings) -> Tensor:
    """Which of `scales` errs least on `x`; the first of equals. A scale of 0 is as good as any."""
    x, scales = x.flatten(), scales.clamp_min(torch.finfo(scales.dtype).tiny)
    low, high = -(2 ** (settings.bits - 1)), 2 ** (settings.bits - 1) - 1
    errors = [
        (gridded(x, some[:, None], low, high, settings.roundtype) - x).square().mean(dim=1)
        for some in scales.split(max(1, AT_ONCE // x.numel()))
    ]
    return torch.cat(errors).argmin()


@lru_cache
def _clipping(bits: int) -> float:
    """Where to clip a Gaussian of deviation 1: the least of clipping and rounding error.

    The error falls, then rises, so its slope is bisected: with Φ the normal tail,
    error'(a) = 2a·2Φ(a) - 2·√(2/π)·e^(-a²/2) + 2a/(3·4^bits).
    """

    def slope(a: float) -> float:
        tail = a * math.erfc(a / math.sqrt(2)) - math.sqrt(2 / math.pi) * math.exp(-a * a / 2)
        return 2 * tail + 2 * a / (3 * 4**bits)

    low, high = 0.0, 16.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return low
