"""Any neuron kind as a SpikingJelly module, from its law alone."""

from __future__ import annotations

from typing import Any

import torch
from attrs import evolve
from spikingjelly.activation_based import base, surrogate

from snn_kernel import NetworkError
from snn_kernel.network import Layer


class GenericNeuron(base.MemoryModule):  # type: ignore[misc]
    """A population of neurons that follow `config.step`, with a sigmoid surrogate of slope 4.

    Input and output [N, …] in step mode "s", [T, N, …] in "m". `reset` forgets the state.
    """

    def __init__(self, config: Any, step_mode: str = "s") -> None:
        super().__init__()
        self.config = config
        self.surrogate_function = surrogate.Sigmoid(alpha=4.0)
        self.state: Any
        self.register_memory("state", None)
        self.step_mode = step_mode

    def fire(self, u: Any, threshold: Any) -> torch.Tensor:
        """1 where u ≥ threshold."""
        spikes: torch.Tensor = self.surrogate_function(u - threshold)
        return spikes

    def single_step_forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """One timestep."""
        self.state, spikes = self.config.step(self.state, x, self.fire)
        return spikes  # type: ignore[no-any-return]

    def multi_step_forward(self, x_seq: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """All timesteps, in order."""
        return torch.stack([self.single_step_forward(x) for x in x_seq])

    def lower(self, name: str) -> tuple[Layer, ...]:
        """The normal form of the neuron kind; NetworkError if it has none."""
        if not hasattr(self.config, "lower"):
            kind = type(self.config).__name__
            raise NetworkError(f"layer '{name}': neuron {kind} has no normal form (no 'lower')")
        return (evolve(self.config.lower(), name=name),)
