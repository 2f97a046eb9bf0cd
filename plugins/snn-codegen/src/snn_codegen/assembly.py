"""From the layers of a document to calls of kernels: the program that generated C is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from snn_codegen.convolution import Variant, arranged, doubled, paired, variant
from snn_codegen.element import Element, literal
from snn_codegen.floats import Floats
from snn_codegen.integers import Integers
from snn_codegen.kernels import Kernel, kernel
from snn_codegen.law import Finish, Law, Sum
from snn_codegen.tensor import Tensor, as_map, as_pair
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
    Shape,
)

DIMENSIONS = 3  # channels, y and x
CLIPPED = {"clipped": kernel("clipped")}


@frozen(eq=False)
class Call:
    """One call of a kernel: arguments are C, or tensors whose place is not known yet. `layer`
    is the index of the layer that it is part of."""

    kernel: Kernel
    arguments: tuple[str | Tensor, ...]
    made: Tensor | None
    layer: int

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor that it reads or writes."""
        return tuple(a for a in self.arguments if isinstance(a, Tensor))

    @property
    def static(self) -> bool:
        """Whether it makes the same at every timestep."""
        return self.made is not None and self.made.static


@frozen(eq=False)
class Table:
    """A constant array."""

    name: str
    element: Element
    values: NDArray[Any]


@frozen(eq=False)
class Potentials:
    """The membrane potentials of a population, and what they start at."""

    name: str
    element: Element
    count: int
    start: float


@define(eq=False)
class Assembly:
    """The calls of one timestep in order, with the constants that they refer to."""

    network: Network
    rates: Mapping[str, float] = field(factory=dict)  # of what is not zero in a layer's input
    convolution: Variant = "auto"
    lanes: bool = False  # whether two filters may share a lane
    calls: list[Call] = field(factory=list)
    tables: list[Table] = field(factory=list)
    constants: dict[str, str] = field(factory=dict)  # name → definition of a structure
    potentials: list[Potentials] = field(factory=list)
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
        """The program of a network; NetworkError where C has no kernel for a layer."""
        made = cls(network, rates, convolution, lanes)
        if faults := list(made._faults()):
            raise NetworkError("; ".join(faults))
        made._assemble()
        return made

    @property
    def law(self) -> Law:
        """By which arithmetic it computes."""
        return Integers(self.network) if self.network.quantised else Floats(self.network)

    @property
    def input(self) -> Tensor:
        """The frame that the caller gives."""
        return self._made[INPUT]

    def _faults(self) -> Any:
        for name, shape in self.network.shapes.items():
            if len(shape) > DIMENSIONS:
                yield f"layer '{name}': maps of {len(shape) - 1} axes have no kernels in C"

    def _assemble(self) -> None:
        static = self.network.mode == "static"
        frame = evolve(self.law.input(), static=static)
        self._made[INPUT] = frame
        for index, layer in enumerate(self.network.layers):
            inputs = [self._made[name] for name in self.network.inputs(layer.name)]
            formats = getattr(layer, "input_formats", ()) or (None,) * len(inputs)
            pairs = zip(inputs, formats, strict=True)
            accepted = [self._accepted(index, x, format) for x, format in pairs]
            made = self._layer(index, layer, accepted)
            self._made[layer.name] = made
            self.outputs.append(made)
        self._read_out(made)

    def _accepted(self, index: int, x: Tensor, format: Any) -> Tensor:
        """`x` in the format that a layer asks for."""
        found = self.law.accepted(x, format)
        if isinstance(found, Tensor):
            return found
        return self._each("rescale", index, x, found)

    def _layer(self, index: int, layer: Layer, inputs: list[Tensor]) -> Tensor:
        x = inputs[0]
        match layer:
            case Flatten():
                return self._flatten(index, layer, x)
            case Conv() | Linear():
                return self._weigh(index, layer, x)
            case BatchNorm():
                return self._normalise(index, layer, self._arranged(index, x))
            case Pool(how="max"):
                return self._maximum(index, layer, self._arranged(index, x))
            case Pool() | GlobalSum():
                return self._sum(index, layer, self._arranged(index, x))
            case Add():
                return self._add(index, layer, [self._arranged(index, x) for x in inputs])
            case Relu():
                return self._each("relu", index, x, self.law.passed(layer, x))
            case Neuron():
                return self._fire(index, layer, x)

    # What kernels are called with

    def _call(
        self, index: int, made: Tensor | None, kernel: Kernel, *arguments: str | Tensor
    ) -> Tensor:
        self.calls.append(Call(kernel, arguments, made, index))
        return made  # type: ignore[return-value]

    def _constant(self, kind: str, index: int, struct: str, text: str) -> str:
        """The address of a constant structure; "" is none."""
        if not text:
            return "NULL"
        name = f"{kind}_{index}"
        number = 2
        while self.constants.get(name, f"static const {struct} {name} = {text};") != (
            f"static const {struct} {name} = {text};"
        ):
            name, number = f"{kind}_{index}_{number}", number + 1
        self.constants[name] = f"static const {struct} {name} = {text};"
        return f"&{name}"

    def _format(self, index: int, finish: Finish) -> str:
        return self._constant("format", index, finish.struct, finish.constants)

    def _table(self, name: str, element: Element, values: NDArray[Any]) -> str:
        self.tables.append(Table(name, element, values))
        return name

    def _out(self, x: Tensor, finish: Finish, shape: Any, last: bool = True) -> Tensor:
        """A tensor to be: what `finish` makes, of `shape`."""
        bits = finish.bits or (x.bits if finish.element == x.element else 0)
        given = (finish.element, shape, last, finish.fraction, finish.peak, bits)
        return Tensor(*given, static=x.static)

    def _at(self, x: Tensor, element: Element) -> Kernel:
        stem = "at_bits" if x.element == "bits" else "at_values"
        return kernel(stem, {"input": x.element, "sum": element})

    # Layers

    def _each(self, stem: str, index: int, x: Tensor, how: Sum) -> Tensor:
        """A kernel that treats each element alike."""
        made = self._out(x, how.finish, x.shape, x.last)
        elements = {"input": x.element, "sum": how.element, "output": made.element}
        calls = {"at": self._at(x, how.element), "finish": how.finish.kernel}
        used = kernel(stem, elements, calls, {"format": how.finish.struct})
        scale, format = literal(how.element, how.scales[0]), self._format(index, how.finish)
        return self._call(index, made, used, x, f"{x.count}u", scale, made, format)

    def _expanded(self, index: int, x: Tensor) -> Tensor:
        """Spikes as values."""
        if x.element != "bits":
            return x
        relu = Relu("")  # a layer that has no format
        return self._each("rescale", index, x, self.law.passed(relu, x))

    def _arranged(self, index: int, x: Tensor) -> Tensor:
        """`x` with channels last."""
        if x.last or x.flat:
            return x
        x = self._expanded(index, x)
        made = evolve(x, last=True, storage=object())
        used = kernel("channels_last", {"input": x.element, "output": x.element})
        sizes = (f"{x.shape[0]}u", f"{x.shape[1] * x.shape[2]}u")
        return self._call(index, made, used, x, *sizes, made)

    def _flatten(self, index: int, layer: Flatten, x: Tensor) -> Tensor:
        """Free where only linear layers read it, whose weights are then in the order of the map."""
        readers = [b for a, b in self.network.edges if a == layer.name]
        kinds = {one.name: one for one in self.network.layers}
        linear = readers and all(isinstance(kinds[name], Linear) for name in readers)
        if x.flat or not x.last:
            return evolve(x, shape=(x.count, 1, 1), last=True)
        if linear:
            return x
        x = self._expanded(index, x)
        made = evolve(x, shape=(x.count, 1, 1), last=True, storage=object())
        used = kernel("channels_first", {"input": x.element, "output": x.element})
        sizes = (f"{x.shape[0]}u", f"{x.shape[1] * x.shape[2]}u")
        return self._call(index, made, used, x, *sizes, made)

    def _weigh(self, index: int, layer: Conv | Linear, x: Tensor) -> Tensor:
        if isinstance(layer, Linear):
            layer, x = _as_convolution(layer, x)
        x = self._arranged(index, x)
        how = self.law.weighted(layer, x)
        shape = as_map(self.network.shapes[self.network.layers[index].name])
        chosen = variant(self.convolution, layer, x, shape, self.rates.get(layer.name))
        made = self._out(x, how.finish, shape)
        (element, weight), (own, bias) = how.tables
        double = self.lanes and chosen != "dense" and doubled(weight, x)
        weight, lane = arranged(chosen, weight, layer.groups), own
        if double:
            weight, element, lane = paired(weight), "lanes", "lanes"
        weights = self._table(f"weights_{index}", element, weight)
        biases = self._table(f"bias_{index}", own, bias)
        geometry = self._geometry(index, x, shape, layer, layer.groups)
        elements = {"input": x.element, "weight": element, "sum": own, "output": made.element}
        calls = self._summing(chosen, x, element, lane) | {"finish": how.finish.kernel}
        if chosen != "dense":
            elements["lane"] = lane
            calls |= _lanes(own, lane)
        if chosen != "scatter":
            calls |= CLIPPED
        used = kernel(f"conv_{chosen}", elements, calls, {"format": how.finish.struct})
        scale, format = literal(own, how.scales[0]), self._format(index, how.finish)
        wide = -(-shape[0] // layer.groups // (2 if double else 1))
        everywhere = (wide * layer.groups, *shape[1:])
        room = {"gather": (wide, 1, 1), "scatter": everywhere}.get(chosen)
        sums = () if room is None else (Tensor(lane, room, static=x.static),)
        given = (geometry, x, weights, biases, scale, *sums, made, format)
        return self._call(index, made, used, *given)

    def _summing(
        self, chosen: str, x: Tensor, weight: Element, total: Element
    ) -> dict[str, Kernel]:
        """The kernels that a variant leaves open."""
        if chosen == "dense":
            return {"at": self._at(x, total)}
        bits = x.element == "bits"
        types = {"input": x.element, "weight": weight, "sum": total}
        if bits:
            how = "double" if total == "lanes" else "single"
            row = kernel(f"row_{how}", {"weight": weight, "sum": total})
            calls = {"first_bit": kernel("first_bit"), "row": row}
            found = {"sum": kernel("sum_bits", types, calls)}
        else:
            found = {"sum": kernel("sum_values", types)}
        if chosen == "scatter":
            found["any"] = kernel("any_bits" if bits else "any_values", {"input": x.element})
        return found

    def _geometry(self, index: int, x: Tensor, shape: Any, windows: Any, groups: int = 1) -> str:
        channels, height, width = x.shape
        filters, rows, columns = shape
        size = windows.weight.shape[2:] if hasattr(windows, "weight") else windows.size
        sizes = (as_pair(size), as_pair(windows.stride), as_pair(windows.padding, 0))
        numbers = [height, width, channels, rows, columns, filters]
        numbers += [n for pair in sizes for n in pair] + [groups]
        text = "{ " + ", ".join(f"{n}u" for n in numbers) + " }"
        return self._constant("geometry", index, "geometry", text)

    def _normalise(self, index: int, layer: BatchNorm, x: Tensor) -> Tensor:
        how = self.law.weighted(layer, x)
        made = self._out(x, how.finish, x.shape)
        (element, factors), (own, shifts) = how.tables
        elements = {"input": x.element, "weight": element, "sum": own, "output": made.element}
        calls = {"at": self._at(x, own), "finish": how.finish.kernel}
        used = kernel("norm", elements, calls, {"format": how.finish.struct})
        sizes = (f"{x.shape[1] * x.shape[2]}u", f"{x.shape[0]}u", literal(own, how.scales[0]))
        names = (f"factors_{index}", f"shifts_{index}")
        found = (self._table(names[0], element, factors), self._table(names[1], own, shifts))
        format = self._format(index, how.finish)
        return self._call(index, made, used, x, *sizes, *found, made, format)

    def _maximum(self, index: int, layer: Pool, x: Tensor) -> Tensor:
        shape = as_map(self.network.shapes[layer.name])
        geometry = self._geometry(index, x, shape, layer)
        if x.element == "bits" and x.value >= 0:
            made = evolve(x, shape=shape, storage=object())
            self._call(index, made, kernel("pool_any", calls=CLIPPED), geometry, x, made)
            if layer.format is None or not self.network.quantised:
                return made if layer.format is None else self._put(index, layer, made)
            return self._accepted(index, made, layer.format)
        x = self._expanded(index, x)
        how = self.law.passed(layer, x)
        made = self._out(x, how.finish, shape)
        elements = {"input": x.element, "sum": how.element, "output": made.element}
        calls = {"at": self._at(x, how.element), "finish": how.finish.kernel} | CLIPPED
        used = kernel("pool_max", elements, calls, {"format": how.finish.struct})
        return self._call(index, made, used, geometry, x, made, self._format(index, how.finish))

    def _put(self, index: int, layer: Pool, x: Tensor) -> Tensor:
        """Spikes of a float network on the grid that a maximum has."""
        return self._each("rescale", index, x, self.law.passed(layer, x))

    def _sum(self, index: int, layer: Pool | GlobalSum, x: Tensor) -> Tensor:
        shape = as_map(self.network.shapes[layer.name])
        windows: Any = layer
        if isinstance(layer, GlobalSum):
            size = x.shape[1:]
            windows = Pool(layer.name, "sum", size, size, (0, 0))
        how = self.law.pooled(layer, x, math.prod(windows.size))
        made = self._out(x, how.finish, shape)
        elements = {"input": x.element, "sum": how.element, "output": made.element}
        stem = "divided_not" if how.share == 1 else "divided_by"
        calls = {"at": self._at(x, how.element), "divided": kernel(stem, {"sum": how.element})}
        calls |= {"finish": how.finish.kernel} | CLIPPED
        used = kernel("pool_sum", elements, calls, {"format": how.finish.struct})
        numbers = (literal(how.element, how.scales[0]), literal(how.element, how.share))
        geometry, format = self._geometry(index, x, shape, windows), self._format(index, how.finish)
        return self._call(index, made, used, geometry, x, *numbers, made, format)

    def _add(self, index: int, layer: Add, inputs: list[Tensor]) -> Tensor:
        x, *rest = inputs
        for number, other in enumerate(rest, start=1):
            how = self.law.added(layer, [x, other], number == len(rest))
            made = self._out(x, how.finish, x.shape)
            made = evolve(made, static=x.static and other.static)
            elements = {"first": x.element, "input": other.element, "sum": how.element}
            elements["output"] = made.element
            at = {"at_first": self._at(x, how.element), "at": self._at(other, how.element)}
            calls = at | {"finish": how.finish.kernel}
            used = kernel("add", elements, calls, {"format": how.finish.struct})
            one, two = (literal(how.element, scale) for scale in how.scales)
            given = (x, one, other, two, f"{x.count}u", made, self._format(index, how.finish))
            x = self._call(index, made, used, *given)
        return x

    def _fire(self, index: int, layer: Neuron, x: Tensor) -> Tensor:
        how = self.law.charged(layer, x)
        made = Tensor("bits", x.shape, x.last, how.fraction, int(abs(how.value)), value=how.value)
        potentials = Potentials(f"v_{index}", how.state.element, x.count, how.start)
        self.potentials.append(potentials)
        struct = f"neuron_{how.element}"
        elements = {"input": x.element, "sum": how.element, "state": how.state.element}
        calls = {"charge": kernel(how.charge, {"sum": how.element}, types={"neuron": struct})}
        calls["reset"] = kernel(
            f"reset_{layer.reset}", {"sum": how.element}, types={"neuron": struct}
        )
        calls |= {"at": self._at(x, how.element), "finish": how.state.kernel}
        types = {"neuron": struct, "format": how.state.struct}
        used = kernel("fire", elements, calls, types)
        neuron = self._constant("neuron", index, struct, how.constants)
        format = self._constant("state", index, how.state.struct, how.state.constants)
        where = f"state->{potentials.name}"
        return self._call(index, made, used, neuron, x, f"{x.count}u", where, made, format)

    def _read_out(self, x: Tensor) -> None:
        last = len(self.network.layers) - 1
        if not x.flat and x.last:
            x = self._flatten(last, Flatten(self.network.layers[last].name), x)
        how = self.law.logits(x)
        self.logits = how.element
        used = kernel(
            "readout", {"input": x.element, "sum": how.element}, {"at": self._at(x, how.element)}
        )
        scale = literal(how.element, how.scales[0])
        self._call(last + 1, None, used, x, f"{x.count}u", scale, "state->logits")


def _lanes(own: Element, lane: Element) -> dict[str, Kernel]:
    """How the sums of filters lie in lanes."""
    how = "double" if lane == "lanes" else "single"
    types: dict[str, Element] = {"sum": own, "lane": lane}
    return {"lanes": kernel(f"lanes_{how}"), "lane": kernel(f"lane_{how}", types)}


def _as_convolution(layer: Linear, x: Tensor) -> tuple[Conv, Tensor]:
    """A linear layer as the convolution of one pixel, its weights in the order that `x` has."""
    weight = layer.weight
    if x.last and not x.flat:
        weight = np.moveaxis(weight.reshape(len(weight), *x.shape), 1, -1)
    weight = weight.reshape(len(weight), x.count, 1, 1)
    sizes: tuple[Shape, Shape] = ((1, 1), (0, 0))
    names = ("accumulator", "weight_format", "bias_format", "format", "input_formats")
    more = {name: getattr(layer, name) for name in names}
    made = Conv(layer.name, weight, layer.bias, *sizes, **more)
    return made, evolve(x, shape=(x.count, 1, 1), last=True)
