"""From the layers of a document to calls of kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import define, evolve, field

from snn_codegen.convolution import Variant
from snn_codegen.element import Element, literal
from snn_codegen.elementwise import accepted, add, arranged, each, flatten, normalise
from snn_codegen.firing import fire
from snn_codegen.floats import Floats
from snn_codegen.integers import Integers
from snn_codegen.kernels import kernel
from snn_codegen.pooling import maximum, total
from snn_codegen.program import Program, at
from snn_codegen.tensor import Tensor
from snn_codegen.weighing import weigh
from snn_kernel.network import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Flatten,
    GlobalSum,
    Layer,
    Linear,
    Network,
    NetworkError,
    Neuron,
    Pool,
    Relu,
)

DIMENSIONS = 3  # channels, y and x


@define(eq=False)
class Assembly:
    """A network's program, and the tensors that its layers put out."""

    program: Program
    rates: Mapping[str, float]  # of what is not zero in a layer's input
    convolution: Variant
    lanes: bool  # whether two filters may share a lane
    outputs: list[Tensor] = field(factory=list)  # of each layer
    logits: Element = "i32"
    _made: dict[str, Tensor] = field(factory=dict)

    @classmethod
    def of(
        cls,
        network: Network,
        rates: Mapping[str, float],
        convolution: Variant,
        lanes: bool = False,
    ) -> Assembly:
        """Of a network; NetworkError where C has no kernel for a layer."""
        if faults := list(_faults(network)):
            raise NetworkError("; ".join(faults))
        law = Integers(network) if network.quantised else Floats(network)
        made = cls(Program(network, law), rates, convolution, lanes)
        made._assemble()
        return made

    @property
    def network(self) -> Network:
        """The document."""
        return self.program.network

    @property
    def input(self) -> Tensor:
        """The frame that the caller gives."""
        return self._made[INPUT]

    def _assemble(self) -> None:
        network, program = self.network, self.program
        self._made[INPUT] = evolve(program.law.input(), static=network.mode == "static")
        for index, layer in enumerate(network.layers):
            inputs = [self._made[name] for name in network.inputs(layer.name)]
            formats = getattr(layer, "input_formats", ()) or (None,) * len(inputs)
            pairs = zip(inputs, formats, strict=True)
            given = [accepted(program, index, x, format) for x, format in pairs]
            made = self._layer(index, layer, given)
            self._made[layer.name] = made
            self.outputs.append(made)
        self._read_out(made)

    def _layer(self, index: int, layer: Layer, inputs: list[Tensor]) -> Tensor:
        x, program = inputs[0], self.program
        match layer:
            case Flatten():
                return flatten(program, index, layer, x)
            case Conv() | Linear():
                rate = self.rates.get(layer.name)
                return weigh(program, index, layer, x, self.convolution, rate, self.lanes)
            case BatchNorm():
                return normalise(program, index, layer, arranged(program, index, x))
            case Pool(how="max"):
                return maximum(program, index, layer, arranged(program, index, x))
            case Pool() | GlobalSum():
                return total(program, index, layer, arranged(program, index, x))
            case Add():
                return add(program, index, layer, [arranged(program, index, x) for x in inputs])
            case Relu():
                return each(program, "relu", index, x, program.law.passed(layer.format, x))
            case Neuron():
                return fire(program, index, layer, x)

    def _read_out(self, x: Tensor) -> None:
        last = len(self.network.layers) - 1
        if not x.flat and x.last:
            x = flatten(self.program, last, Flatten(self.network.layers[last].name), x)
        how = self.program.law.logits(x)
        self.logits = how.element
        elements = {"input": x.element, "sum": how.element}
        used = kernel("readout", elements, {"at": at(x, how.element)})
        scale = literal(how.element, how.scales[0])
        self.program.call(last + 1, None, used, x, f"{x.count}u", scale, "state->logits")


def _faults(network: Network) -> Iterator[str]:
    for name, shape in network.shapes.items():
        if len(shape) > DIMENSIONS:
            yield f"layer '{name}': maps of {len(shape) - 1} axes have no kernels in C"
