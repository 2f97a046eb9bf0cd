"""The deployer ZigEngine on hand-made networks, and on one that torch trained."""

import itertools
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from attrs import evolve

from snn_deploy_engine.deployer import ZigEngine
from snn_engine import EngineError
from snn_kernel import Context, DataError, Processed, RunError, Samples, Trained
from snn_kernel.network import Conv, Flatten, Format, Linear, Network, Neuron
from snn_network.reference import Reference


@pytest.fixture
def context(tmp_path):
    return Context(seed=1, folder=tmp_path)


def network(mode="static", timesteps=3):
    """Two classes: the brighter half of a 2×4 picture of one channel wins."""
    weight = np.zeros((2, 8), np.float32)
    weight[0, [0, 1, 4, 5]] = weight[1, [2, 3, 6, 7]] = 0.5
    layers = (
        Conv("conv", np.ones((1, 1, 1, 1), np.float32), None, (1, 1), (0, 0)),
        Neuron("neuron", 1.0),
        Flatten("flatten"),
        Linear("linear", weight, None),
    )
    names = ("input", "conv", "neuron", "flatten", "linear")
    edges = tuple(itertools.pairwise(names))
    return Network(layers, edges, (1, 2, 4), timesteps, mode)


def pictures():
    x = np.zeros((3, 2, 4, 1), np.float32)
    x[0, :, :2] = 1.0
    x[1, :, 2:] = 0.5
    x[2, 0, 3] = 1.0
    return Samples(x, np.array([0, 1, 0]), "NHWC")


def processed(net, obstacle=""):
    return Processed("toy", None, Trained(None), network=net, obstacle=obstacle)


def test_static_samples(context):
    told = []
    context = evolve(context, progress=lambda *what: told.append(what))
    made = ZigEngine(threads=2).deploy(processed(network()), pictures(), context)
    assert made.target == "ZigEngine"
    path = made.files["network"]
    assert path == context.folder / "toy.network"
    assert Network.unpack(path.read_bytes()) == network()
    # Inputs of 1 fire at each of the 3 timesteps, inputs of 0.5 at the second one.
    expected = np.array([[2, 0], [0, 2 / 3], [0, 0.5]], np.float32)
    np.testing.assert_array_equal(made.prediction.logits, expected)
    bits = np.unpackbits(made.prediction.spikes["neuron"], axis=2)
    assert made.prediction.neurons == {"neuron": 8}
    np.testing.assert_array_equal(bits[0], [[1, 1, 0, 0, 1, 1, 0, 0]] * 3)
    np.testing.assert_array_equal(bits[1].sum(axis=1), [0, 4, 0])
    measures = {m.name: m for m in made.measures}
    assert measures["accuracy"].value == pytest.approx(2 / 3)
    assert measures["spikes"].value == pytest.approx((12 + 4 + 3) / 3)
    assert measures["engine_time"].value > 0
    assert {m.source for m in made.measures} == {"ZigEngine"}
    assert told[-1] == ("deploy", 3, 3, {})


def test_a_quantised_network(context):
    """In integers it gives what the law says, and tells in which formats."""
    act, wide, state = Format(4, 1), Format(8, 1), Format(9, 3, "floor")
    weight = np.array([[1] * 8, [0] * 4 + [3] * 4], np.int8)
    integer = {"accumulator": "int32", "weight_format": wide}
    ones = np.full((1, 1, 1, 1), 2, np.int8)
    layers = (
        Conv("conv", ones, None, (1, 1), (0, 0), **integer, input_formats=(act,), format=act),
        Neuron("neuron", 0.5, charge="lif", leak=0.5, state_format=state),
        Flatten("flatten"),
        Linear("linear", weight, np.array([1, 0], np.int8), **integer),
    )
    plain = network()
    net = evolve(plain, layers=layers, input_format=Format(6, 2))
    samples = pictures()
    made = ZigEngine(threads=2).deploy(processed(net), samples, context)
    logits, spikes = Reference(net).run(samples.channels_first())
    np.testing.assert_array_equal(made.prediction.logits, logits)
    expected = np.packbits(spikes["neuron"], axis=2)
    np.testing.assert_array_equal(made.prediction.spikes["neuron"], expected)
    assert made.measures[1].value == spikes["neuron"].sum() / 3 > 0
    (table,) = made.tables
    assert (table.name, table.source) == ("formats", "ZigEngine")
    assert table.columns == ("layer", "input", "weight", "state", "output", "bound", "accumulator")
    assert set(table.brief) < set(table.columns)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["input"] == ("", "", "", "6.2 nearest", 32, "")
    assert rows["conv"] == ("4.1 nearest", "8.1 nearest", "", "4.1 nearest", 16, "int32")
    assert rows["neuron"][2] == "9.3 floor"
    assert rows["linear"][-2:] == (net.bounds["linear"].sum, "int32")
    assert ZigEngine().deploy(processed(plain), samples, context).tables == ()


def test_timesteps_in_the_data(context):
    once = pictures()
    repeated = np.repeat(once.x[:, None], 3, axis=1)
    timed = Samples(repeated, once.y, "NTHWC")
    made = ZigEngine().deploy(processed(network("sequence")), timed, context)
    static = ZigEngine().deploy(processed(network()), once, context)
    assert made.prediction == static.prediction


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (Samples(np.ones((1, 2, 3, 1), np.float32), np.zeros(1, np.int64), "NHWC"), "takes"),
        (Samples(np.ones((1, 3, 2, 4, 1), np.float32), np.zeros(1, np.int64), "NTHWC"), "THWC"),
        (Samples(np.ones((0, 2, 4, 1), np.float32), np.zeros(0, np.int64), "NHWC"), "no test"),
    ],
)
def test_samples_that_do_not_fit(context, samples, text):
    with pytest.raises(DataError, match=text):
        ZigEngine().deploy(processed(network()), samples, context)
    assert not list(context.folder.iterdir())


def test_a_model_that_cannot_be_lowered(context):
    made = processed(None, obstacle="layer 'x' is a Dropout3d")
    with pytest.raises(RunError, match="'toy' cannot run in ZigEngine: layer 'x' is a Dropout3d"):
        ZigEngine().deploy(made, pictures(), context)


def test_what_the_engine_refuses_names_the_layer(context):
    net = network()
    integer = evolve(net.layers[0], accumulator="int32")
    net = evolve(net, layers=(integer, *net.layers[1:]))
    with pytest.raises(EngineError, match="layer 'conv': 'accumulator' is an integer"):
        ZigEngine().deploy(processed(net), pictures(), context)


class Lowered:
    def lower(self):
        return Neuron("n", 1.0)


class Bare:
    pass


def test_neurons_without_a_lowered_form_are_refused_when_planning():
    def model(name, neuron):
        return SimpleNamespace(name=name, choice=SimpleNamespace(config=neuron))

    with_neuron = [SimpleNamespace(neuron=n) for n in (Lowered(), Bare(), None)]
    models = [model(f"m{i}", config) for i, config in enumerate([*with_neuron, object()])]
    found = list(ZigEngine().check(SimpleNamespace(models=tuple(models)), "[deploy]"))
    assert len(found) == 1
    assert "model 'm1': its neuron Bare has no lowered form" in found[0]


@pytest.mark.parametrize("fields", [{"execution": "analog"}, {"threads": 0}, {"threads": 257}])
def test_wrong_fields(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        ZigEngine(**fields)


def test_the_plugin_is_light():
    """It is imported whenever kinds are listed: neither the engine nor torch may come with it."""
    code = (
        "import sys, snn_deploy_engine.plugin as p; [k.config for k in p.snnk_deployers()];"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"snn_engine", "torch", "spikingjelly"} & set(done.stdout.split())


def test_spike_for_spike_as_spikingjelly(context):
    torch = pytest.importorskip("torch")
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    rng = np.random.default_rng(0)
    w1 = (rng.integers(-64, 65, (6, 1, 3, 3)) / 64).astype(np.float32)
    w2 = (rng.integers(-64, 65, (3, 6 * 5 * 5)) / 64).astype(np.float32)
    x = (rng.integers(0, 17, (20, 5, 5, 1)) / 16).astype(np.float32)
    samples = Samples(x, rng.integers(0, 3, 20), "NHWC")
    lif = neuron.LIFNode(tau=2.0, v_reset=None)
    conv = torch.nn.Conv2d(1, 6, 3, padding=1, bias=False)
    head = torch.nn.Linear(6 * 5 * 5, 3, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(w1))
        head.weight.copy_(torch.from_numpy(w2))
        frames = torch.from_numpy(samples.channels_first())
        spikes = [lif(conv(frames)).flatten(1) for _ in range(4)]
        logits = sum(map(head, spikes[1:]), head(spikes[0])) / 4
    layers = (
        Conv("conv", w1, None, (1, 1), (1, 1)),
        Neuron("lif", 1.0, charge="lif", tau=2.0),
        Flatten("flatten"),
        Linear("head", w2, None),
    )
    edges = (("input", "conv"), ("conv", "lif"), ("lif", "flatten"), ("flatten", "head"))
    made = ZigEngine().deploy(processed(Network(layers, edges, (1, 5, 5), 4)), samples, context)
    np.testing.assert_array_equal(made.prediction.logits, logits.numpy())
    expected = np.packbits(torch.stack(spikes, 1).numpy() != 0, axis=2)
    np.testing.assert_array_equal(made.prediction.spikes["lif"], expected)
    assert 0.05 < expected.mean() / 255 < 0.95
