from attrs import frozen

from snn_kernel import Kind, hookimpl


@frozen
class TiringLIF:
    """A leaky neuron that tires: each spike raises its threshold for a while.

    decay: share of the potential that stays, per timestep (default 0.9).
    recovery: share of the tiredness that stays, per timestep (default 0.8).
    rise: by how much one spike raises the threshold of 1 (default 0.2).
    """

    decay: float = 0.9
    recovery: float = 0.8
    rise: float = 0.2

    def step(self, state, current, fire):
        v, tired = (0 * current, 0 * current) if state is None else state
        u, threshold = self.decay * v + current, 1 + self.rise * tired
        spikes = fire(u, threshold)
        return (u - spikes * threshold, self.recovery * tired + spikes), spikes


@hookimpl
def snnk_neurons():
    return [Kind("TiringLIF", TiringLIF)]
