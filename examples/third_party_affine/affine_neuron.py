from attrs import frozen

from snn_kernel import Kind, hookimpl
from snn_kernel.network import Neuron


@frozen
class Affine:
    """A neuron with an affine charge u = decay·v + gain·x + bias and a soft reset at 1.

    decay: share of the potential that stays, per timestep (default 0.75).
    gain: what the input is multiplied with (default 1.0).
    bias: what is added at every timestep (default 0.0).
    """

    decay: float = 0.75
    gain: float = 1.0
    bias: float = 0.0

    def step(self, state, current, fire):
        u = self.decay * (0 if state is None else state) + self.gain * current + self.bias
        spikes = fire(u, 1.0)
        return u - spikes, spikes

    def lower(self):
        return Neuron("", 1.0, decay=self.decay, gain=self.gain, bias=self.bias)


@hookimpl
def snnk_neurons():
    return [Kind("Affine", Affine)]
