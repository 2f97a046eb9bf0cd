"""Calls of the convolutions, which linear layers are as well."""

from __future__ import annotations

import numpy as np
from attrs import evolve

from snn_codegen.convolution import Variant, doubled, ordered, paired, variant
from snn_codegen.element import Element, literal
from snn_codegen.elementwise import arranged
from snn_codegen.kernels import Kernel, kernel
from snn_codegen.program import CLIPPED, Program, at, shaped
from snn_codegen.tensor import Tensor, as_map
from snn_kernel.network import Conv, Linear, Shape


def weigh(
    program: Program,
    index: int,
    layer: Conv | Linear,
    x: Tensor,
    asked: Variant,
    rate: float | None,
    lanes: bool,
) -> Tensor:
    """A convolution or linear layer, in the kernel that is `asked` for or that suits the `rate` of
    what is not zero in `x`; where `lanes` and weights allow it, two filters share a lane."""
    if isinstance(layer, Linear):
        layer, x = _as_convolution(layer, x)
    x = arranged(program, index, x)
    how = program.law.weighted(layer, x)
    shape = as_map(program.network.shapes[program.network.layers[index].name])
    chosen = variant(asked, layer, x, shape, rate)
    made = shaped(x, how.finish, shape)
    (element, weight), (own, bias) = how.tables
    double = lanes and chosen != "dense" and doubled(weight, x)
    weight, lane = ordered(chosen, weight, layer.groups), own
    if double:
        weight, element, lane = paired(weight), "lanes", "lanes"
    weights = program.table(f"weights_{index}", element, weight)
    biases = program.table(f"bias_{index}", own, bias)
    windows = (layer.weight.shape[2:], layer.stride, layer.padding)
    geometry = program.geometry(index, x, shape, windows, layer.groups)
    elements = {"input": x.element, "weight": element, "sum": own, "output": made.element}
    calls = _summing(chosen, x, element, lane) | {"finish": how.finish.kernel}
    if chosen != "dense":
        elements["lane"] = lane
        calls |= _lanes(own, lane)
    if chosen != "scatter":
        calls |= CLIPPED
    used = kernel(f"conv_{chosen}", elements, calls, {"format": how.finish.struct})
    scale, format = literal(own, how.scales[0]), program.format(index, how.finish)
    wide = -(-shape[0] // layer.groups // (2 if double else 1))
    everywhere = (wide * layer.groups, *shape[1:])
    room = {"gather": (wide, 1, 1), "scatter": everywhere}.get(chosen)
    sums = () if room is None else (Tensor(lane, room, static=x.static),)
    given = (geometry, x, weights, biases, scale, *sums, made, format)
    return program.call(index, made, used, *given)


def _summing(chosen: str, x: Tensor, weight: Element, total: Element) -> dict[str, Kernel]:
    """The kernels that a variant leaves open."""
    if chosen == "dense":
        return {"at": at(x, total)}
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
