"""What a model reads as, what cannot be expressed, and the grids that make sums exact."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import layer as sj
from spikingjelly.activation_based import neuron
from torch import nn

from snn_framework_spikingjelly.exact import Grid, input_format, settle
from snn_framework_spikingjelly.generic import GenericNeuron
from snn_framework_spikingjelly.lowering import lower
from snn_kernel import NetworkError
from snn_kernel.network import (
    Add,
    BatchNorm,
    Conv,
    Flatten,
    Format,
    GlobalSum,
    Linear,
    Neuron,
    Pool,
    Relu,
)

torch.set_num_threads(1)


class Line(nn.Module):
    """Layers one after another, as a model for images [8, 8, 2]."""

    def __init__(self, **layers):
        super().__init__()
        self.timesteps, self.input_shape = 2, (2, 8, 8, 2)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x


def kinds(model):
    return [(layer.name, type(layer)) for layer in lower(model, timed=False).network.layers]


def test_layers_are_named_by_module_paths_and_dropout_vanishes():
    block = nn.Sequential(sj.Conv2d(2, 3, 3), nn.Dropout(0.5), neuron.IFNode())
    model = Line(block=block, pool=nn.AvgPool2d(2), flat=nn.Flatten(), last=nn.Linear(27, 4))
    assert kinds(model) == [
        ("block.0", Conv),
        ("block.2", Neuron),
        ("pool", Pool),
        ("flat", Flatten),
        ("last", Linear),
    ]


def test_normalisation_folds_only_where_nothing_else_sees_the_sum():
    class Shared(Line):
        def forward(self, x):
            y = self.conv(x)
            return self.bn(y) + y

    layers = {"conv": nn.Conv2d(2, 3, 1, bias=False), "bn": nn.BatchNorm2d(3)}
    assert kinds(Line(**layers)) == [("conv", Conv)]
    assert [kind for _, kind in kinds(Shared(**layers))][:2] == [Conv, BatchNorm]
    (conv,) = lower(Line(**layers), timed=False).network.layers
    assert conv.bias is not None


def test_folding_is_the_normalisation():
    torch.manual_seed(0)
    model = Line(conv=nn.Conv2d(2, 3, 3), bn=nn.BatchNorm2d(3)).double().eval()
    model.bn.running_var.uniform_(0.5, 2)
    model.bn.running_mean.normal_()
    (conv,) = lower(model, timed=False).network.layers
    x = torch.randn(4, 2, 8, 8, dtype=torch.float64)
    weight, bias = (torch.from_numpy(a).double() for a in (conv.weight, conv.bias))
    found = nn.functional.conv2d(x, weight, bias)
    assert torch.allclose(found, model(x), atol=1e-5)


def test_a_node_reads_as_its_parameters():
    node = neuron.LIFNode(tau=4.0, v_threshold=0.5, v_reset=0.25, decay_input=False)
    (lif,) = lower(Line(node=node), timed=False).network.layers
    assert lif == Neuron(
        "node",
        0.5,
        decay=0.75,
        gain=1.0,
        bias=0.0625,
        reset="value",
        value=0.25,
        start=0.25,
        charge="lif_undecayed",
        tau=4.0,
        rest=0.25,
    )


CONV = nn.Conv2d(2, 2, 1)


class Twice(Line):
    def forward(self, x):
        return self.conv(self.conv(x))


class Sigmoid(Line):
    def forward(self, x):
        return torch.sigmoid(self.conv(x))


class Rectified(Line):
    def forward(self, x):
        x = nn.functional.relu(self.conv(torch.relu(x)), inplace=True)
        return self.conv2(x.relu())


class Overwritten(Line):
    def forward(self, x):
        x = self.conv(x)
        return self.relu(x) + x


class Branch(Line):
    def forward(self, x):
        return self.conv(x) if x.sum() > 0 else x


class PlusOne(Line):
    def forward(self, x):
        return self.conv(x) + 1


class Mute:
    def step(self, state, current, fire):
        return state, current


def test_rectifiers_are_modules_functions_and_methods():
    model = Rectified(conv=CONV, conv2=nn.Conv2d(2, 2, 1), last=nn.ReLU(inplace=True))
    assert kinds(model) == [
        ("relu", Relu),
        ("conv", Conv),
        ("relu_1", Relu),
        ("relu_2", Relu),
        ("conv2", Conv),
    ]
    assert kinds(Line(conv=CONV, last=nn.ReLU(inplace=True)))[-1] == ("last", Relu)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Line(c=nn.Conv2d(2, 2, 3, dilation=2)), r"'c': dilation = \(2, 2\)"),
        (Line(c=nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")), "'c': padding_mode"),
        (Line(c=nn.Conv2d(2, 2, 3, padding="same")), "'c': padding = 'same'"),
        (Line(p=nn.MaxPool2d(3, ceil_mode=True)), "'p': ceil_mode = True"),
        (Line(p=nn.AvgPool2d(3, padding=1, count_include_pad=False)), "'p': count_include_pad"),
        (Line(b=nn.BatchNorm2d(2, track_running_stats=False)), "'b': track_running_stats"),
        (Line(f=nn.Flatten(2)), "'f': start_dim = 2"),
        (Line(g=nn.GELU()), r"'g': GELU cannot be expressed; give it a method lower\(name\)"),
        (Line(s=sj.WSConv2d(2, 2, 3)), "'s': WSConv2d cannot be expressed"),
        (Line(n=neuron.ParametricLIFNode()), "'n': ParametricLIFNode cannot be expressed"),
        (Line(n=GenericNeuron(Mute())), "'n': neuron Mute has no normal form"),
        (Twice(conv=CONV), "'conv' is called twice"),
        (Sigmoid(conv=CONV), "'sigmoid' .* is no layer"),
        (Overwritten(conv=CONV, relu=nn.ReLU(inplace=True)), "layer 'relu': inplace = True"),
        (Branch(conv=CONV), "cannot be traced"),
        (PlusOne(conv=CONV), "'add' combines a layer with 1"),
        (nn.Linear(2, 2), "Linear has no timesteps and no input_shape"),
    ],
)
def test_what_cannot_be_expressed_is_named(model, message):
    with pytest.raises(NetworkError, match=message):
        lower(model, timed=False)


magnitudes = st.floats(1e-3, 1e3)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 300),
    magnitudes,
    st.integers(0, 24),
    st.floats(0.1, 64.0),
    st.booleans(),
)
def test_no_partial_sum_rounds(seed, count, scale, fraction, peak, biased):
    """On the grid chosen, every partial sum is a whole number of units below 2^24 or 2^53."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(0, scale, (4, count))
    bias = rng.normal(0, scale, 4) if biased else None
    x = Grid(fraction, math.ceil(math.ldexp(peak, fraction)) / 2**fraction)
    layer, out = settle(Linear("l", weight, bias), [x], (count,))
    bits = {"float32": 24, "float64": 53}[layer.accumulator]
    finest = np.abs(np.ldexp(layer.weight.astype(np.float64), out.fraction - fraction))
    whole = [[int(w) for w in row] for row in finest]
    assert np.array_equal(np.array(whole, np.float64), finest), "weights are whole numbers of units"
    units = int(math.ldexp(x.peak, fraction))
    for k, row in enumerate(whole):
        start = math.ldexp(abs(float(layer.bias[k])), out.fraction) if biased else 0
        assert start == int(start)
        total = int(start) + units * sum(row)
        assert total <= 2**bits
        assert total <= math.ldexp(out.peak, out.fraction)
    assert finest.max() >= 2**13
    assert np.abs(layer.weight - weight).max() <= np.abs(weight).max() * 2.0**-13


def test_spikes_and_coarse_inputs_take_float32_analogue_ones_float64():
    weight = np.random.default_rng(0).normal(0, 0.2, (8, 144))
    spikes, _ = settle(Linear("l", weight, None), [Grid(0, 1.0)], (144,))
    analogue, _ = settle(Linear("l", weight, None), [Grid(23, 2.0)], (144,))
    unknown, grid = settle(Linear("l", weight, None), [None], (144,))
    assert (spikes.accumulator, analogue.accumulator) == ("float32", "float64")
    assert (unknown.accumulator, grid) == ("float64", None)
    assert np.array_equal(unknown.weight, weight.astype(np.float32))


def test_inputs_too_fine_for_any_accumulator_are_refused():
    with pytest.raises(NetworkError, match=r"'l': its inputs need 50 fraction bits.*put a neuron"):
        settle(Linear("l", np.ones((1, 9)), None), [Grid(50, 1.0)], (9,))
    with pytest.raises(NetworkError, match="'p': sums over 4 inputs"):
        settle(Pool("p", "sum", (2, 2), (2, 2), (0, 0)), [Grid(51, 2.0)], (1, 4, 4))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 30))
def test_averages_stay_on_their_grid(seed, count, fraction):
    rng = np.random.default_rng(seed)
    sums = rng.integers(-(2**12), 2**12, 50) * count // count
    grid = Grid(fraction, 2.0 ** (12 - fraction))
    pool = Pool("p", "avg", (count,), (count,), (0,))
    _, out = settle(pool, [grid], (1, 1000), None, False)
    values = (np.ldexp(sums, -fraction).astype(np.float32) / np.float32(count)).astype(np.float64)
    units = np.ldexp(values, out.fraction)
    assert np.array_equal(units, np.rint(units))
    assert np.abs(values).max() <= out.peak


def test_sums_without_weights_take_float64_where_they_must():
    pool, total = Pool("p", "avg", (2, 2), (2, 2), (0, 0)), GlobalSum("g")
    for fraction, accumulator in ((0, "float32"), (22, "float32"), (23, "float64")):
        made, out = settle(pool, [Grid(fraction, 1.0)], (3, 4, 4))
        assert made.accumulator == accumulator
        assert (made.format is not None) == (fraction > 21)  # two more bits, and one to round
        assert out.fraction == min(fraction + 2, 23)
    assert settle(total, [Grid(21, 1.0)], (3, 4, 4))[0].accumulator == "float64"
    assert settle(total, [Grid(21, 1.0)], (3, 4, 4), None, False)[0].format is None
    assert settle(pool, [None], (3, 4, 4))[0].accumulator == "float64"


@pytest.mark.parametrize("layer", [Relu("r"), Add("a"), Pool("p", "avg", (3,), (3,), (0,))])
def test_what_needs_more_than_24_bits_is_put_on_a_grid_of_24(layer):
    inputs = [Grid(40, 3.0)] * (2 if isinstance(layer, Add) else 1)
    made, grid = settle(layer, inputs, (2, 9))
    assert made.format.bits == 25
    assert grid == Grid.of(made.format)
    assert grid.peak / 2 <= 3.0 * len(inputs) <= grid.peak
    assert settle(layer, inputs, (2, 9), None, False)[0].format is None
    nearer, _ = settle(layer, inputs, (2, 9), 0.3)
    assert nearer.format == Format(25, 24)  # to 1, at least twice what is seen
    farther, _ = settle(layer, inputs, (2, 9), 300.0)
    assert farther == made


def test_few_bits_are_clipped_but_not_refined():
    coarse, _ = settle(Relu("r"), [Grid(4, 100.0)], (2,), 3.0)
    assert coarse.format == Format(8, 4)
    assert settle(Relu("r"), [Grid(4, 100.0)], (2,))[0].format is None
    given_format = Relu("r", Format(5, 2))
    assert settle(given_format, [Grid(4, 100.0)], (2,))[0] is given_format


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-20, 60), st.floats(1e-6, 1e6), st.floats(0, 1e6))
def test_values_on_a_grid_are_below_its_peak(seed, fraction, peak, seen):
    made, grid = settle(Relu("r"), [Grid(fraction, peak)], (2,), seen or None)
    x = (np.random.default_rng(seed).random(99) * peak).astype(np.float32)
    if made.format is None:
        assert grid == Grid(fraction, peak)
        return
    y = made.format.apply(x)
    units = np.ldexp(y.astype(np.float64), grid.fraction)
    assert np.array_equal(units, np.rint(units))
    assert y.max() <= grid.peak
    assert made.format.bits <= 25
    if not seen:
        assert np.abs(y - x).max() <= 2.0**-grid.fraction, "nothing is clipped at a bound"


@given(st.integers(0, 2**32 - 1), st.integers(-4, 12), st.integers(1, 10))
def test_exact_data_get_the_coarsest_exact_grid(seed, fraction, width):
    rng = np.random.default_rng(seed)
    x = np.ldexp(rng.integers(-(2**width), 2**width + 1, 60), -fraction).astype(np.float32)
    layout = input_format(x)
    assert np.array_equal(layout.apply(x), x)
    if x.any():
        coarser = np.ldexp(x.astype(np.float64), layout.fraction - 1)
        assert not np.array_equal(coarser, np.rint(coarser)) or layout.bits == 2
        assert 2.0 ** (layout.bits - 1 - layout.fraction) >= 2 * np.abs(x).max()


@pytest.mark.parametrize("scale", [1e-5, 0.3, 1.0, 7.7, 1e6])
def test_other_data_get_24_bits(scale):
    x = (np.random.default_rng(1).random(1000) * scale / 255).astype(np.float32)
    layout = input_format(x)
    assert layout.bits == 25
    step = 2.0**-layout.fraction
    assert step <= np.abs(x).max() * 2.0**-21
    assert np.abs(layout.apply(x) - x).max() <= step / 2
