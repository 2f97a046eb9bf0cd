"""SCNN and CNN as torch modules."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor, nn

from snn_framework_spikingjelly import layers as ours
from snn_framework_spikingjelly.snn import SNN
from snn_models.cnn import CNN, Convolutional
from snn_models.draft import Draft, through
from snn_models.formal import FormalNetwork
from snn_models.material import Formal, Spiking
from snn_models.scnn import SCNN


class ConvolutionalSNN(SNN):
    """The network that `config` describes; forward takes [N, C, …], or [T, N, C, …] in mode "m".

    input_shape is channels last, output_shape (classes,).
    """

    def __init__(
        self, config: SCNN, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
    ) -> None:
        super().__init__(input_shape, output_shape, config.timesteps, config.neuron)
        draft = _Build(config, Spiking(self), input_shape)
        self.layers = nn.ModuleDict(dict(draft.layers(*output_shape)))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [N, K], or [T, N, K] in mode "m"."""
        return through(self.layers.values(), x)

    def prepend(self, name: str, module: nn.Module) -> None:
        """Put a module before all others."""
        self.layers = nn.ModuleDict({name: module, **self.layers})


class ConvolutionalNetwork(FormalNetwork):
    """The formal network that `config` describes; forward takes [N, C, …]."""

    def __init__(
        self, config: CNN, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
    ) -> None:
        super().__init__(input_shape, output_shape)
        draft = _Build(config, Formal(), input_shape)
        self.layers = nn.ModuleDict(dict(draft.layers(*output_shape)))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [N, K]."""
        return through(self.layers.values(), x)

    def prepend(self, name: str, module: nn.Module) -> None:
        """Put a module before all others."""
        self.layers = nn.ModuleDict({name: module, **self.layers})


class _Build(Draft):
    """The layers of a convolutional network."""

    def __init__(
        self, config: Convolutional, material: Spiking | Formal, input_shape: tuple[int, ...]
    ) -> None:
        super().__init__(type(config).__name__, material, input_shape)
        self.config = config

    def layers(self, classes: int) -> Iterator[tuple[str, nn.Module]]:
        """(name, layer), in order."""
        config = self.config
        yield from self.average("prepool", config.prepool)
        for i in range(len(config.filters)):
            yield from self.block(i)
        yield from self.average("postpool", config.postpool)
        count = len(config.filters)
        if config.gsp:
            yield f"conv{count + 1}", self.conv(f"conv{count + 1}", classes, 1, bias=True)
            yield from self.unit(count + 1)
            yield "gsp", getattr(ours, f"GlobalSumPool{self.dims}d")()
            return
        yield "flatten", self.made("Flatten")
        size = self.channels * math.prod(self.map)
        for i, units in enumerate(config.fc_units):
            yield f"fc{i + 1}", self.made("Linear", size, units)
            yield from self.unit(count + i + 1)
            yield from self.dropout(count + i)
            size = units
        yield f"fc{len(config.fc_units) + 1}", self.made("Linear", size, classes)

    def block(self, i: int) -> Iterator[tuple[str, nn.Module]]:
        """The i-th convolution with what follows it, counted from 0."""
        config, number = self.config, str(i + 1)
        channels, kernel = config.filters[i], config.kernel_sizes[i]
        padding, stride = config.each("paddings")[i], config.each("strides")[i]
        if config.separables and config.separables[i]:
            own, name = self.channels, f"{number}_dw"
            yield from self.activated(name, own, kernel, padding, stride, groups=own)
            yield from self.activated(f"{number}_pw", channels, 1)
        else:
            yield from self.activated(number, channels, kernel, padding, stride)
        yield from self.dropout(i)
        yield from self.maximum(f"maxpool{number}", config.each("pool_sizes")[i])

    def activated(
        self,
        name: str,
        channels: int,
        kernel: int,
        padding: int = 0,
        stride: int = 1,
        groups: int = 1,
    ) -> Iterator[tuple[str, nn.Module]]:
        """Convolution, batch normalisation if asked, neurons or a ReLU."""
        bias = not self.config.batch_norm
        yield (
            f"conv{name}",
            self.conv(f"conv{name}", channels, kernel, padding, stride, groups=groups, bias=bias),
        )
        if self.config.batch_norm:
            yield f"bn{name}", self.made(f"BatchNorm{self.dims}d", channels)
        yield from self.unit(name)

    def dropout(self, i: int) -> Iterator[tuple[str, nn.Module]]:
        """Dropout after the i-th layer, counted from 0, where there is any."""
        if share := self.config.each("dropouts")[i]:
            yield f"dropout{i + 1}", self.made("Dropout", share)
