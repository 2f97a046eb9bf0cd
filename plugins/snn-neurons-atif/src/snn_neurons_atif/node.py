"""ATIF as a torch module."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from attrs import evolve
from spikingjelly.activation_based import base, surrogate
from torch import Tensor, nn

from snn_kernel import NetworkError

if TYPE_CHECKING:
    from snn_kernel.network import Neuron
    from snn_neurons_atif.adaptive_threshold import ATIF


class AdaptiveThresholdNode(base.MemoryModule):  # type: ignore[misc]
    """A population of neurons that share one learnt threshold, the parameter `v_threshold` [1].

    Input and output [N, …] in step mode "s", [T, N, …] in "m". `v` is the potential after the last
    timestep; `reset` sets it to 0.
    """

    def __init__(self, law: ATIF) -> None:
        super().__init__()
        self.law = law
        self.surrogate_function = surrogate.Sigmoid(alpha=float(law.alpha))
        self.v_threshold = nn.Parameter(torch.empty(1).uniform_(*law.bounds))
        self.v: Any
        self.register_memory("v", 0.0)
        self.step_mode = law.step_mode

    def fire(self, u: Tensor, threshold: Tensor) -> Tensor:
        """1 where u ≥ threshold."""
        spikes: Tensor = self.surrogate_function(u - threshold)
        return spikes

    def single_step_forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        """One timestep."""
        out: Tensor
        self.v, out = self.law.step(self.v, x, self.fire, self.v_threshold)
        return out

    def multi_step_forward(self, x_seq: Tensor, *_: Any, **__: Any) -> Tensor:
        """All timesteps, in order."""
        return torch.stack([self.single_step_forward(x) for x in x_seq])

    def lower(self, name: str) -> tuple[Neuron, ...]:
        """The normal form with the learnt threshold; NetworkError if that is no finite number,
        or 0, at which spikes are worth nothing and cannot be told from silence."""
        theta = self.v_threshold.item()
        if theta == 0 or not math.isfinite(theta):
            raise NetworkError(f"layer '{name}': the learnt threshold is {theta}")
        return (evolve(self.law.lower(theta), name=name),)
