"""What snn-quantization offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl

NEEDS = ("torch", "spikingjelly")


@hookimpl
def snnk_catalogues() -> Iterable[Kind]:
    """The quantised form of every installed neuron kind with a normal form, and of every spiking
    model."""
    return [
        Kind("QuantizedNeurons", "snn_quantization.kinds:QuantizedNeurons", NEEDS),
        Kind("QuantizedModels", "snn_quantization.models:QuantizedModels", NEEDS),
    ]


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """Quantisation of a trained model, with and without training on."""
    return [
        Kind(
            "QuantizationAwareTraining",
            "snn_quantization.awareness:QuantizationAwareTraining",
            NEEDS,
        )
    ]
