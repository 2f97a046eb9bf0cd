"""A torch.nn.Sequential as a document, and networks of ReLUs made spiking ones."""

import math

import numpy as np
import pytest

from snn_engine import from_model
from snn_engine.sequential import Firing, lower
from snn_kernel import RunError
from snn_kernel.network import Conv, Flatten, Linear, Neuron, Pool

torch = pytest.importorskip("torch")
nn = torch.nn


class IAF(nn.Module):
    """What a network sees of sinabs' IAF."""

    def __init__(self, spike_threshold=1.0, min_v=-1.0, tau_mem=math.inf, reset_fn=None):
        super().__init__()
        self.spike_threshold = torch.tensor(spike_threshold)
        self.min_v, self.tau_mem, self.reset_fn = min_v, tau_mem, reset_fn
        self.spike_fn = MultiSpike


class MultiSpike:
    pass


class SingleSpike:
    pass


class MembraneReset:
    pass


class SumPool2d(nn.LPPool2d):
    def __init__(self, size):
        super().__init__(1, size)


def body(*more):
    conv = nn.Conv2d(2, 3, 3, stride=(2, 1), padding=1)
    return nn.Sequential(conv, IAF(0.5), *more)


def test_every_layer_has_its_record():
    grouped = nn.Conv2d(3, 6, (1, 2), groups=3, bias=False, padding="valid")
    tail = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(6 * 1 * 1, 4, bias=False))
    model = body(nn.AvgPool2d(2), nn.Sequential(grouped, IAF(), SumPool2d(2)), tail, IAF(2.0))
    made = lower(model, (2, 8, 7))
    layers = made.network.layers
    names = ["0", "1", "2", "3.0", "3.1", "3.2", "4.0", "4.2", "5"]
    assert [layer.name for layer in layers] == names
    kinds = [Conv, Neuron, Pool, Conv, Neuron, Pool, Flatten, Linear, Neuron]
    assert [type(layer) for layer in layers] == kinds
    assert (layers[0].stride, layers[0].padding, layers[0].groups) == ((2, 1), (1, 1), 1)
    np.testing.assert_array_equal(layers[0].weight, model[0].weight.detach().numpy())
    np.testing.assert_array_equal(layers[0].bias, model[0].bias.detach().numpy())
    assert (layers[3].groups, layers[3].bias) == (3, None)
    assert [n.threshold for n in made.network.only(Neuron)] == [0.5, 1.0, 2.0]
    assert [(p.how, p.size, p.stride) for p in made.network.only(Pool)] == [
        ("avg", (2, 2), (2, 2)),
        ("sum", (2, 2), (2, 2)),
    ]
    assert made.firing == Firing(-1.0, single=False)


def test_a_module_in_two_places_is_two_layers_but_no_two_populations():
    """Its weights are the same in both, the potentials of neurons would be."""
    pool, linear = nn.AvgPool2d(2), nn.Linear(4, 4)
    layers = (*body(pool, nn.Conv2d(3, 1, 1), IAF(0.5), pool), nn.Flatten(), linear, IAF(0.5))
    made = lower(nn.Sequential(*layers, linear, IAF(0.5)), (2, 16, 8))
    assert [layer.name for layer in made.network.layers] == [str(i) for i in range(11)]
    assert [type(made.network.layers[i]) for i in (2, 5, 7, 9)] == [Pool, Pool, Linear, Linear]
    iaf = IAF()
    with pytest.raises(RunError, match=r"layer '3': is the same object as layer '1'.*its own"):
        lower(nn.Sequential(nn.Linear(4, 4), iaf, linear, iaf), (4,))


def test_spikingjellys_neurons():
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    soft = lower(nn.Sequential(nn.Linear(4, 2), neuron.IFNode(0.5, v_reset=None)), (4,))
    assert soft.network.layers[1] == Neuron("1", 0.5)
    assert soft.firing == Firing(None, single=True)
    hard = lower(nn.Sequential(nn.Linear(4, 2), neuron.IFNode(1.0, v_reset=-0.5)), (4,))
    assert hard.network.layers[1] == Neuron("1", 1.0, reset="value", value=-0.5, start=-0.5)
    leaky = nn.Sequential(nn.Linear(4, 2), neuron.LIFNode())
    with pytest.raises(RunError, match=r"'1' \(LIFNode\): is not supported \(neurons with a leak"):
        lower(leaky, (4,))


def test_options_of_iaf():
    reset = nn.Sequential(nn.Linear(4, 2), IAF(reset_fn=MembraneReset(), min_v=None))
    made = lower(reset, (4,))
    assert made.network.layers[1] == Neuron("1", 1.0, reset="value")
    assert made.firing == Firing(None, single=False)
    reset[1].spike_fn = SingleSpike
    assert lower(reset, (4,)).firing == Firing(None, single=True)
    leaky = nn.Sequential(nn.Linear(4, 2), IAF(tau_mem=torch.tensor(20.0)))
    with pytest.raises(RunError, match=r"layer '1' \(IAF\): has a leak"):
        lower(leaky, (4,))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (body(nn.ReLU(), nn.Linear(3, 2), IAF()), r"'2' \(ReLU\): .* \(a spiking layer must"),
        (body(nn.MaxPool2d(2)), r"layer '2' \(MaxPool2d\): is not supported \(supported: Conv2d"),
        (body(nn.BatchNorm2d(3)), r"layer '2' \(BatchNorm2d\): is not supported"),
        (body(nn.Conv2d(3, 3, 1), nn.Flatten()), "layer '2': is not followed by a spiking layer"),
        (body(nn.Conv2d(3, 3, 1)), "layer '2': does not end in a spiking layer"),
        (body(IAF()), "layer '2': is a spiking layer, and behind no Conv2d or Linear"),
        (body(nn.AvgPool2d(2)), "layer '2': does not end in a spiking layer"),
        (body(nn.AvgPool2d(3, 2)), r"stride \(2, 2\) is not its kernel size \(3, 3\)"),
        (body(nn.AvgPool2d(2, padding=1)), r"padding is 1 \(supported: \(0, 0\)\)"),
        (body(nn.AvgPool2d(2, ceil_mode=True)), r"ceil_mode is True \(supported: False\)"),
        (body(nn.LPPool2d(2, 2)), r"layer '2' \(LPPool2d\): norm_type is 2.*supported: 1"),
        (body(nn.Flatten(0)), r"start_dim is 0 \(supported: 1\)"),
        (body(nn.Conv2d(3, 3, 3, dilation=2), IAF()), r"dilation is \(2, 2\)"),
        (body(nn.Conv2d(3, 3, 3, padding="same"), IAF()), r"padding is 'same' .*numbers"),
        (body(nn.Linear(9, 2), IAF()), r"input_shape \(2, 8, 8\): layer '2' does not fit"),
        (body(nn.Conv2d(3, 3, 1), IAF(min_v=None)), "different floors or numbers of spikes"),
        (nn.Sequential(), "the network: does not end in a spiking layer"),
        (nn.ReLU(), r"layer '0' \(ReLU\)"),
        (nn.ModuleList([nn.Linear(1, 1)]), r"layer '0' \(ModuleList\): is not supported"),
    ],
)
def test_what_cannot_be_taken_is_named(model, text):
    with pytest.raises(RunError, match=text):
        lower(model, (2, 8, 8))


def test_all_faults_at_once():
    with pytest.raises(RunError) as caught:
        lower(body(nn.ReLU(), nn.MaxPool2d(2), nn.Tanh()), (2, 8, 8))
    assert len(caught.value.faults) == 3


def test_conversion_keeps_weights_and_model():
    torch.manual_seed(5)  # by chance all of three outputs can be silent
    ann = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), nn.Flatten()), nn.Linear(8, 3))
    made = from_model(ann, add_spiking_output=True, spike_threshold=0.5, min_v=None, batch_size=2)
    assert made.analog_model is ann
    assert isinstance(ann[1][0], nn.ReLU)
    snn = made.spiking_model
    assert [type(m).__name__ for m in snn] == ["Conv2d", "Sequential", "Linear", "IAF"]
    assert (snn[3].spike_threshold, snn[3].min_v, snn[3].batch_size) == (0.5, None, 2)
    assert torch.equal(snn[0].weight, ann[0].weight)
    assert snn[0].weight is not ann[0].weight
    assert len(from_model(ann).spiking_model) == 3
    ends = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU()))
    made = from_model(ends, add_spiking_output=True, samples=torch.rand(30, 4)).spiking_model
    assert len(made) == 2  # its output spikes already
    assert lower(snn, (1, 4, 4)).firing == Firing(None, single=False)


def test_neurons_fire_as_documented():
    """Several spikes of a large input, none below zero, a floor, and a state that stays."""
    iaf = from_model(nn.Sequential(nn.ReLU())).spiking_model[0]
    x = torch.tensor([[2.5], [0.5], [-3.0], [1.5], [0.5]])
    assert iaf(x).flatten().tolist() == [2, 1, 0, 0, 1]
    assert iaf(torch.tensor([[1.0]])).item() == 1
    assert iaf.v.item() == 0
    iaf(torch.tensor([[0.75]]))
    iaf.reset()
    assert iaf(torch.tensor([[0.5]])).item() == 0


def test_rates_approximate_activations():
    """Over many timesteps, spikes per timestep are what a ReLU puts out (Rueckauer et al. 2017)."""
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 4), nn.ReLU())
    x, steps = torch.rand(5, 6), 2000
    made = from_model(ann, min_v=None, batch_size=5).spiking_model
    with torch.no_grad():
        rates = made(x.repeat_interleave(steps, 0)).unflatten(0, (5, steps)).mean(1)
        assert torch.allclose(rates, ann(x), atol=0.01)


def test_normalisation_changes_no_class_and_bounds_rates():
    torch.manual_seed(1)
    ann = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 4))
    ann = nn.Sequential(*(m for m in ann), nn.ReLU())
    with torch.no_grad():
        for layer in ann[::2]:
            layer.weight *= 30
            layer.bias += 3
        x = torch.rand(50, 6)
        made = from_model(ann, samples=x, percentile=100.0).spiking_model
        scaled = nn.Sequential(*(nn.ReLU() if i % 2 else m for i, m in enumerate(made)))
        expected, found = ann(x), scaled(x)
        assert torch.equal(expected.argmax(1), found.argmax(1))
        assert torch.allclose(found, expected / expected.max(), atol=1e-5)
        for i in (2, 4, 6):
            assert scaled[:i](x).max().item() == pytest.approx(1, abs=1e-5)


def test_normalised_networks_spike_alike_whatever_the_threshold():
    """A threshold of 2 doubles every number of a layer: float32 has them without rounding."""
    torch.manual_seed(2)
    ann = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 4), nn.ReLU())
    x, steps = torch.rand(5, 6), 400
    shown = x.repeat_interleave(steps, 0)
    made = [
        from_model(ann, spike_threshold=t, min_v=None, batch_size=5, samples=x, percentile=100.0)
        for t in (1.0, 2.0)
    ]
    with torch.no_grad():
        one, two = (m.spiking_model(shown) for m in made)
        rates = two.unflatten(0, (5, steps)).mean(1)
        expected = ann(x)
    assert torch.equal(one, two)
    assert torch.allclose(rates, expected / expected.max(), atol=0.01)


def test_a_normalised_readout_without_neurons_puts_out_what_it_did():
    """Also where two layers follow each other, which only together see what neurons told."""
    torch.manual_seed(3)
    ann = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 8), nn.Linear(8, 4))
    x, steps = torch.rand(5, 6), 2000
    with torch.no_grad():
        ann[0].weight *= 30
        made = from_model(ann, min_v=None, batch_size=5, samples=x, percentile=100.0).spiking_model
        found = made(x.repeat_interleave(steps, 0)).unflatten(0, (5, steps)).mean(1)
        assert torch.allclose(found, ann(x), atol=0.02)


def test_one_relu_in_two_places_becomes_two_layers_of_neurons():
    torch.manual_seed(4)
    relu = nn.ReLU()
    ann = nn.Sequential(nn.Linear(6, 20), relu, nn.Sequential(nn.Linear(20, 4), relu))
    x = torch.rand(50, 6)
    with torch.no_grad():
        ann[0].weight *= 30
        made = from_model(ann, samples=x, percentile=100.0).spiking_model
        neurons = [made[1], made[2][1]]
        assert [type(n).__name__ for n in neurons] == ["IAF", "IAF"]
        assert neurons[0] is not neurons[1]
        scaled = nn.Sequential(made[0], relu, made[2][0], relu)
        assert torch.allclose(scaled(x), ann(x) / ann(x).max(), atol=1e-5)


def test_what_cannot_be_converted():
    with pytest.raises(RunError, match=r"a Linear, not a torch\.nn\.Sequential"):
        from_model(nn.Linear(1, 1))
    silent = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with torch.no_grad():
        silent[0].bias -= 100
    with pytest.raises(RunError, match="layer '1' is silent on the samples"):
        from_model(silent, samples=torch.rand(3, 2))
    with pytest.raises(RunError, match="percentile is 0, not above 0"):
        from_model(silent, samples=torch.rand(3, 2), percentile=0)
    normed = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU())
    with pytest.raises(RunError, match="layer '0' is a BatchNorm1d: it cannot be normalised"):
        from_model(normed, samples=torch.rand(3, 2))
    twice = nn.Linear(2, 2)
    with pytest.raises(RunError, match="layer '2' stands in two places"):
        from_model(nn.Sequential(twice, nn.ReLU(), twice), samples=torch.rand(30, 2))
    after = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(2, 2))
    with pytest.raises(RunError, match="layer '1' is behind no layer with weights of its own"):
        from_model(after, samples=torch.rand(3, 2))
