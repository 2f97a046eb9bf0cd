"""What the layers of a network are made of, and what stands behind those with weights."""

from __future__ import annotations

from typing import Any

from spikingjelly.activation_based import layer as sj
from torch import nn

from snn_framework_spikingjelly.snn import SNN


class Spiking:
    """SpikingJelly's layers in the step mode of `model`, and the model's neurons behind them."""

    unit = "neuron"  # what stands behind a layer, as its name begins
    sums_last = True  # a residual block adds what its units put out; else a unit follows the sum

    def __init__(self, model: SNN) -> None:
        self.model = model

    def layer(self, kind: str, *args: Any, **more: Any) -> nn.Module:
        """A layer by the name that it has in torch."""
        module: nn.Module = getattr(sj, kind)(*args, **more, step_mode=self.model.step_mode)
        return module

    def activation(self) -> nn.Module:
        """One more unit."""
        return self.model.create_neuron()


class Formal:
    """Torch's layers, and ReLU behind them."""

    unit = "relu"
    sums_last = False

    def layer(self, kind: str, *args: Any, **more: Any) -> nn.Module:
        """A layer by the name that it has in torch."""
        module: nn.Module = getattr(nn, kind)(*args, **more)
        return module

    def activation(self) -> nn.Module:
        """One more unit."""
        return nn.ReLU()
