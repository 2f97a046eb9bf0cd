"""SMLP, the spiking multilayer perceptron: its parameters and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen
from attrs.validators import ge

from snn_kernel import Shapes, chosen
from snn_models import checks
from snn_models.mlp import MLP, Layered

if TYPE_CHECKING:
    from snn_models.perceptron import SpikingPerceptron


@frozen(kw_only=True)
class SMLP(Layered):
    """A spiking multilayer perceptron.

    The sample flattened, channels first, then for each of `units` a linear layer and neurons, then
    the linear layer to the classes. The output is the sum of the last layer's over the timesteps,
    divided by their number.

    units: sizes of the hidden layers.
    timesteps: how many timesteps a sample is shown.
    neuron: {kind, params}, the neuron after every layer but the last.
    input_shape: of one sample at one timestep, channels last (default: that of the data).
    output_shape: [classes] (default: those of the data).
    """

    example: ClassVar[Mapping[str, Any]] = MLP.example | {
        "timesteps": 4,
        "neuron": {"kind": "IFNode", "params": {"v_reset": False}},
    }

    timesteps: int = field(validator=ge(1))
    neuron: Any = chosen("neuron")

    def build(self, shapes: Shapes, session: Any) -> SpikingPerceptron:
        """The network as a torch module, with random weights; ConfigError where the data has
        another number of timesteps."""
        from snn_framework_spikingjelly.snn import lending
        from snn_models.perceptron import SpikingPerceptron

        checks.timesteps(self, shapes)
        shape, classes = self.input_shape or shapes.input, self.output_shape or shapes.output
        with lending(session.context, session.multi_step):
            return SpikingPerceptron(self, shape, classes)
