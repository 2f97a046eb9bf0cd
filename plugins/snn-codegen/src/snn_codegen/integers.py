"""The fixed-point law (docs/fixed_point.md) for generated C: everything in integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from attrs import evolve, frozen

from snn_codegen.element import Element, literal, of_bits, of_peak
from snn_codegen.kernels import kernel
from snn_codegen.law import Finish, Population, Sum
from snn_codegen.tensor import Tensor, as_map
from snn_kernel.network import (
    Add,
    BatchNorm,
    Conv,
    Format,
    GlobalSum,
    Linear,
    Network,
    NetworkError,
    Neuron,
    Pool,
)
from snn_network.bounds import weights
from snn_network.fixed import FACTOR_BITS, Fixed, dyadic, factor

INT32 = 31  # bits without the sign


@frozen
class Integers:
    """A quantised network, by the law that torch's twin and the engine obey."""

    network: Network

    def input(self) -> Tensor:
        """Units of the input format."""
        layout = self.network.input_format
        assert layout is not None
        peak = 1 << (layout.bits - 1)
        shape = as_map(self.network.input_shape)
        element = of_bits(layout.bits)
        return Tensor(element, shape, False, layout.fraction, peak, bits=layout.bits)

    def accepted(self, x: Tensor, format: Format | None) -> Tensor | Sum:
        """Spikes get another value; integers that a format could change are rescaled."""
        if format is None:
            return x
        if x.element == "bits":
            value = Fixed(np.array([int(x.value)]), x.fraction).quantised(format)
            units = int(value.units[0])
            return evolve(x, value=units, fraction=value.fraction, peak=abs(units))
        high = 1 << (format.bits - 1)
        within = x.peak < high or 0 < x.bits <= format.bits
        if within and x.fraction == format.fraction:
            return x
        return self._finished(x.peak, x.fraction, format, (1,))

    def weighted(self, layer: Conv | Linear | BatchNorm, x: Tensor) -> Sum:
        """A = B + ΣW·X, the products and the bias brought to the finer of their two grids."""
        weight, bias = weights(layer)
        layout = layer.weight_format
        assert layout is not None
        own = (layer.bias_format or layout).fraction
        fine = layout.fraction + x.fraction
        fraction = fine if bias is None else max(fine, own)
        scale = self._unit(x) << (fraction - fine)
        shift = np.zeros(len(weight), object) if bias is None else bias.astype(object)
        shift = shift * (1 << (fraction - own)) if bias is not None else shift
        reached = np.abs(weight.astype(object)).reshape(len(weight), -1).sum(axis=1)
        most = x.peak if x.element != "bits" else 1
        peak = int((reached * most * abs(scale) + np.abs(shift)).max())
        made = self._finished(peak, fraction, layer.format, (scale if weight.any() else 0,))
        tables = ((of_bits(layout.bits), weight), (made.element, shift))
        return evolve(made, tables=tables)

    def pooled(self, layer: Pool | GlobalSum, x: Tensor, count: int) -> Sum:
        """ΣX; an average over 2^p elements has p more fraction bits, another is multiplied by the
        rounded reciprocal."""
        scale, fraction = self._unit(x), x.fraction
        if isinstance(layer, Pool) and layer.how == "avg":
            power = count.bit_length() - 1
            if count == 1 << power:
                fraction += power
            else:
                scale, fraction = scale * factor(count), fraction + FACTOR_BITS
        peak = (1 if x.element == "bits" else x.peak) * abs(scale) * count
        return self._finished(peak, fraction, layer.format, (scale,))

    def added(self, layer: Add, inputs: list[Tensor], last: bool) -> Sum:
        """Every term brought to the largest fraction."""
        fraction = max(x.fraction for x in inputs)
        scales = tuple(self._unit(x) << (fraction - x.fraction) for x in inputs)
        tops = [1 if x.element == "bits" else x.peak for x in inputs]
        peak = sum(abs(s) * top for s, top in zip(scales, tops, strict=True))
        return self._finished(peak, fraction, layer.format if last else None, scales)

    def passed(self, format: Format | None, x: Tensor) -> Sum:
        """Elements of what is read, as they are or in a format."""
        return self._finished(self._peak(x), x.fraction, format, (self._unit(x),), x)

    def charged(self, layer: Neuron, x: Tensor) -> Population:
        """u = decay·V + gain·X + bias, whichever the charge: every constant an integer on a grid
        that is fine enough for each."""
        state = layer.state_format
        assert state is not None
        v, i = Fraction(2) ** -state.fraction, Fraction(2) ** -x.fraction
        leak, rest = Fraction(layer.leak), Fraction(layer.rest)
        decay, gain, bias = {
            "normal": (Fraction(layer.decay), Fraction(layer.gain), Fraction(layer.bias)),
            "lif": (1 - leak, leak, leak * rest),
            "lif_undecayed": (1 - leak, Fraction(1), leak * rest),
        }[layer.charge]
        ends = (Fraction(layer.threshold), Fraction(layer.value))
        terms = (decay * v, gain * i * self._unit(x), bias, *ends)
        fraction = max(state.fraction, *(_fraction(term) for term in terms))
        units = [int(term * Fraction(2) ** fraction) for term in terms]
        most = 1 if x.element == "bits" else x.peak
        peak = abs(units[0]) << (state.bits - 1)
        peak += abs(units[1]) * most + abs(units[2]) + max(map(abs, units[3:]))
        made = self._finished(peak, fraction, state, ())
        payload, fine = dyadic(layer.payload)
        spike = Fixed(np.array([payload]), fine).quantised(layer.format)
        texts = ", ".join(literal(made.element, unit) for unit in units)
        start = int(math.ldexp(layer.start, state.fraction))
        fired = (start, int(spike.units[0]), spike.fraction)
        return Population(made.element, "charge_normal", f"{{ {texts} }}", made.finish, *fired)

    def logits(self, x: Tensor) -> Sum:
        """L = ΣA over the timesteps."""
        peak = self._peak(x) * self.network.timesteps
        return self._finished(peak, x.fraction, None, (self._unit(x),))

    def _unit(self, x: Tensor) -> int:
        """What an element of `x` is multiplied by: for bits, the value of a spike."""
        return int(x.value) if x.element == "bits" else 1

    def _peak(self, x: Tensor) -> int:
        return abs(int(x.value)) if x.element == "bits" else x.peak

    def _finished(
        self,
        peak: int,
        fraction: int,
        format: Format | None,
        scales: tuple[int, ...],
        like: Tensor | None = None,
    ) -> Sum:
        """Sums of at most ±peak, formed in integers wide enough for each step of their finish."""
        by = 0 if format is None else fraction - format.fraction
        if peak >= 1 << 63:
            raise NetworkError(f"sums reach {peak}, more than 64 bits hold")
        wide = peak >= 1 << INT32 or abs(by) >= INT32 or (format and format.bits > INT32)
        element: Element = "i64" if wide else "i32"
        if format is None:
            same = like is not None and like.element != "bits"
            kept = like.element if same and like else of_peak(peak)
            return Sum(element, scales, _kept(element, kept, fraction, peak))
        return Sum(element, scales, _rounded(element, peak, by, format))


def _kept(element: Element, kept: Element, fraction: int, peak: int) -> Finish:
    elements: dict[str, Element] = {"sum": element, "output": kept}
    made = kernel("finish_keep", elements, types={"format": "fixed_format"})
    return Finish(made, "", kept, fraction, peak)


def _rounded(element: Element, peak: int, by: int, format: Format) -> Finish:
    high, output = 1 << (format.bits - 1), of_bits(format.bits)
    stem = "finish_raise" if by <= 0 else f"finish_{format.rounding}"
    elements: dict[str, Element] = {"sum": element, "output": output}
    calls = {} if by <= 0 else {"shifted": kernel("shifted", {"sum": element})}
    made = kernel(stem, elements, calls, {"format": "fixed_format"})
    constants = f"{{ {literal('i32', -high)}, {literal('i32', high - 1)}, {abs(by)}u }}"
    rounded = peak << -by if by <= 0 else -(-peak >> by)
    return Finish(made, constants, output, format.fraction, min(rounded, high), format.bits)


def _fraction(value: Fraction) -> int:
    """The fewest fraction bits, also below 0, with which a dyadic number is an integer."""
    return value.denominator.bit_length() - 1
