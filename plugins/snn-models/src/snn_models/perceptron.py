"""SMLP as a torch module."""

from __future__ import annotations

import math

from spikingjelly.activation_based import layer as sj
from torch import Tensor, nn

from snn_framework_spikingjelly.snn import SNN
from snn_models.smlp import SMLP


class SpikingPerceptron(SNN):
    """The network that `config` describes; forward takes [N, C, …], or [T, N, C, …] in mode "m".

    input_shape is channels last, output_shape (classes,).
    """

    def __init__(
        self, config: SMLP, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
    ) -> None:
        super().__init__(input_shape, output_shape, config.timesteps, config.neuron)
        mode, size = self.step_mode, math.prod(input_shape)
        layers: dict[str, nn.Module] = {"flatten1": sj.Flatten(step_mode=mode)}
        for i, units in enumerate(config.units, 1):
            layers[f"fc{i}"] = sj.Linear(size, units, step_mode=mode)
            layers[f"neuron{i}"] = self.create_neuron()
            size = units
        layers[f"fc{len(config.units) + 1}"] = sj.Linear(size, *output_shape, step_mode=mode)
        self.layers = nn.ModuleDict(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [N, K], or [T, N, K] in mode "m"."""
        for module in self.layers.values():
            x = module(x)
        return x
