"""The program that generated C is: calls of kernels, and the constants that they refer to."""

from __future__ import annotations

from typing import Any, TypeAlias

from attrs import define, field, frozen
from numpy.typing import NDArray

from snn_codegen.element import Element
from snn_codegen.kernels import Kernel, kernel
from snn_codegen.law import Finish, Law
from snn_codegen.tensor import Map, Tensor, as_pair
from snn_kernel.network import Network, Shape

Windows: TypeAlias = tuple[Shape, Shape, Shape]  # size, stride, padding
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
class Program:
    """The calls of one timestep in order, and what they refer to, as layers add to it."""

    network: Network
    law: Law
    calls: list[Call] = field(factory=list)
    tables: list[Table] = field(factory=list)
    constants: dict[str, str] = field(factory=dict)  # name → definition of a structure
    potentials: list[Potentials] = field(factory=list)

    def call(
        self, index: int, made: Tensor | None, kernel: Kernel, *arguments: str | Tensor
    ) -> Tensor:
        """Add one of layer `index`; what it makes."""
        self.calls.append(Call(kernel, arguments, made, index))
        return made  # type: ignore[return-value]

    def constant(self, kind: str, index: int, struct: str, text: str) -> str:
        """The address of a constant structure, which is defined once; "" is none."""
        if not text:
            return "NULL"

        def definition(name: str) -> str:
            return f"static const {struct} {name} = {text};"

        name, number = f"{kind}_{index}", 2
        while self.constants.setdefault(name, definition(name)) != definition(name):
            name, number = f"{kind}_{index}_{number}", number + 1
        return f"&{name}"

    def format(self, index: int, finish: Finish) -> str:
        """The address of the constants of a finish."""
        return self.constant("format", index, finish.struct, finish.constants)

    def table(self, name: str, element: Element, values: NDArray[Any]) -> str:
        """Add a constant array; its name."""
        self.tables.append(Table(name, element, values))
        return name

    def geometry(
        self,
        index: int,
        x: Tensor,
        shape: Map,
        windows: Windows,
        groups: int = 1,
    ) -> str:
        """The address of what a window makes of `x`: `shape`."""
        channels, height, width = x.shape
        filters, rows, columns = shape
        size, stride, padding = windows
        sizes = (as_pair(size), as_pair(stride), as_pair(padding, 0))
        numbers = [height, width, channels, rows, columns, filters]
        numbers += [n for pair in sizes for n in pair] + [groups]
        text = "{ " + ", ".join(f"{n}u" for n in numbers) + " }"
        return self.constant("geometry", index, "geometry", text)


def shaped(x: Tensor, finish: Finish, shape: Map, last: bool = True) -> Tensor:
    """The tensor of `shape` that `finish` makes of sums over `x`."""
    bits = finish.bits or (x.bits if finish.element == x.element else 0)
    given = (finish.element, shape, last, finish.fraction, finish.peak, bits)
    return Tensor(*given, static=x.static)


def at(x: Tensor, element: Element) -> Kernel:
    """The kernel that reads an element of `x` as `element`."""
    stem = "at_bits" if x.element == "bits" else "at_values"
    return kernel(stem, {"input": x.element, "sum": element})
