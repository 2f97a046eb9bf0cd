"""The call of a population of neurons."""

from __future__ import annotations

from snn_codegen.kernels import kernel
from snn_codegen.program import Potentials, Program, at
from snn_codegen.tensor import Tensor
from snn_kernel.network import Neuron


def fire(program: Program, index: int, layer: Neuron, x: Tensor) -> Tensor:
    """Spikes of `x`, as bits in the order that it has."""
    how = program.law.charged(layer, x)
    made = Tensor("bits", x.shape, x.last, how.fraction, int(abs(how.value)), value=how.value)
    potentials = Potentials(f"v_{index}", how.state.element, x.count, how.start)
    program.potentials.append(potentials)
    struct = f"neuron_{how.element}"
    elements = {"input": x.element, "sum": how.element, "state": how.state.element}
    calls = {"charge": kernel(how.charge, {"sum": how.element}, types={"neuron": struct})}
    calls["reset"] = kernel(f"reset_{layer.reset}", {"sum": how.element}, types={"neuron": struct})
    calls |= {"at": at(x, how.element), "finish": how.state.kernel}
    types = {"neuron": struct, "format": how.state.struct}
    used = kernel("fire", elements, calls, types)
    neuron = program.constant("neuron", index, struct, how.constants)
    format = program.constant("state", index, how.state.struct, how.state.constants)
    where = f"state->{potentials.name}"
    return program.call(index, made, used, neuron, x, f"{x.count}u", where, made, format)
