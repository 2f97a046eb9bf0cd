"""How large the integers of a quantised network can become: the proof that none overflows.

With |X| ≤ peak for every input of a layer, |A| ≤ |B| + Σ|W|·peak, in the units of A. A bound below
2^24 lets float32 add in any order without rounding, one below 2^53 float64, one below 2^31 an
int32 accumulator; above that an int64 is needed, and from 2^53 on a network is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

from snn_network.errors import NetworkError
from snn_network.fixed import FACTOR_BITS, dyadic, factor
from snn_network.format import Format
from snn_network.layers import (
    INPUT,
    Accumulator,
    Add,
    Array,
    BatchNorm,
    Conv,
    Flatten,
    GlobalSum,
    Layer,
    Linear,
    Neuron,
    Pool,
    Relu,
)

if TYPE_CHECKING:
    from snn_network.document import Network

BITS_MAX = 32
FRACTION_MAX = 60  # fraction bits, and how far a shift goes: what 64 bits and a sign leave
EXACT = 53  # bits: the torch twin adds in float64


@frozen
class Bound:
    """`sum`: the largest magnitude within a layer, in units of 2^-sum_fraction; `peak`: of what it
    puts out, in units of 2^-fraction."""

    sum: int
    sum_fraction: int
    peak: int
    fraction: int

    @property
    def accumulator(self) -> Accumulator:
        """The integer type that sums are formed in."""
        return "int32" if self.sum < 1 << 31 else "int64"


def bounds(network: Network) -> Mapping[str, Bound]:
    """The bound of each layer and, under "input", of the input; NetworkError with all that makes a
    quantised network contradict itself, or with the sum that is too large to be exact everywhere.
    """
    layout = network.input_format
    if layout is None or _beyond(layout):
        raise NetworkError("a quantised network needs a format of its input, of 2 to 32 bits")
    if faults := [f for layer in network.layers for f in _faults(network, layer)]:
        raise NetworkError("; ".join(faults))
    peak = 1 << (layout.bits - 1)
    found = {INPUT: Bound(peak, layout.fraction, peak, layout.fraction)}
    for layer in network.layers:
        sources = [found[name] for name in network.inputs(layer.name)]
        formats = getattr(layer, "input_formats", ()) or (None,) * len(sources)
        pairs = zip(sources, formats, strict=True)
        ins = [_quantised(layer, s.peak, s.fraction, f) for s, f in pairs]
        total, fraction = _sum(network, layer, ins)
        if total >= 1 << EXACT:
            raise NetworkError(
                f"layer '{layer.name}': sums reach {total} units of 2^-{fraction}, more than the "
                f"{EXACT} bits in which they are exact; use fewer bits"
            )
        peak, fine = dyadic(layer.payload) if isinstance(layer, Neuron) else (total, fraction)
        made = _quantised(layer, abs(peak), fine, getattr(layer, "format", None))
        found[layer.name] = Bound(total, fraction, *made)
        stored = getattr(layer, "accumulator", "int64")
        if stored == "int32" and found[layer.name].accumulator != stored:
            raise NetworkError(f"layer '{layer.name}': sums reach {total}, beyond its int32")
    return found


def _faults(network: Network, layer: Layer) -> Iterator[str]:
    """What is missing from a layer, or not on its grid, or beyond it."""
    where, count = f"layer '{layer.name}'", len(network.inputs(layer.name))
    yield from (f"{where}: {fault}" for fault in map(_beyond, _formats(layer)) if fault)
    if len(getattr(layer, "input_formats", ())) not in (0, count):
        yield f"{where}: {count} inputs, {len(layer.input_formats)} input formats"  # type: ignore[union-attr]
    if getattr(layer, "accumulator", "int64") not in ("int32", "int64"):
        yield f"{where}: the accumulator of a quantised layer is int32 or int64"
    match layer:
        case Conv() | Linear() | BatchNorm():
            weight, bias = weights(layer)
            own = layer.bias_format or layer.weight_format
            for what, array, format in (
                ("weight", weight, layer.weight_format),
                ("bias", bias, own),
            ):
                if format is None:
                    yield f"{where}: its weight has no format"
                elif array is not None and not _holds(array, format):
                    yield f"{where}: its {what} is not integers of {format.bits} bits"
        case Neuron(state_format=None):
            yield f"{where}: its membrane potential has no format"
        case Neuron():
            yield from _stray(layer)


def _formats(layer: Layer) -> Iterator[Format | None]:
    yield from getattr(layer, "input_formats", ())
    for name in ("weight_format", "bias_format", "state_format", "format"):
        yield getattr(layer, name, None)


def _beyond(format: Format | None) -> str:
    """What of a format no integer law can serve."""
    if format is None:
        return ""
    if not 2 <= format.bits <= BITS_MAX:
        return f"a format has {format.bits} bits, not 2 to {BITS_MAX}"
    if abs(format.fraction) > FRACTION_MAX:
        return f"a format has {format.fraction} fraction bits, beyond ±{FRACTION_MAX}"
    return ""


def _stray(layer: Neuron) -> Iterator[str]:
    """The parameters of a neuron that no integer stands for."""
    assert layer.state_format is not None
    own, high = layer.state_format.fraction, 1 << (min(layer.state_format.bits, BITS_MAX) - 1)
    on_its_grid = ("threshold", "value", "start", "rest")
    for name in (*on_its_grid, "decay", "gain", "bias", "leak", "payload"):
        value = getattr(layer, name)
        most = own if name in on_its_grid else FRACTION_MAX
        if name == "start" and not -high <= value * 2.0**own < high:
            yield f"layer '{layer.name}': start {value} is beyond its potential's format"
        if not abs(value) < 1 << EXACT or not math.ldexp(value, most).is_integer():
            text = f"{name} {value} is no multiple of 2^-{most} below 2^{EXACT}"
            yield f"layer '{layer.name}': {text}"


def _holds(array: Array, format: Format) -> bool:
    high = 1 << (format.bits - 1)
    return array.dtype.kind == "i" and -high <= array.min() and array.max() < high


def weights(layer: Conv | Linear | BatchNorm) -> tuple[Array, Array | None]:
    """Weight and bias, as which a batch normalisation has scale and shift."""
    if isinstance(layer, BatchNorm):
        return layer.scale, layer.shift
    return layer.weight, layer.bias


def _quantised(layer: Layer, peak: int, fraction: int, format: Format | None) -> tuple[int, int]:
    """Peak and fraction of what a format makes of numbers up to `peak`."""
    if format is None:
        return peak, fraction
    by = fraction - format.fraction
    if abs(by) > FRACTION_MAX:
        raise NetworkError(
            f"layer '{layer.name}': from {fraction} to {format.fraction} fraction bits is further "
            f"than {FRACTION_MAX} bits"
        )
    rounded = peak << -by if by <= 0 else -(-peak >> by)
    return min(rounded, 1 << (format.bits - 1)), format.fraction


def _sum(network: Network, layer: Layer, ins: list[tuple[int, int]]) -> tuple[int, int]:
    peak, fraction = ins[0]
    match layer:
        case Conv() | Linear() | BatchNorm():
            return _weighted(layer, peak, fraction)
        case Pool(how="avg", size=size):
            return _average(peak, fraction, math.prod(size))
        case Pool(how="sum", size=size):
            return peak * math.prod(size), fraction
        case GlobalSum():
            (source,) = network.inputs(layer.name)
            return peak * math.prod(network.shapes[source][1:]), fraction
        case Add():
            fine = max(f for _, f in ins)
            return sum(p << (fine - f) for p, f in ins), fine
        case Neuron():
            return _charged(layer, peak, fraction)
        case Pool() | Relu() | Flatten():
            return peak, fraction


def _weighted(layer: Conv | Linear | BatchNorm, peak: int, fraction: int) -> tuple[int, int]:
    weight, bias = weights(layer)
    assert layer.weight_format is not None
    fine = layer.weight_format.fraction + fraction
    own = (layer.bias_format or layer.weight_format).fraction
    most = fine if bias is None else max(fine, own)
    sums = np.abs(weight.astype(object)).reshape(len(weight), -1).sum(axis=1) * (
        peak << (most - fine)
    )
    if bias is not None:
        sums = sums + np.abs(bias.astype(object)) * (1 << (most - own))
    return int(sums.max()), most


def _average(peak: int, fraction: int, count: int) -> tuple[int, int]:
    power = count.bit_length() - 1
    if count == 1 << power:
        return peak * count, fraction + power
    if not factor(count):
        raise NetworkError(f"an average over {count} elements: 1/{count} is rounded to 0")
    return peak * count * factor(count), fraction + FACTOR_BITS


def _charged(layer: Neuron, peak: int, fraction: int) -> tuple[int, int]:
    """Of every term of the charged potential together, and of what a reset may add."""
    state = layer.state_format
    assert state is not None
    rates = {"normal": (layer.decay, layer.gain, layer.bias)}.get(layer.charge, (layer.leak,))
    fine = max(state.fraction, fraction) + max(f for _, f in map(dyadic, rates))
    x = Fraction(peak << (fine - fraction))
    v = Fraction(1 << (state.bits - 1 + fine - state.fraction))
    above = v + abs(Fraction(layer.rest)) * 2**fine
    decay, gain, bias, leak = (
        abs(Fraction(value)) for value in (layer.decay, layer.gain, layer.bias, layer.leak)
    )
    match layer.charge:
        case "normal":
            total = decay * v + gain * x + bias * 2**fine
        case "lif":
            total = v + leak * (x + above)
        case "lif_undecayed":
            total = v + leak * above + x
    reset = max(abs(Fraction(layer.threshold)), abs(Fraction(layer.value))) * 2**fine
    return math.ceil(total + reset), fine
