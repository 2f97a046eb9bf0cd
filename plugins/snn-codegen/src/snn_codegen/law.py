"""What the arithmetic of a network decides for each of its layers: types, constants, formats."""

from __future__ import annotations

from typing import Any, Protocol

from attrs import field, frozen
from numpy.typing import NDArray

from snn_codegen.element import Element
from snn_codegen.kernels import Kernel
from snn_codegen.tensor import Tensor
from snn_kernel.network import Add, BatchNorm, Conv, Format, GlobalSum, Linear, Neuron, Pool


@frozen
class Finish:
    """How a sum becomes an element of a tensor: the kernel that does it, and the constants, as C,
    of the format that it takes; the element, fraction, peak and bits of what it makes."""

    kernel: Kernel
    constants: str
    element: Element
    fraction: int = 0
    peak: int = 0
    bits: int = 0

    @property
    def struct(self) -> str:
        """The type of its constants."""
        return "grid_format" if self.element == "f32" else "fixed_format"


@frozen
class Sum:
    """Sums formed in `element` of inputs times `scales` (one for each), and their finish."""

    element: Element
    scales: tuple[float, ...]
    finish: Finish
    share: float = 1  # what they are divided by
    tables: tuple[tuple[Element, NDArray[Any]], ...] = field(default=(), eq=False)


@frozen
class Population:
    """Constants of a population: charged in `element`, `start` in the potential's own units."""

    element: Element
    charge: str  # the stem of a kernel
    constants: str
    state: Finish
    start: float
    value: float  # of a spike that it puts out
    fraction: int = 0


class Law(Protocol):
    """Integers, or floats."""

    def input(self) -> Tensor:
        """One frame, as the caller has it."""

    def accepted(self, x: Tensor, format: Format | None) -> Tensor | Sum:
        """`x` as the layer that asks for `format` reads it: spikes with another value, or else
        what makes another tensor of it."""

    def weighted(self, layer: Conv | Linear | BatchNorm, x: Tensor) -> Sum:
        """Sums of weights, whose tables are the weights and the biases."""

    def pooled(self, layer: Pool | GlobalSum, x: Tensor, count: int) -> Sum:
        """Sums over windows of `count` elements."""

    def added(self, layer: Add, inputs: list[Tensor], last: bool) -> Sum:
        """The sum of two tensors; put into the layer's format if it is the `last` of several."""

    def passed(self, format: Format | None, x: Tensor) -> Sum:
        """Elements as they are, or in a format."""

    def charged(self, layer: Neuron, x: Tensor) -> Population:
        """What a population charges with, and what it puts out."""

    def logits(self, x: Tensor) -> Sum:
        """What is added to the logits at each timestep."""
