"""Calls that treat each element of a map alike, or put maps in another order."""

from __future__ import annotations

from attrs import evolve

from snn_codegen.element import literal
from snn_codegen.kernels import kernel
from snn_codegen.law import Sum
from snn_codegen.program import Program, at, shaped
from snn_codegen.tensor import Tensor
from snn_kernel.network import Add, BatchNorm, Flatten, Format, Linear


def accepted(program: Program, index: int, x: Tensor, format: Format | None) -> Tensor:
    """`x` in the format that a layer asks for."""
    found = program.law.accepted(x, format)
    if isinstance(found, Tensor):
        return found
    return each(program, "rescale", index, x, found)


def each(program: Program, stem: str, index: int, x: Tensor, how: Sum) -> Tensor:
    """A kernel that treats each element alike."""
    made = shaped(x, how.finish, x.shape, x.last)
    elements = {"input": x.element, "sum": how.element, "output": made.element}
    calls = {"at": at(x, how.element), "finish": how.finish.kernel}
    used = kernel(stem, elements, calls, {"format": how.finish.struct})
    scale, format = literal(how.element, how.scales[0]), program.format(index, how.finish)
    return program.call(index, made, used, x, f"{x.count}u", scale, made, format)


def expanded(program: Program, index: int, x: Tensor) -> Tensor:
    """Spikes as values."""
    if x.element != "bits":
        return x
    return each(program, "rescale", index, x, program.law.passed(None, x))


def arranged(program: Program, index: int, x: Tensor) -> Tensor:
    """`x` with channels last."""
    if x.last or x.flat:
        return x
    x = expanded(program, index, x)
    made = evolve(x, last=True, storage=object())
    used = kernel("channels_last", {"input": x.element, "output": x.element})
    sizes = (f"{x.shape[0]}u", f"{x.shape[1] * x.shape[2]}u")
    return program.call(index, made, used, x, *sizes, made)


def flatten(program: Program, index: int, layer: Flatten, x: Tensor) -> Tensor:
    """Free where only linear layers read it, whose weights are then in the order of the map."""
    readers = [b for a, b in program.network.edges if a == layer.name]
    kinds = {one.name: one for one in program.network.layers}
    linear = readers and all(isinstance(kinds[name], Linear) for name in readers)
    if x.flat or not x.last:
        return evolve(x, shape=(x.count, 1, 1), last=True)
    if linear:
        return x
    x = expanded(program, index, x)
    made = evolve(x, shape=(x.count, 1, 1), last=True, storage=object())
    used = kernel("channels_first", {"input": x.element, "output": x.element})
    sizes = (f"{x.shape[0]}u", f"{x.shape[1] * x.shape[2]}u")
    return program.call(index, made, used, x, *sizes, made)


def normalise(program: Program, index: int, layer: BatchNorm, x: Tensor) -> Tensor:
    """A product and a sum per channel."""
    how = program.law.weighted(layer, x)
    made = shaped(x, how.finish, x.shape)
    (element, factors), (own, shifts) = how.tables
    elements = {"input": x.element, "weight": element, "sum": own, "output": made.element}
    calls = {"at": at(x, own), "finish": how.finish.kernel}
    used = kernel("norm", elements, calls, {"format": how.finish.struct})
    sizes = (f"{x.shape[1] * x.shape[2]}u", f"{x.shape[0]}u", literal(own, how.scales[0]))
    names = (f"factors_{index}", f"shifts_{index}")
    found = (program.table(names[0], element, factors), program.table(names[1], own, shifts))
    format = program.format(index, how.finish)
    return program.call(index, made, used, x, *sizes, *found, made, format)


def add(program: Program, index: int, layer: Add, inputs: list[Tensor]) -> Tensor:
    """One after another, in the order of the edges."""
    x, *rest = inputs
    for number, other in enumerate(rest, start=1):
        how = program.law.added(layer, [x, other], number == len(rest))
        made = shaped(x, how.finish, x.shape)
        made = evolve(made, static=x.static and other.static)
        elements = {"first": x.element, "input": other.element, "sum": how.element}
        elements["output"] = made.element
        calls = {"at_first": at(x, how.element), "at": at(other, how.element)}
        calls["finish"] = how.finish.kernel
        used = kernel("add", elements, calls, {"format": how.finish.struct})
        one, two = (literal(how.element, scale) for scale in how.scales)
        given = (x, one, other, two, f"{x.count}u", made, program.format(index, how.finish))
        x = program.call(index, made, used, *given)
    return x
