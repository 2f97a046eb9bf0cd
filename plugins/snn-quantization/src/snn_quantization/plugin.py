"""What snn-quantization offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl
from snn_quantization.awareness import QuantizationAwareTraining
from snn_quantization.kinds import NEEDS, QuantizedNeurons
from snn_quantization.models import QuantizedModels


@hookimpl
def snnk_catalogues() -> Iterable[Kind]:
    """The quantised form of every installed neuron kind with a normal form, and of every spiking
    model."""
    return [
        Kind("QuantizedNeurons", QuantizedNeurons, NEEDS),
        Kind("QuantizedModels", QuantizedModels, NEEDS),
    ]


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """Quantisation of a trained model, with and without training on."""
    return [Kind("QuantizationAwareTraining", QuantizationAwareTraining, NEEDS)]
