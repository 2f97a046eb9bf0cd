"""Layers that neither torch nor SpikingJelly has."""

from __future__ import annotations

import torch
from torch import nn

from snn_kernel import network


class _GlobalSumPool(nn.Module):
    axes: tuple[int, ...]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum over all positions."""
        return x.sum(dim=self.axes)

    def lower(self, name: str) -> tuple[network.Layer, ...]:
        """As a layer of the network document."""
        return (network.GlobalSum(name),)


class GlobalSumPool1d(_GlobalSumPool):
    """[…, C, L] → […, C]."""

    axes = (-1,)


class GlobalSumPool2d(_GlobalSumPool):
    """[…, C, H, W] → […, C]."""

    axes = (-2, -1)


class Add(nn.Module):
    """The sum of its inputs, in order."""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """n × […] → […]."""
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total

    def lower(self, name: str) -> tuple[network.Layer, ...]:
        """As a layer of the network document."""
        return (network.Add(name),)
