"""Integrate-and-fire neurons in torch, as event-driven chips have them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class IAF(nn.Module):
    """v += x; floor(v / spike_threshold) spikes, none where v < 0; v -= spikes · spike_threshold;
    v = max(v, min_v).

    It takes [batch_size · T, …], the timesteps of a sample one after another, and gives as many
    spikes as each neuron fired. The state is kept until `reset`. min_v None: unbounded.
    """

    def __init__(
        self, spike_threshold: float = 1.0, min_v: float | None = -1.0, batch_size: int = 1
    ) -> None:
        super().__init__()
        self.spike_threshold = spike_threshold
        self.min_v = min_v
        self.batch_size = batch_size
        self.v: Tensor | None = None

    def reset(self) -> None:
        """Back to rest."""
        self.v = None

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of every timestep, in the shape of `x`."""
        steps = x.unflatten(0, (self.batch_size, -1)).unbind(1)
        v = torch.zeros_like(steps[0]) if self.v is None else self.v
        spikes = []
        for step in steps:
            v = v + step
            fired = torch.clamp(torch.floor(v / self.spike_threshold), min=0)
            v = v - fired * self.spike_threshold
            if self.min_v is not None:
                v = torch.clamp(v, min=self.min_v)
            spikes.append(fired)
        self.v = v.detach()
        return torch.stack(spikes, 1).flatten(0, 1)
