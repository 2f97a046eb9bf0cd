"""The integer law: its two roundings, its bounds, and a network computed by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from quantised_documents import formats, runs
from snn_kernel.network import (
    INPUT,
    Conv,
    Format,
    GlobalSum,
    Linear,
    Network,
    NetworkError,
    Neuron,
    Pool,
)
from snn_network.fixed import Fixed, dyadic, factor, saturate, shift
from snn_network.reference import WITNESSES, Reference, witness

wide = st.integers(-(1 << 52), 1 << 52)


def rounded(value: Fraction, rounding: str) -> int:
    half = Fraction(1, 2) if rounding == "nearest" else 0
    return math.ceil(value) if rounding == "ceil" else math.floor(value + half)


@given(wide, st.integers(-8, 60), st.sampled_from(["nearest", "floor", "ceil"]))
@example(-3, 1, "nearest")
@example(3, 1, "nearest")
def test_shift_is_the_rounding_it_says(units: int, by: int, rounding: Any) -> None:
    made = shift(np.array([units]), by, rounding)
    assert made[0] == rounded(Fraction(units) / Fraction(2) ** by, rounding)


@given(wide, st.integers(2, 32))
def test_saturate_clamps(units: int, bits: int) -> None:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    assert saturate(np.array([units]), bits)[0] == min(max(units, low), high)


@given(st.integers(-(1 << 20), 1 << 20), st.integers(-3, 20), formats())
def test_integers_and_fake_quantisation_are_one(units: int, fraction: int, format: Format) -> None:
    x = Fixed(np.array([units]), fraction)
    made = x.quantised(format)
    assert made.fraction == format.fraction
    assert made.units[0] == format.quantise(x.numbers())[0]


@given(st.floats(-1e3, 1e3, width=32))
def test_dyadic_is_exact_and_has_the_fewest_bits(value: float) -> None:
    units, fraction = dyadic(value)
    assert Fraction(units, 1 << fraction) == Fraction(value)
    assert fraction == 0 or units % 2


def test_factors_of_averages() -> None:
    assert [factor(k) for k in (3, 6, 9)] == [10923, 5461, 3641]


def test_a_shift_to_the_left_saturates_instead_of_wrapping() -> None:
    made = Fixed(np.array([1 << 50, -(1 << 50), 1, 0]), 0).quantised(Format(32, 40))
    assert made.units.tolist() == [(1 << 31) - 1, -(1 << 31), (1 << 31) - 1, 0]


def test_a_leak_above_one_is_bounded_too() -> None:
    rate = network(leak=3.375)
    assert rate.bounds["n"].sum >= network().bounds["n"].sum * 3.375 / 2


def test_windows_of_padding_alone_and_averages_that_vanish_are_refused() -> None:
    def pooled(how: Any, size: int, padding: int, n: int) -> Network:
        layer = Pool("p", how, (size,), (1,), (padding,), "int64")
        last = Linear("l", np.ones((1, 1), np.int8), None, "int64", weight_format=Format(8, 0))
        layers = (layer, GlobalSum("g", "int64"), last)
        edges = ((INPUT, "p"), ("p", "g"), ("g", "l"))
        return Network(layers, edges, (1, n), 1, input_format=Format(4, 0))

    with pytest.raises(NetworkError, match="does not fit"):
        pooled("max", 2, 2, 5)
    with pytest.raises(NetworkError, match="1/70000 is rounded to 0"):
        pooled("avg", 70_000, 0, 70_000)


class Watched(Reference):
    """A reference that checks every number it makes against the bounds."""

    def layer(self, layer: Any, inputs: Any) -> Fixed:
        made = super().layer(layer, inputs)
        bound = self.network.bounds[layer.name]
        if not isinstance(layer, Neuron):
            assert made.fraction == bound.sum_fraction
            assert np.abs(made.units).max() <= bound.sum
        out = made.quantised(getattr(layer, "format", None))
        assert out.fraction == bound.fraction
        assert np.abs(out.units).max() <= bound.peak
        return made


@given(runs())
def test_no_number_is_beyond_its_bound_and_documents_survive(run: tuple[Network, Any]) -> None:
    network, x = run
    logits, spikes = Watched(network).run(x)
    assert logits.dtype == np.float32
    assert set(spikes) == {n.name for n in network.only(Neuron)}
    again = Network.unpack(network.pack())
    assert again == network
    other, _ = Reference(again).run(x[::-1])
    assert np.array_equal(other[::-1], logits)


def network(**changes: Any) -> Network:
    """One input, a weight of 1.5, an LIF neuron of three fraction bits, a readout."""
    weight = np.array([[3]], np.int8)
    neuron = Neuron(
        "n",
        1.0,
        charge="lif",
        leak=0.375,
        state_format=Format(6, 3, "nearest"),
    )
    layers = (
        Linear("a", weight, None, "int32", weight_format=Format(4, 1)),
        evolve(neuron, **changes),
        Linear("b", weight, np.array([1], np.int8), "int32", weight_format=Format(4, 1)),
    )
    edges = ((INPUT, "a"), ("a", "n"), ("n", "b"))
    return Network(layers, edges, (1,), 4, input_format=Format(6, 2, "floor"))


def test_a_network_computed_by_hand() -> None:
    # x = 1.3 → floor(5.2) = 5 units of 1/4; a = 15/8 each step, u = v + (15/8 - v)·3/8.
    # u: 45/64 → v = nearest(5.625)/8 = 6/8;  6/8 + (15/8 - 6/8)·3/8 = 75/64 ≥ 1: spike,
    # 11/64 → 1/8;  1/8 + (14/8)·3/8 = 50/64 → 6/8;  75/64: spike. Readout 1/2 each step,
    # and 3/2 more where it spiked.
    logits, spikes = Reference(network()).run(np.array([[1.3]], np.float32))
    assert spikes["n"][0, :, 0].tolist() == [False, True, False, True]
    assert logits.tolist() == [[(4 * 0.5 + 2 * 1.5) / 4]]


def test_a_hard_reset_leaks_towards_it() -> None:
    hard = network(reset="value", value=-0.5, start=-0.5, rest=-0.5)
    # -4/8 + (15/8)·3/8 = 13/64 → 2/8;  2/8 + (15/8 - 6/8)·3/8 = 43/64 → 5/8;
    # 5/8 + (15/8 - 9/8)·3/8 = 58/64 → 7/8;  7/8 + (15/8 - 11/8)·3/8 = 68/64 ≥ 1: spike.
    _, spikes = Reference(hard).run(np.array([[1.3]], np.float32))
    assert spikes["n"][0, :, 0].tolist() == [False, False, False, True]


def with_first(network: Network, **changes: Any) -> Network:
    return evolve(network, layers=(evolve(network.layers[0], **changes), *network.layers[1:]))


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda: network(threshold=1.05), "threshold 1.05 is no multiple of 2^-3"),
        (lambda: network(threshold=float("inf")), "threshold inf is no multiple"),
        (lambda: network(leak=float("nan")), "leak nan is no multiple"),
        (lambda: network(state_format=None), "its membrane potential has no format"),
        (lambda: network(state_format=Format(1 << 40, 3)), "bits, not 2 to 32"),
        (lambda: network(format=Format(8, 1 << 40)), "fraction bits, beyond ±60"),
        (lambda: network(input_formats=(None, None)), "1 inputs, 2 input formats"),
        (lambda: evolve(network(), input_format=None), "needs a format of its input"),
        (lambda: with_first(network(), weight_format=None), "its weight has no format"),
        (lambda: with_first(network(), weight=np.array([[9]])), "its weight is not integers of 4"),
        (lambda: with_first(network(), weight=np.array([[1.5]])), "its weight is not integers"),
        (lambda: with_first(network(), accumulator="float32"), "is int32 or int64"),
        (lambda: network(start=4.0), "start 4.0 is beyond its potential's format"),
        (lambda: network(state_format=Format(32, 60), leak=2.0**-40), "more than the 53 bits"),
        (lambda: network(format=Format(4, -60), payload=2.0**-30), "further than 60 bits"),
    ],
)
def test_contradictions_are_refused_with_a_reason(broken: Any, what: str) -> None:
    with pytest.raises(NetworkError) as caught:
        broken()
    assert what in str(caught.value)
    assert "layer '" in str(caught.value) or "input" in str(caught.value)


def test_an_accumulator_too_small_is_refused() -> None:
    weight = np.full((1, 8), 127, np.int8)
    layer = Linear("a", weight, None, "int32", weight_format=Format(8, 0))
    made = Network((layer,), ((INPUT, "a"),), (8,), 1, input_format=Format(21, 0))
    assert made.bounds["a"].accumulator == "int32"
    with pytest.raises(NetworkError, match="beyond its int32"):
        evolve(made, input_format=Format(23, 0))
    assert (
        evolve(made, layers=(evolve(layer, accumulator="int64"),), input_format=Format(23, 0))
        .bounds["a"]
        .accumulator
        == "int64"
    )


def test_two_dimensions_groups_and_an_average_over_six() -> None:
    weight = np.arange(2 * 9, dtype=np.int8).reshape(2, 1, 3, 3) - 8
    layers = (
        Conv("c", weight, None, (2, 1), (1, 1), 2, "int32", weight_format=Format(8, 4)),
        Pool("p", "avg", (2, 3), (1, 1), (0, 0), "int32", Format(8, 2, "floor")),
    )
    made = Network(layers, ((INPUT, "c"), ("c", "p")), (2, 5, 4), 1, input_format=Format(8, 3))
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (1, 2, 5, 4))
    out = Reference(made).step(Fixed(x, 3))["p"]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    for channel in range(2):
        kernel = weight[channel, 0].astype(int)
        conv = [
            [(padded[0, channel, 2 * i : 2 * i + 3, j : j + 3] * kernel).sum() for j in range(4)]
            for i in range(3)
        ]
        for i in range(2):
            for j in range(2):
                total = sum(conv[i + a][j + b] for a in range(2) for b in range(3))
                # from 4 + 3 + 15 fraction bits to 2, rounded down, in 8 bits
                expected = min(max((int(total) * 5461) >> 20, -128), 127)
                assert out.units[0, channel, i, j] == expected


def test_a_witness_runs_as_many_inputs_as_are_soon_done() -> None:
    """A linear layer counts as a convolution does."""
    for inputs, expected in ((4, WITNESSES), (1 << 10, 2)):
        weight = np.ones((1 << 11, inputs), np.int8)
        readout = Linear("r", weight, None, "int64", weight_format=Format(2, 0))
        made = Network((readout,), ((INPUT, "r"),), (inputs,), 64, input_format=Format(2, 0))
        logits, _ = witness(made, np.ones((WITNESSES + 1, inputs), np.float32))
        assert len(logits) == expected
