"""A model over its timesteps: how samples go in, and how outputs are read."""

from __future__ import annotations

from collections.abc import Callable

import torch
from attrs import frozen
from spikingjelly.activation_based import functional
from torch import Tensor, nn


@frozen
class Rollout:
    """`multi_step`: all timesteps in one call; `timed`: the samples have timesteps of their own."""

    multi_step: bool
    timed: bool

    def __call__(
        self, model: nn.Module, x: Tensor, timesteps: int, call: Callable[..., Tensor] | None = None
    ) -> Tensor:
        """Outputs [T, N, K] for x [N, C, …], or [N, T, C, …] if timed, from reset neurons.

        `call`, the model by default, is what is called with the input.
        """
        functional.reset_net(model)
        run = call or model
        if self.multi_step:
            steps = x.transpose(0, 1) if self.timed else x.expand(timesteps, *x.shape)
            outputs: Tensor = run(steps)
            return outputs
        return torch.stack([run(x[:, t] if self.timed else x) for t in range(timesteps)])


def readout(outputs: Tensor, quantised: bool = False) -> Tensor:
    """Logits [N, K] of outputs [T, N, K]: their sum over time, in order, divided by T; of a
    quantised network in float64, where the sum is exact, and rounded once."""
    total = outputs[0].double() if quantised else outputs[0]
    for step in outputs[1:]:
        total = total + step
    total = total / len(outputs)
    return total.float() if quantised else total
