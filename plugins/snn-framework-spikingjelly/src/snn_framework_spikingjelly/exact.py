"""Weights on a grid on which every sum is exact, so that no order of summation can matter.

Let all inputs of a layer be multiples of 2^-fx with |x| ≤ peak, all its weights multiples of 2^-fw
and its bias a multiple of 2^-(fw+fx). Then every product and every partial sum, in any order and
any grouping, with or without fused multiply-add, is an integer multiple of 2^-(fw+fx), and its
magnitude is at most B = max over the outputs of (|b| + Σ|w|·peak). A float with p bits of
significand holds every such multiple exactly if B·2^(fw+fx) ≤ 2^p: p is 24 for float32, 53 for
float64. So no addition rounds, the sum is the true sum, and torch, the event engine and C agree.
(This needs additions of products: transforms such as Winograd's are not used, see lowered.py.)

Sums without weights (of pools, and over all positions) are the same with weights of 1.

Which grid an output is on:

- a sum formed in float64 is then rounded to float32; rounding a multiple of 2^-f gives a multiple
  of 2^-f (the rounded value either keeps its bits or has a coarser unit in the last place, which
  is a power of two above 2^-f);
- an addition of inputs rounds after each of them, in float32 and in the order of the document:
  everybody rounds the same, and to multiples of 2^-f;
- a neuron puts out 0 or its payload;
- an average over k = 2^p divides exactly: fraction f + p;
- an average over any other k rounds s/k, in the end to float32. A sum s ≠ 0 is at least 2^-f, so
  |s/k| ≥ 2^-(f + ceil(log2 k)), where the unit in the last place is 2^-(f + ceil(log2 k) + 23);
  larger values have coarser units, which are multiples of it: fraction f + ceil(log2 k) + 23;
- a batch normalisation with scale on 2^-fs and shift on 2^-fb: product and sum are multiples of
  2^-max(f + fs, fb), and stay so when they are rounded.

Where numbers, not spikes, go from layer to layer, each layer's sums would need more bits than the
last one's, beyond any accumulator. So what needs more than 24 bits is put on a grid of 24 (`format`
of Relu, Pool, GlobalSum and Add) that reaches to its bound, the peak, or, where it is known what
occurs (`seen`), to at least twice the largest of that; the rest is clipped. The bound alone would
not do: from layer to layer it grows by Σ|w|, what occurs by about the root of Σw², so that after
some layers all of the grid would lie above whatever occurs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from snn_kernel import NetworkError
from snn_kernel.network import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Flatten,
    Format,
    GlobalSum,
    Layer,
    Linear,
    Network,
    Neuron,
    Pool,
    Relu,
    Shape,
)

BITS = {"float32": 24, "float64": 53}
FINE = 13  # the largest weight of a layer is at least 2^FINE steps of its grid; of float16, 2^10
FRACTION_MAX = 149  # float32 has no finer values
GRIDDED = (Relu, Pool, GlobalSum, Add)  # layers with a `format`


@frozen
class Grid:
    """Values that are multiples of 2^-fraction, none beyond ±peak."""

    fraction: int
    peak: float

    @classmethod
    def of(cls, layout: Format) -> Grid:
        """What has been put on `layout`."""
        return cls(layout.fraction, 2.0 ** (layout.bits - 1 - layout.fraction))


def input_format(x: NDArray[np.float32], bits: int = BITS["float32"]) -> Format:
    """The coarsest grid that holds every value of `x`, or else the finest of `bits` and a sign.

    It reaches to at least twice the largest magnitude in `x`, for data not seen here.
    """
    peak = float(np.abs(x).max(initial=0.0))
    reach = math.ceil(math.log2(peak)) + 1 if peak else 0  # magnitudes up to 2^reach
    fraction = bits - reach
    scaled = np.ldexp(x.astype(np.float64), fraction)
    units = np.rint(scaled).astype(np.int64)
    if np.array_equal(units, scaled):
        used = int(np.bitwise_or.reduce(units, axis=None))
        spare = (used & -used).bit_length() - 1 if used else fraction
        fraction = max(fraction - spare, 1 - reach)
    return Format(bits=1 + reach + fraction, fraction=fraction)


def spare_bits(network: Network) -> int:
    """Bits that sums over windows of the input itself take, before any weight or neuron."""
    spare = {INPUT: 0}
    for layer in network.layers:
        sources = network.inputs(layer.name)
        if not all(s in spare for s in sources):
            continue
        most = max(spare[s] for s in sources)
        match layer:
            case Pool(how="avg" | "sum", size=size):
                spare[layer.name] = most + (math.prod(size) - 1).bit_length()
            case GlobalSum():
                positions = math.prod(network.shapes[sources[0]][1:])
                spare[layer.name] = most + (positions - 1).bit_length()
            case Pool() | Flatten():
                spare[layer.name] = most
    return max(spare.values())


def settle(
    layer: Layer,
    inputs: list[Grid | None],
    shape: Shape,
    seen: float | None = None,
    summed: bool = True,
) -> tuple[Layer, Grid | None]:
    """`layer` with its arrays on a grid where its sums are exact, and the grid of its output.

    `inputs` are the grids of its inputs (None: unknown, and then nothing is promised), `shape` is
    that of its first input, channels first, `seen` the largest magnitude that it is known to put
    out, `summed` whether what it puts out goes into further sums. NetworkError where no grid is
    fine enough.
    """
    made, grid = _exactly(layer, inputs, shape)
    if summed and isinstance(made, GRIDDED) and getattr(made, "how", "") != "max":
        return _gridded(made, grid, seen)
    return made, grid


def _exactly(layer: Layer, inputs: list[Grid | None], shape: Shape) -> tuple[Layer, Grid | None]:
    (x, *more) = inputs
    match layer:
        case Neuron(payload=payload):
            return layer, Grid(_fraction(payload), abs(float(np.float32(payload))))
        case Conv() | Linear():
            return _weighted(layer, x)
        case BatchNorm():
            return _normalised(layer, x)
        case Flatten() | Relu() | Pool(how="max"):
            return layer, x
        case Pool(how=how, size=size):
            return _pooled(layer, x, math.prod(size), how == "avg")
        case GlobalSum():
            return _pooled(layer, x, math.prod(shape[1:]), False)
        case Add():
            if x is None or None in more:
                return layer, None
            grids = [x, *(g for g in more if g)]
            return layer, _up(max(g.fraction for g in grids), sum(g.peak for g in grids))


def _fraction(value: float) -> int:
    """The fewest fraction bits that hold `value`, rounded to float32, exactly."""
    return float(np.float32(value)).as_integer_ratio()[1].bit_length() - 1


def _up(fraction: int, peak: float) -> Grid:
    """A grid whose peak allows for one rounding to float32."""
    return Grid(fraction, peak * (1 + 2.0**-23))


def _pooled(
    layer: Pool | GlobalSum, x: Grid | None, count: int, average: bool
) -> tuple[Layer, Grid | None]:
    if x is None:
        return evolve(layer, accumulator="float64"), None
    units = math.ldexp(x.peak, x.fraction) * count
    accumulator = next((a for a, bits in BITS.items() if units <= 2.0**bits), None)
    if accumulator is None:
        raise NetworkError(
            f"layer '{layer.name}': sums over {count} inputs with {x.fraction} fraction bits up to "
            f"{x.peak:g} are not exact in float64; put a neuron or a ReLU before it"
        )
    layer = evolve(layer, accumulator=accumulator)
    if not average:
        return layer, _up(x.fraction, x.peak * count)
    power = (count - 1).bit_length()
    exact = count == 1 << power
    return layer, _up(x.fraction + power + (0 if exact else 23), x.peak)


def _gridded(
    layer: Relu | Pool | GlobalSum | Add, x: Grid | None, seen: float | None
) -> tuple[Layer, Grid | None]:
    """`layer` with its output, so far on `x`, on a grid of 24 bits if it may need more of them."""
    if layer.format is not None:
        return layer, Grid.of(layer.format)
    bounds = [_reach(x.peak)] if x else []
    if seen:
        bounds.append(_reach(seen) + 1)
    if not bounds:
        return layer, None
    reach, bits = min(bounds), BITS["float32"]
    if x and reach == bounds[0] and x.fraction <= bits - reach:
        return layer, x
    finest = min(bits - reach, x.fraction) if x else bits - reach
    fraction = min(max(finest, 1 - reach), FRACTION_MAX)
    made = Format(1 + reach + fraction, fraction)
    return evolve(layer, format=made), Grid.of(made)


def _reach(peak: float) -> int:
    """The least n with peak ≤ 2^n."""
    share, exponent = math.frexp(peak)
    return exponent - (share == 0.5)


def _normalised(layer: BatchNorm, x: Grid | None) -> tuple[BatchNorm, Grid | None]:
    """Scale and shift with 24 bits below the largest of each; two roundings, order fixed."""

    def rounded(array: NDArray[Any]) -> tuple[NDArray[np.float32], int]:
        fraction = 24 - math.frexp(float(np.abs(array).max(initial=0.0)))[1]
        return np.ldexp(np.rint(np.ldexp(array, fraction)), -fraction).astype(np.float32), fraction

    scale, fs = rounded(layer.scale)
    shift, fb = rounded(layer.shift)
    layer = evolve(layer, scale=scale, shift=shift)
    if x is None:
        return layer, None
    peak = float(np.max(np.abs(scale.astype(np.float64)) * x.peak + np.abs(shift)))
    return layer, _up(max(x.fraction + fs, fb), peak * (1 + 2.0**-23))


def _weighted(layer: Conv | Linear, x: Grid | None) -> tuple[Conv | Linear, Grid | None]:
    weight = layer.weight.astype(np.float32).astype(np.float64)
    bias = None if layer.bias is None else layer.bias.astype(np.float32).astype(np.float64)
    if x is None:
        return _with(layer, weight, bias, "float64"), None
    for accumulator, bits in BITS.items():
        fraction, bound = _finest(weight, bias, x, bits)
        w, b = _rounded(weight, fraction), _rounded(bias, fraction + x.fraction)
        if not weight.any() or np.abs(w).max() >= 2.0**FINE:
            w = np.ldexp(w, -fraction)
            b = None if b is None else np.ldexp(b, -fraction - x.fraction)
            return _with(layer, w, b, accumulator), _up(fraction + x.fraction, bound)
    raise NetworkError(
        f"layer '{layer.name}': its inputs need {x.fraction} fraction bits, which leaves its "
        f"weights too few for sums that are exact in float64; put a neuron or a ReLU before it"
    )


def _with(layer: Conv | Linear, weight: Any, bias: Any, accumulator: Any) -> Conv | Linear:
    bias = None if bias is None else bias.astype(np.float32)
    return evolve(layer, weight=weight.astype(np.float32), bias=bias, accumulator=accumulator)


def _rounded(array: Any, fraction: int) -> Any:
    return None if array is None else np.rint(np.ldexp(array, fraction))


def _finest(weight: Any, bias: Any, x: Grid, bits: int) -> tuple[int, float]:
    """The largest fraction of weights with all sums below 2^bits units, and the bound B."""
    axes, peak = tuple(range(1, weight.ndim)), math.ceil(math.ldexp(x.peak, x.fraction))

    def bound(fraction: int) -> float:
        sums = np.abs(_rounded(weight, fraction)).sum(axis=axes) * peak
        if bias is not None:
            sums = sums + np.abs(_rounded(bias, fraction + x.fraction))
        return float(sums.max())

    total = np.abs(weight).sum(axis=axes) * x.peak + (0.0 if bias is None else np.abs(bias))
    if not (largest := float(total.max())):
        return 0, 0.0
    fraction = bits - x.fraction - math.frexp(largest)[1]
    fraction = min(fraction, FRACTION_MAX, FRACTION_MAX - x.fraction)
    while (units := bound(fraction)) > 2.0**bits:
        fraction -= 1
    return fraction, math.ldexp(units, -fraction - x.fraction)
