"""What went in and out of the layers of a network, counted over a data set."""

from __future__ import annotations

from attrs import frozen


@frozen
class Tally:
    """One tensor, counted over a data set: `elements` per sample and timestep, the rest in all;
    `total`, the sum of its values, is the number of spikes where they are small integers."""

    elements: int
    nonzeros: int
    total: float
    binary: bool


@frozen
class Activity:
    """What went into and came out of one layer of a network over a data set."""

    layer: str
    input: Tally
    output: Tally
    samples: int
    timesteps: int

    @property
    def input_rate(self) -> float:
        """Non-zero inputs per element and timestep."""
        return self.input.nonzeros / (self.input.elements * self.samples * self.timesteps)

    @property
    def output_rate(self) -> float:
        """Non-zero outputs (spikes, for a neuron) per element and timestep."""
        return self.output.nonzeros / (self.output.elements * self.samples * self.timesteps)
