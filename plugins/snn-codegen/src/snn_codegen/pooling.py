"""Calls of the pools, of which a sum over all positions is one."""

from __future__ import annotations

import math

from attrs import evolve

from snn_codegen.element import literal
from snn_codegen.elementwise import accepted, each, expanded
from snn_codegen.kernels import kernel
from snn_codegen.program import CLIPPED, Program, Windows, at, shaped
from snn_codegen.tensor import Tensor, as_map
from snn_kernel.network import GlobalSum, Pool


def maximum(program: Program, index: int, layer: Pool, x: Tensor) -> Tensor:
    """The largest element of each window; of spikes, whether there is one."""
    shape = as_map(program.network.shapes[layer.name])
    windows = (layer.size, layer.stride, layer.padding)
    geometry = program.geometry(index, x, shape, windows)
    if x.element == "bits" and x.value >= 0:
        made = evolve(x, shape=shape, storage=object())
        program.call(index, made, kernel("pool_any", calls=CLIPPED), geometry, x, made)
        if layer.format is None:
            return made
        if program.network.quantised:
            return accepted(program, index, made, layer.format)
        return each(program, "rescale", index, made, program.law.passed(layer.format, made))
    x = expanded(program, index, x)
    how = program.law.passed(layer.format, x)
    made = shaped(x, how.finish, shape)
    elements = {"input": x.element, "sum": how.element, "output": made.element}
    calls = {"at": at(x, how.element), "finish": how.finish.kernel} | CLIPPED
    used = kernel("pool_max", elements, calls, {"format": how.finish.struct})
    return program.call(index, made, used, geometry, x, made, program.format(index, how.finish))


def total(program: Program, index: int, layer: Pool | GlobalSum, x: Tensor) -> Tensor:
    """The sum or average of each window."""
    shape = as_map(program.network.shapes[layer.name])
    windows: Windows
    if isinstance(layer, GlobalSum):
        windows = (x.shape[1:], x.shape[1:], (0, 0))
    else:
        windows = (layer.size, layer.stride, layer.padding)
    how = program.law.pooled(layer, x, math.prod(windows[0]))
    made = shaped(x, how.finish, shape)
    elements = {"input": x.element, "sum": how.element, "output": made.element}
    stem = "divided_not" if how.share == 1 else "divided_by"
    calls = {"at": at(x, how.element), "divided": kernel(stem, {"sum": how.element})}
    calls |= {"finish": how.finish.kernel} | CLIPPED
    used = kernel("pool_sum", elements, calls, {"format": how.finish.struct})
    numbers = (literal(how.element, how.scales[0]), literal(how.element, how.share))
    geometry, format = program.geometry(index, x, shape, windows), program.format(index, how.finish)
    return program.call(index, made, used, geometry, x, *numbers, made, format)
