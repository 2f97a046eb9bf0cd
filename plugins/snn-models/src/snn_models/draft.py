"""A network while its layers are being made: what is left of its channels and of its map."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn

from snn_kernel import ConfigError, Fault
from snn_models.material import Formal, Spiking


class Draft:
    """Makes layers one after another, for the channels and the map that the last one left.

    `input_shape` is channels last. `kind` is the model's name in messages, `within` what stands
    there before a layer's name.
    """

    def __init__(self, kind: str, material: Spiking | Formal, input_shape: tuple[int, ...]) -> None:
        self.kind, self.material, self.within = kind, material, ""
        self.map: tuple[int, ...]
        *sizes, self.channels = input_shape
        self.map, self.dims = tuple(sizes), len(sizes)

    def conv(
        self, name: str, channels: int, kernel: int, padding: int = 0, stride: int = 1, **more: Any
    ) -> nn.Module:
        """A convolution of the channels so far."""
        self.shrink(name, (kernel,) * self.dims, (stride,) * self.dims, padding)
        before, self.channels = self.channels, channels
        sizes = {"padding": padding, "stride": stride}
        return self.made(f"Conv{self.dims}d", before, channels, kernel, **sizes, **more)

    def maximum(self, name: str, size: int) -> Iterator[tuple[str, nn.Module]]:
        """Max-pooling, where it is more than one position."""
        if size > 1:
            self.shrink(name, (size,) * self.dims, (size,) * self.dims)
            yield name, self.made(f"MaxPool{self.dims}d", size)

    def average(self, name: str, size: int | tuple[int, ...]) -> Iterator[tuple[str, nn.Module]]:
        """Average pooling, where it is more than one position."""
        sizes = size if isinstance(size, tuple) else (size,) * self.dims
        if len(sizes) != self.dims:
            what = f"{name} has {len(sizes)} numbers, the data has {self.dims} dimensions"
            raise ConfigError(Fault(self.kind, what))
        if math.prod(sizes) > 1:
            self.shrink(name, sizes, sizes)
            yield name, self.made(f"AvgPool{self.dims}d", sizes)

    def shrink(
        self, name: str, sizes: tuple[int, ...], strides: tuple[int, ...], padding: int = 0
    ) -> None:
        """Keep account of the map; ConfigError where `name` leaves nothing of it."""
        found = tuple(
            (n + 2 * padding - k) // s + 1 for n, k, s in zip(self.map, sizes, strides, strict=True)
        )
        if min(found) < 1:
            layer = f"{self.within}{name}, of size {shown(sizes)}"
            what = f"{layer}, leaves nothing of a map of {shown(self.map)}"
            hint = "fewer or smaller pools, strides and kernels, or larger paddings"
            raise ConfigError(Fault(self.kind, what, hint=hint))
        self.map = found

    def made(self, kind: str, *args: Any, **more: Any) -> nn.Module:
        """A layer by the name that it has in torch."""
        return self.material.layer(kind, *args, **more)

    def unit(self, suffix: str | int) -> Iterator[tuple[str, nn.Module]]:
        """What stands behind a layer with weights: neurons, or a ReLU."""
        yield f"{self.material.unit}{suffix}", self.material.activation()


def through(modules: Iterable[nn.Module], x: Tensor) -> Tensor:
    """What comes out of `modules`, one after another."""
    for module in modules:
        x = module(x)
    return x


def shown(sizes: tuple[int, ...]) -> str:
    """Sizes as text: 3×3."""
    return "×".join(map(str, sizes))
