"""`FormalNetwork`, the class that models without neurons inherit from."""

from __future__ import annotations

from torch import nn


class FormalNetwork(nn.Module):
    """A model without neurons, which computes with numbers: forward takes [N, C, …].

    input_shape: of one sample, channels last; `model.input_shape` has the one timestep before it.
    output_shape: (classes,).
    """

    is_snn = False
    timesteps = 1

    def __init__(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.input_shape = (self.timesteps, *input_shape)
        self.output_shape = tuple(output_shape)
