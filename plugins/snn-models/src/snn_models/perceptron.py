"""SMLP and MLP as torch modules."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from torch import Tensor, nn

from snn_framework_spikingjelly.snn import SNN
from snn_models.draft import through
from snn_models.formal import FormalNetwork
from snn_models.material import Formal, Spiking
from snn_models.mlp import MLP
from snn_models.smlp import SMLP


class SpikingPerceptron(SNN):
    """The network that `config` describes; forward takes [N, C, …], or [T, N, C, …] in mode "m".

    input_shape is channels last, output_shape (classes,).
    """

    def __init__(
        self, config: SMLP, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
    ) -> None:
        super().__init__(input_shape, output_shape, config.timesteps, config.neuron)
        sizes = (math.prod(input_shape), *config.units, *output_shape)
        self.layers = nn.ModuleDict(dict(_layers(Spiking(self), sizes)))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [N, K], or [T, N, K] in mode "m"."""
        return through(self.layers.values(), x)


class Perceptron(FormalNetwork):
    """The formal network that `config` describes; forward takes [N, C, …]."""

    def __init__(
        self, config: MLP, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
    ) -> None:
        super().__init__(input_shape, output_shape)
        sizes = (math.prod(input_shape), *config.units, *output_shape)
        self.layers = nn.ModuleDict(dict(_layers(Formal(), sizes)))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [N, K]."""
        return through(self.layers.values(), x)


def _layers(material: Spiking | Formal, sizes: tuple[int, ...]) -> Iterator[tuple[str, nn.Module]]:
    """(name, layer), in order; `sizes` are those of all tensors, first to last."""
    yield "flatten1", material.layer("Flatten")
    for i, (before, after) in enumerate(itertools.pairwise(sizes), 1):
        yield f"fc{i}", material.layer("Linear", before, after)
        if i < len(sizes) - 1:
            yield f"{material.unit}{i}", material.activation()
