"""SCNN, the spiking convolutional network: its parameters and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen
from attrs.validators import ge

from snn_kernel import Shapes, chosen
from snn_models import checks
from snn_models.cnn import CNN, Convolutional

if TYPE_CHECKING:
    from snn_models.convolutional import ConvolutionalSNN


@frozen(kw_only=True)
class SCNN(Convolutional):
    """A spiking convolutional network.

    For each of `filters`: convolution, batch normalisation if asked, neuron, dropout, max-pool;
    then average pooling, and linear layers with neurons between them. The output is the sum of the
    last layer's over the timesteps, divided by their number.

    filters: channels of each convolution.
    kernel_sizes: kernel size of each convolution.
    neuron: {kind, params}, the neuron after every layer but the last.
    paddings: padding of the convolutions, one number or one for each (default 0).
    strides: stride of the convolutions, one number or one for each (default 1).
    pool_sizes: window and stride of the max-pool after each convolution, 0 for none (default 0).
    dropouts: share dropped in training after each neuron, one number or one for each of filters and
        fc_units (default 0).
    fc_units: sizes of the linear layers before the last (default none).
    separables: for each convolution, whether it is one per channel and one of size 1 across
        (default none).
    batch_norm: normalise after each convolution, which then has no bias (default false).
    prepool: average pooling of the input, one number or one for each dimension (default 1).
    postpool: average pooling before the linear layers, likewise (default 1).
    gsp: instead of linear layers, a convolution of size 1 to the classes, neurons and the sum over
        all positions (default false).
    timesteps: how many timesteps a sample is shown (default 4).
    dims: 1 or 2 spatial dimensions (default: those of the data).
    input_shape: of one sample at one timestep, channels last (default: that of the data).
    output_shape: [classes] (default: those of the data).
    """

    example: ClassVar[Mapping[str, Any]] = CNN.example | {
        "neuron": {"kind": "IFNode", "params": {"v_reset": False}},
    }

    neuron: Any = chosen("neuron")
    timesteps: int = field(default=4, validator=ge(1))

    def build(self, shapes: Shapes, session: Any) -> ConvolutionalSNN:
        """The network as a torch module, with random weights; ConfigError where it does not fit
        the data."""
        from snn_framework_spikingjelly.snn import lending
        from snn_models.convolutional import ConvolutionalSNN

        shape, classes = checks.spatial(self, shapes), self.output_shape or shapes.output
        with lending(session.context, session.multi_step):
            return ConvolutionalSNN(self, shape, classes)
