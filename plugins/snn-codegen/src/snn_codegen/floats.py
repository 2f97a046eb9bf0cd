"""The law of networks that are not quantised: floats, and one order of rounding.

A document is made so that no sum rounds in its accumulator (docs/decisions/0003); what does round
does so in the order that the document states, and the kernels keep to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_codegen.element import Element, literal
from snn_codegen.kernels import kernel
from snn_codegen.law import Finish, Population, Sum
from snn_codegen.tensor import Tensor, as_map
from snn_kernel.network import (
    Add,
    BatchNorm,
    Conv,
    Format,
    GlobalSum,
    Linear,
    Network,
    NetworkError,
    Neuron,
    Pool,
)
from snn_network.bounds import weights

SUMS: dict[str, Element] = {"float32": "f32", "float64": "f64"}


@frozen
class Floats:
    """A network of floats."""

    network: Network

    def input(self) -> Tensor:
        """Numbers, on the grid of the input format if there is one."""
        return Tensor("f32", as_map(self.network.input_shape), False)

    def accepted(self, x: Tensor, format: Format | None) -> Tensor | Sum:
        """As it is; only quantised networks have formats of inputs."""
        if format is not None:
            raise NetworkError("an input has a format, but the network is not quantised")
        return x

    def weighted(self, layer: Conv | Linear | BatchNorm, x: Tensor) -> Sum:
        """B + ΣW·X in the layer's accumulator; of a normalisation, product and sum round apart."""
        element: Element = "f32" if isinstance(layer, BatchNorm) else SUMS[layer.accumulator]
        weight, bias = weights(layer)
        shift: NDArray[Any] = np.zeros(len(weight)) if bias is None else bias
        tables: tuple[tuple[Element, NDArray[Any]], ...] = (("f32", weight), (element, shift))
        return Sum(element, (self._unit(x),), _finish(element, layer.format), tables=tables)

    def pooled(self, layer: Pool | GlobalSum, x: Tensor, count: int) -> Sum:
        """Sums in the layer's accumulator, for an average divided there."""
        element = SUMS[layer.accumulator]
        share = count if isinstance(layer, Pool) and layer.how == "avg" else 1
        return Sum(element, (self._unit(x),), _finish(element, layer.format), share)

    def added(self, layer: Add, inputs: list[Tensor], last: bool) -> Sum:
        """In float32, in the order of the edges."""
        scales = tuple(self._unit(x) for x in inputs)
        return Sum("f32", scales, _finish("f32", layer.format if last else None))

    def passed(self, format: Format | None, x: Tensor) -> Sum:
        """As they are, or on a grid."""
        return Sum("f32", (self._unit(x),), _finish("f32", format))

    def charged(self, layer: Neuron, x: Tensor) -> Population:
        """In float32 and the order of operations that the document names."""
        gain = layer.gain if layer.charge == "normal" else 1.0
        numbers = [layer.decay, float(np.float32(gain) * np.float32(self._unit(x))), layer.bias]
        numbers += [layer.threshold, layer.value, layer.tau, layer.rest]
        texts = ", ".join(literal("f32", float(np.float32(n))) for n in numbers)
        if layer.format is not None:
            raise NetworkError(f"layer '{layer.name}': a format, but the network is not quantised")
        stem = f"charge_{layer.charge}"
        state = _finish("f32", None)
        return Population(
            "f32", stem, f"{{ {texts} }}", state, layer.start, float(np.float32(layer.payload))
        )

    def logits(self, x: Tensor) -> Sum:
        """The sum over the timesteps in float32, in order."""
        return Sum("f32", (self._unit(x),), _finish("f32", None))

    def _unit(self, x: Tensor) -> float:
        return x.value if x.element == "bits" else 1.0


def _finish(element: Element, format: Format | None) -> Finish:
    elements: dict[str, Element] = {"sum": element, "output": "f32"}
    if format is None:
        return Finish(kernel("finish_keep", elements, types={"format": "grid_format"}), "", "f32")
    stem = f"finish_grid_{format.rounding}"
    made = kernel(stem, elements, types={"format": "grid_format"})
    high = 2.0 ** (format.bits - 1)
    numbers: tuple[Any, ...] = (2.0**-format.fraction, 2.0**format.fraction, -high, high - 1)
    return Finish(made, "{ " + ", ".join(literal("f64", n) for n in numbers) + " }", "f32")
