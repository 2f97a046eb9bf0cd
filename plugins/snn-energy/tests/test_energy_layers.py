"""What the equations get to see of a network."""

import attrs
import numpy as np
import pytest

from snn_energy.layers import describe
from snn_kernel import RunError
from snn_kernel.network import Add, BatchNorm, Conv, Flatten, GlobalSum, Linear, Neuron, Pool

RNG = np.random.default_rng(0)


def conv(name, out, inner, kernel=(3, 3), *, stride=(1, 1), padding=(1, 1), groups=1):
    weight = RNG.normal(size=(out, inner // groups, *kernel)).astype(np.float32)
    return Conv(name, weight, np.zeros(out, np.float32), stride, padding, groups)


def norm(name, channels):
    return BatchNorm(name, np.ones(channels, np.float32), np.zeros(channels, np.float32))


def pool(name, how="max"):
    return Pool(name, how, (2, 2), (2, 2), (0, 0))


def test_a_layers_neuron_lies_behind_batch_norm_and_pooling(processed):
    layers = [conv("c", 4, 2), norm("b", 4), pool("p"), Neuron("n", 1.0, decay=0.5)]
    model = processed(layers, (2, 4, 4), 3, {"input": 12, "n": 9}, samples=3)
    c, b, p = describe(model)
    assert [x.name for x in (c, b, p)] == ["c", "b", "p"]
    assert (c.neuron, c.leak, c.spikes_out, c.output.binary) == (True, True, 3.0, True)
    assert c.output.rate == 9 / (16 * 3 * 3)
    assert (c.input.count, c.input.step, c.input.rate) == (4.0, 4 / 3, 12 / (32 * 9))
    assert (c.elements_in, c.elements_out) == (32, 64)
    assert not b.neuron
    assert not b.output.binary
    assert p.spikes_out == 0


@pytest.mark.parametrize(
    ("neuron", "leak"),
    [
        (Neuron("n", 1.0), False),
        (Neuron("n", 1.0, decay=0.9), True),
        (Neuron("n", 1.0, charge="lif", tau=2.0), True),
        (Neuron("n", 1.0, charge="lif_undecayed", tau=2.0), True),
        (Neuron("n", 1.0, gain=0.5, reset="value"), False),
    ],
)
def test_leak(processed, neuron, leak):
    (layer,) = describe(processed([conv("c", 1, 1), neuron], (1, 4, 4)))
    assert layer.leak is leak


def test_another_layer_stands_between_it_and_the_next_neuron(processed):
    layers = [conv("a", 2, 1), GlobalSum("g"), Neuron("n", 1.0)]
    a, _ = describe(processed(layers, (1, 4, 4)))
    assert not a.neuron
    a, b = describe(processed([conv("a", 2, 1), conv("b", 2, 2), Neuron("n", 1.0)], (1, 4, 4)))
    assert not a.neuron
    assert b.neuron
    assert b.hybrid


def test_synapses_of_grouped_and_strided_convolutions(processed):
    layers = [conv("c", 6, 4, (5, 3), stride=(2, 2), padding=(2, 1), groups=2), Neuron("n", 1.0)]
    (c,) = describe(processed(layers, (4, 8, 8)))
    s = c.synapses
    assert (s.cin, s.cout, s.groups, s.positions, s.strided) == (4, 6, 2, 15, 6)
    assert s.weights == 6 * 2 * 15


def residual(processed, **counts):
    layers = [
        *(conv("c", 2, 1), Neuron("n", 1.0), conv("d", 2, 2), Neuron("m", 1.0)),
        *(Add("add"), Flatten("f"), Linear("fc", np.ones((3, 32), np.float32), None)),
    ]
    edges = [
        *(("input", "c"), ("c", "n"), ("n", "d"), ("d", "m"), ("m", "add"), ("n", "add")),
        *(("add", "f"), ("f", "fc")),
    ]
    return processed(layers, (1, 4, 4), 2, counts, samples=2, edges=edges)


def test_a_sum_of_spikes_counts_as_that_many_spikes(processed):
    model = residual(processed, input=8, n=10, m=6, add=(12, 16.0), f=(12, 16.0))
    _, _, add, f, fc = describe(model)
    assert (add.summands, add.input.count, add.input.elements) == (2, 8.0, 64)
    assert add.output.count == f.output.count == fc.input.count == 8.0
    assert add.output.binary
    assert fc.input.binary
    assert not fc.hybrid


def test_a_sum_of_numbers_does_not(processed):
    model = residual(processed, input=8, n=10, m=(6, 1.5), add=(12, 3.2), f=(12, 3.2))
    fc = describe(model)[-1]
    assert fc.hybrid
    assert fc.input.count == 6.0


def test_no_network_is_an_error_that_says_why(processed):
    model = attrs.evolve(
        processed([conv("c", 1, 1)], (1, 4, 4)), network=None, obstacle="neuron 'X' cannot lower"
    )
    with pytest.raises(RunError, match=r"model 'net': .*neuron 'X' cannot lower"):
        describe(model)


def test_an_activity_that_is_not_of_this_network_is_an_error(processed):
    good = processed([conv("c", 1, 1), Neuron("n", 1.0)], (1, 4, 4), 2)
    other = processed([conv("c", 1, 2), Neuron("n", 1.0)], (2, 2, 2), 3)
    with pytest.raises(RunError, match="counted on the layers"):
        describe(attrs.evolve(good, activity=good.activity[:1]))
    with pytest.raises(RunError) as caught:
        describe(attrs.evolve(good, activity=other.activity))
    assert [str(f).split(": ", 1)[1] for f in caught.value.faults] == [
        "layer 'c': 3 timesteps, but 2 are run",
        "layer 'c': 4 outputs, but it has 16",
        "layer 'c': 8 inputs, but it has 16",
        "layer 'n': 3 timesteps, but 2 are run",
        "layer 'n': 4 outputs, but it has 16",
        "layer 'n': 4 inputs, but it has 16",
    ]
    none = tuple(attrs.evolve(a, samples=0) for a in good.activity)
    with pytest.raises(RunError, match="on at least one"):
        describe(attrs.evolve(good, activity=none))


def test_networks_that_cannot_be_described(processed):
    with pytest.raises(RunError, match="no layers but neurons and ReLU"):
        describe(processed([Neuron("n", 1.0)], (3,)))
    layers = [conv("c", 1, 1), Neuron("n", 1.0), Neuron("m", 2.0), Add("add")]
    edges = [("input", "c"), ("c", "n"), ("c", "m"), ("n", "add"), ("m", "add")]
    with pytest.raises(RunError, match=r"layer 'c': feeds the neurons \['m', 'n'\]"):
        describe(processed(layers, (1, 4, 4), edges=edges))
    edges = [("input", "add"), ("input", "add")]
    with pytest.raises(RunError, match="its input was not counted"):
        describe(processed([Add("add")], (2,), edges=edges))
