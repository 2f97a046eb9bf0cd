"""A neuron of one's own in a file beside the experiment; nothing is installed for it."""

from attrs import field, frozen
from attrs.validators import ge, gt


@frozen
class Refractory:
    """An integrate-and-fire neuron that hears nothing for some timesteps after a spike.

    threshold: potential at which it fires, above 0 (default 1.0).
    rest: timesteps after a spike in which its input is lost (default 1).
    """

    threshold: float = field(default=1.0, validator=gt(0))
    rest: int = field(default=1, validator=ge(0))

    def step(self, state, current, fire):
        """One timestep: the new potential and the timesteps of rest left, and the spikes."""
        v, left = (0 * current, 0 * current) if state is None else state
        u = v + current * (left <= 0)
        spikes = fire(u, self.threshold)
        left = spikes * self.rest + (1 - spikes) * (left - 1) * (left > 0)
        return (u - spikes * self.threshold, left), spikes
