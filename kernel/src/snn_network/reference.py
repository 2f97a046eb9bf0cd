"""A quantised network executed by the law, written to be read.

This is docs/fixed_point.md as a program: one function for each kind of layer, integers only, no
regard for speed. Whatever else runs a quantised network is compared with it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from snn_network.bounds import weights
from snn_network.document import Network
from snn_network.errors import NetworkError
from snn_network.fixed import FACTOR_BITS, Fixed, Integers, aligned, dyadic, factor
from snn_network.layers import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Flatten,
    GlobalSum,
    Layer,
    Linear,
    Neuron,
    Pool,
    Relu,
    Shape,
)

WITNESSES = 16  # inputs that a run is compared on at most
WORK = 1 << 28  # products that it may take to execute them


@define
class Reference:
    """A quantised network and the potentials of its neurons, as integers [N, C, …]."""

    network: Network
    potentials: dict[str, Integers] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.network.input_format is None or not self.network.quantised:
            raise NetworkError("the integer law is for quantised networks")

    def run(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Logits float32 [N, K] and spikes bool [N, T, neurons] of every neuron layer, from rest.

        x is [N, C, …], or [N, T, C, …] where the network's mode is "sequence".
        """
        network, layout = self.network, self.network.input_format
        assert layout is not None
        self.potentials.clear()
        spikes: dict[str, list[NDArray[np.bool_]]] = {n.name: [] for n in network.only(Neuron)}
        units, total = layout.quantise(x).astype(np.int64), None
        for t in range(network.timesteps):
            shown = units if network.mode == "static" else units[:, t]
            values = self.step(Fixed(shown, layout.fraction))
            for name, fired in spikes.items():
                fired.append((values[name].units != 0).reshape(len(shown), -1))
            made = values[network.layers[-1].name]
            total = made.units if total is None else total + made.units
        assert total is not None
        numbers = np.ldexp(total.astype(np.float64), -made.fraction) / network.timesteps
        packed = {name: np.stack(fired, axis=1) for name, fired in spikes.items()}
        return numbers.astype(np.float32).reshape(len(x), -1), packed

    def step(self, x: Fixed) -> dict[str, Fixed]:
        """What every layer puts out at one timestep."""
        values = {INPUT: x}
        for layer in self.network.layers:
            inputs = [values[name] for name in self.network.inputs(layer.name)]
            formats = getattr(layer, "input_formats", ()) or (None,) * len(inputs)
            inputs = [i.quantised(f) for i, f in zip(inputs, formats, strict=True)]
            made = self.layer(layer, inputs)
            values[layer.name] = made.quantised(getattr(layer, "format", None))
        return values

    def layer(self, layer: Layer, inputs: list[Fixed]) -> Fixed:
        """What one layer makes of its quantised inputs, before its own output is quantised."""
        (x, *_) = inputs
        match layer:
            case Conv() | Linear() | BatchNorm():
                return weighted(layer, x)
            case Pool(how="max"):
                return Fixed(_windows(x.units, layer, low=True).max(axis=-1), x.fraction)
            case Pool():
                total = Fixed(_windows(x.units, layer).sum(axis=-1), x.fraction)
                return total if layer.how == "sum" else average(total, math.prod(layer.size))
            case GlobalSum():
                units = x.units.reshape(*x.units.shape[:2], -1).sum(axis=-1)
                return Fixed(units, x.fraction)
            case Add():
                terms, fraction = aligned(*inputs)
                return Fixed(sum(terms[1:], terms[0]), fraction)
            case Relu():
                return Fixed(np.maximum(x.units, 0), x.fraction)
            case Flatten():
                return Fixed(x.units.reshape(len(x.units), -1), x.fraction)
            case Neuron():
                return self.fire(layer, x)

    def fire(self, layer: Neuron, x: Fixed) -> Fixed:
        """Charge, fire, reset, and round the potential once."""
        state = layer.state_format
        assert state is not None
        start = np.full_like(x.units, _at(layer.start, state.fraction))
        v = Fixed(self.potentials.get(layer.name, start), state.fraction)
        u = charge(layer, v, x)
        fired = u.units >= _at(layer.threshold, u.fraction)
        if layer.reset == "subtract":
            units = u.units - fired * _at(layer.threshold, u.fraction)
        else:
            units = np.where(fired, _at(layer.value, u.fraction), u.units)
        self.potentials[layer.name] = Fixed(units, u.fraction).quantised(state).units
        payload, fraction = dyadic(layer.payload)
        return Fixed(fired * np.int64(payload), fraction)


def witness(
    network: Network, x: NDArray[np.float32]
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.uint8]]]:
    """Logits [n, K] and packed spikes [n, T, ceil(neurons/8)] of the first of x [N, …], as many as
    are soon done."""
    shapes = network.shapes
    work = sum(
        layer.weight.size * math.prod(shapes[layer.name][1:])
        for layer in network.layers
        if isinstance(layer, Conv | Linear)
    )
    affordable = WORK // max(work * network.timesteps, 1)
    logits, spikes = Reference(network).run(x[: min(max(affordable, 1), WITNESSES)])
    return logits, {name: np.packbits(fired, axis=2) for name, fired in spikes.items()}


def weighted(layer: Conv | Linear | BatchNorm, x: Fixed) -> Fixed:
    """A = B + ΣW·X, the products and the bias brought to the finer of their two grids."""
    weight, bias = weights(layer)
    assert layer.weight_format is not None
    fine = layer.weight_format.fraction
    sums = Fixed(_sums(layer, weight.astype(np.int64), x.units), fine + x.fraction)
    if bias is None:
        return sums
    own = layer.weight_format if layer.bias_format is None else layer.bias_format
    form = (1, -1, *[1] * (sums.units.ndim - 2))
    terms, fraction = aligned(sums, Fixed(bias.astype(np.int64).reshape(form), own.fraction))
    return Fixed(terms[0] + terms[1], fraction)


def _sums(layer: Conv | Linear | BatchNorm, weight: Integers, x: Integers) -> Integers:
    if isinstance(layer, Linear):
        return x @ weight.T
    if isinstance(layer, BatchNorm):
        return x * weight.reshape(1, -1, *[1] * (x.ndim - 2))
    size, groups = weight.shape[2:], layer.groups
    view = np.moveaxis(_view(x, size, layer.stride, layer.padding), 1, 1 + len(size))
    made = []
    for g in range(groups):
        ins, outs = x.shape[1] // groups, len(weight) // groups
        part = view.take(range(g * ins, (g + 1) * ins), axis=1 + len(size))
        kernel = weight[g * outs : (g + 1) * outs].reshape(outs, -1)
        made.append(part.reshape(*view.shape[: 1 + len(size)], -1) @ kernel.T)
    return np.moveaxis(np.concatenate(made, axis=-1), -1, 1)


def average(total: Fixed, count: int) -> Fixed:
    """Of 2^p elements exactly, with p more fraction bits; of others by rnd(2^15/count)."""
    power = count.bit_length() - 1
    if count == 1 << power:
        return Fixed(total.units, total.fraction + power)
    return Fixed(total.units * factor(count), total.fraction + FACTOR_BITS)


def charge(layer: Neuron, v: Fixed, x: Fixed) -> Fixed:
    """The charged potential u, exact, on a grid fine enough for every term."""
    rest = Fixed(np.int64(_at(layer.rest, v.fraction)), v.fraction)  # type: ignore[arg-type]
    if layer.charge == "normal":
        bias, fraction = dyadic(layer.bias)
        shift = Fixed(np.full_like(v.units, bias), fraction)
        terms, fraction = aligned(_times(v, layer.decay), _times(x, layer.gain), shift)
        return Fixed(terms[0] + terms[1] + terms[2], fraction)
    above = Fixed(v.units - rest.units, v.fraction)
    if layer.charge == "lif":  # u = v + (x - (v - rest))·leak
        (current, drop), fraction = aligned(x, above)
        terms, fraction = aligned(v, _times(Fixed(current - drop, fraction), layer.leak))
        return Fixed(terms[0] + terms[1], fraction)
    terms, fraction = aligned(v, _times(above, layer.leak), x)  # u = v - (v - rest)·leak + x
    return Fixed(terms[0] - terms[1] + terms[2], fraction)


def _times(x: Fixed, value: float) -> Fixed:
    units, fraction = dyadic(value)
    return Fixed(x.units * units, x.fraction + fraction)


def _at(value: float, fraction: int) -> int:
    """The integer that stands for `value` with `fraction` fraction bits; it must be one."""
    units = math.ldexp(value, fraction)
    assert units.is_integer(), (value, fraction)
    return int(units)


def _windows(x: Integers, layer: Pool, low: bool = False) -> Integers:
    """[N, C, *n] → [N, C, *n', elements]; padding counts as 0, for a maximum as the lowest."""
    fill = np.iinfo(np.int64).min if low else 0
    view = _view(x, layer.size, layer.stride, layer.padding, fill)
    made: Integers = view.reshape(*view.shape[: x.ndim], -1)
    return made


def _view(x: Integers, size: Shape, stride: Shape, padding: Shape, fill: int = 0) -> Integers:
    """[N, C, *n] → [N, C, *n', *size]."""
    axes = tuple(range(2, x.ndim))
    padded = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, size, axes)
    steps = tuple(slice(None, None, s) for s in stride)
    made: Integers = view[(slice(None), slice(None), *steps)]
    return made
