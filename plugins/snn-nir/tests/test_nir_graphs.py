"""Graphs of other simulators, and graphs that no network can be."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

import nir
import numpy as np
import pytest

from snn_kernel import DataError
from snn_kernel.network import Add, BatchNorm, Conv, Flatten, Linear, Neuron, Pool
from snn_nir.graphfile import read
from snn_nir.reading import Reading, network

SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[4] / "shared"))
GRAPHS = SHARED / "data" / "nir"
SINABS = SHARED / "data" / "sinabs_weights" / "scnn_mnist.nir"
IN_TIMESTEPS = 1.0  # the dt of graphs whose integrators have r = 1 and count timesteps


def given(path):
    if not path.is_file():
        pytest.skip(f"no graph at {path}")
    return path


def single(node, shape=(1,), outputs=None):
    """A graph of one node between an input and an output."""
    ends = {"in": nir.Input({"input": np.array(shape)})}
    ends["out"] = nir.Output({"output": np.array(outputs or shape)})
    nodes = {"in": ends["in"], "node": node, "out": ends["out"]}
    return nir.NIRGraph(nodes, [("in", "node"), ("node", "out")], type_check=False)


def lif(tau=0.0025, r=1.0, v_leak=0.0, v_threshold=0.1, v_reset=0.0, shape=(1,)):
    values = {"tau": tau, "r": r, "v_leak": v_leak, "v_threshold": v_threshold, "v_reset": v_reset}
    return nir.LIF(**{name: np.full(shape, value) for name, value in values.items()})


def test_the_first_experiment_of_the_paper_is_norses_trace():
    """lif_norse.nir over lif_norse.csv (input, potential, spike): every spike, and the potential to
    the last bits of float32, at every one of 1000 timesteps."""
    engine = pytest.importorskip("snn_engine")
    trace = np.loadtxt(given(GRAPHS / "01_lif" / "lif_norse.csv"), delimiter=",")
    made = network(read(given(GRAPHS / "lif_norse.nir")), Reading(timesteps=1000, mode="sequence"))
    affine, neuron = made.layers
    assert isinstance(affine, Linear)
    assert (neuron.charge, neuron.tau, neuron.reset) == ("lif", 25.0, "value")
    x = trace[None, :, :1].astype(np.float32)
    with engine.Engine.load(made) as loaded:
        run = loaded.run(x, spikes=True)
    spikes = np.unpackbits(run.spikes["1"][0], axis=1)[:, 0]
    np.testing.assert_array_equal(spikes, trace[:, 2])
    assert np.flatnonzero(spikes).tolist() == [460, 510, 710, 760]
    v = np.float32(0)
    for value, potential in zip(x[0, :, 0], trace[:, 1], strict=True):
        u = v + (value - v) / np.float32(neuron.tau)
        v = np.float32(0) if u >= np.float32(neuron.threshold) else u
        assert v == pytest.approx(potential, rel=1e-5, abs=1e-12)
    for other in ("exact", "snntorch"):
        theirs = np.loadtxt(GRAPHS / "01_lif" / f"lif_{other}.csv", delimiter=",")
        np.testing.assert_array_equal(spikes, theirs[:, 2])


@pytest.mark.parametrize("name", ["if_conv_pool", "if_conv_nopool"])
@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_integrators_spike_as_in_spikingjelly(name, reset):
    engine = pytest.importorskip("snn_engine")
    torch = pytest.importorskip("torch")
    sj = pytest.importorskip("spikingjelly.activation_based.neuron")
    how = Reading(dt=IN_TIMESTEPS, timesteps=5, mode="sequence", reset=reset, fires="at")
    made = network(read(given(GRAPHS / f"{name}.nir")), how)
    modules = []
    for layer in made.layers:
        match layer:
            case Conv():
                stride, padding = layer.stride, layer.padding
                weight, bias = map(torch.from_numpy, (layer.weight, layer.bias))
                modules.append(
                    lambda x, w=weight, b=bias, s=stride, p=padding: torch.nn.functional.conv2d(
                        x, w, b, s, p
                    )
                )
            case Pool():
                modules.append(lambda x: 4 * torch.nn.functional.avg_pool2d(x, 2, 2))
            case Flatten():
                modules.append(lambda x: x.flatten(1))
            case Linear():
                weight, bias = map(torch.from_numpy, (layer.weight, layer.bias))
                modules.append(lambda x, w=weight, b=bias: torch.nn.functional.linear(x, w, b))
            case Neuron():
                modules.append(
                    sj.IFNode(v_threshold=1.0, v_reset=None if reset != "value" else 0.0)
                )
    rng = np.random.default_rng(1)
    x = (rng.random((4, 5, 2, 34, 34)) < 0.3).astype(np.float32)
    spikes = {layer.name: [] for layer in made.only(Neuron)}
    for t in range(5):
        y = torch.from_numpy(x[:, t])
        for layer, module in zip(made.layers, modules, strict=True):
            y = module(y)
            if isinstance(layer, Neuron):
                spikes[layer.name].append(y.reshape(4, -1).numpy() != 0)
    with engine.Engine.load(made) as loaded:
        run = loaded.run(x, spikes=True)
    for neuron, found in spikes.items():
        expected = np.packbits(np.stack(found, axis=1), axis=2)
        np.testing.assert_array_equal(run.spikes[neuron], expected)
        assert np.stack(found).any()


def test_a_graph_with_a_constant_current():
    """two_lif_neurons.nir: v_leak drives the first above its threshold, once in 18 ms."""
    engine = pytest.importorskip("snn_engine")
    how = Reading(timesteps=400, mode="sequence")
    made = network(read(given(GRAPHS / "two_lif_neurons.nir")), how)
    first, _ = made.only(Neuron)
    assert (first.tau, first.rest) == (100.0, pytest.approx(1.2))
    with engine.Engine.load(made) as loaded:
        run = loaded.run(np.zeros((1, 400, 1), np.float32), spikes=True)
    spikes = np.unpackbits(run.spikes["lif1"][0], axis=1)[:, 0]
    period = np.log(1.2 / 0.2) / -np.log1p(-1 / 100)  # timesteps from 0 to 1 towards 1.2
    assert np.flatnonzero(spikes).tolist() == [int(np.ceil(period)) * n - 1 for n in (1, 2)]
    assert not run.spikes["lif2"].any()


def test_the_second_experiment_of_the_paper():
    """A network of Sinabs, its integrators counting timesteps."""
    made = network(read(given(SINABS)), Reading(dt=IN_TIMESTEPS, reset="subtract"))
    assert made.input_shape == (2, 34, 34)
    assert [type(layer).__name__ for layer in made.layers[:5]] == [
        *("Conv", "Neuron", "Conv", "Neuron", "Pool")
    ]
    assert {n.gain for n in made.only(Neuron)} == {1.0}
    assert made.shapes[made.layers[-1].name] == (10,)


def recordings():
    """The first 100 test recordings of N-MNIST as frames of 1 ms, and their labels."""
    with zipfile.ZipFile(given(SHARED / "data" / "nmnist_small" / "nmnist_small.zip")) as archive:
        names = [n for n in archive.namelist() if n.startswith("Test/") and n.endswith(".bin")]
        found = [np.frombuffer(archive.read(name), np.uint8) for name in names]
    frames = np.zeros((len(names), 300, 2, 34, 34), np.float32)
    for frame, read_bytes in zip(frames, found, strict=True):
        x, y, high, middle, low = read_bytes.reshape(-1, 5).astype(np.int64).T
        t_us = (high & 127) << 16 | middle << 8 | low
        np.add.at(frame, (np.minimum(t_us // 1000, 299), high >> 7, y, x), 1)
    return frames, np.array([int(name.split("/")[1]) for name in names])


@pytest.mark.parametrize(("reset", "right"), [("value", 100), ("subtract", 98)])
def test_a_network_of_sinabs_recognises_digits(reset, right):
    engine = pytest.importorskip("snn_engine")
    how = Reading(dt=IN_TIMESTEPS, timesteps=300, mode="sequence", reset=reset)
    made = network(read(given(SINABS)), how)
    frames, labels = recordings()
    with engine.Engine.load(made) as loaded:
        logits = loaded.run(frames).logits
    assert (logits.argmax(axis=1) == labels).sum() == right


def test_other_primitives():
    scale = nir.Scale(np.repeat(np.float32([2, 3]), 4).reshape(2, 2, 2))
    (layer,) = network(single(scale, (2, 2, 2))).layers
    assert isinstance(layer, BatchNorm)
    np.testing.assert_array_equal(layer.scale, [2, 3])
    (layer,) = network(single(nir.Threshold(np.full(3, 0.5)), (3,))).layers
    assert (layer.decay, layer.gain, layer.reset) == (0.0, 1.0, "value")
    assert layer.threshold == np.nextafter(np.float32(0.5), np.float32(1))
    (layer,) = network(single(nir.Threshold(np.full(3, 0.5)), (3,)), Reading(fires="at")).layers
    assert layer.threshold == 0.5
    conv = nir.Conv2d(None, np.ones((1, 1, 3, 1)), 1, "same", 1, 1, np.zeros(1))
    (layer,) = network(single(conv, (1, 4, 4))).layers
    assert layer.padding == (1, 0)


def test_subgraphs_are_inlined():
    inner = nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([1])}),
            "affine": nir.Affine(np.ones((1, 1)), np.zeros(1)),
            "lif": lif(),
            "output": nir.Output({"output": np.array([1])}),
        },
        [("input", "affine"), ("affine", "lif"), ("lif", "output")],
    )
    made = network(single(inner))
    assert [layer.name for layer in made.layers] == ["node.affine", "node.lif"]
    inner.nodes["second"] = nir.Output({"output": np.array([1])})
    with pytest.raises(DataError, match="its subgraph 'node' has 1 inputs and 2 outputs"):
        network(single(inner))


def test_a_recurrent_graph():
    """As the third experiment of the paper has them: a population that feeds itself."""
    made = single(lif())
    for name in ("w_out", "w_in"):
        made.nodes[name] = nir.Linear(np.ones((1, 1)))
    made.edges += [("node", "w_out"), ("w_out", "w_in"), ("w_in", "node")]
    with pytest.raises(DataError, match="is recurrent") as caught:
        network(made)
    ways = "node → w_out → w_in → node → w_out → w_in → node"
    (cycle,) = re.findall(r"\((.*)\)", str(caught.value))
    assert cycle in ways
    assert cycle.count("→") == 3


TWO = np.array([0.1, 0.2])


@pytest.mark.parametrize(
    ("node", "shape", "what"),
    [
        (nir.CubaLIF(*[np.ones(1)] * 5), (1,), "its synaptic current is a second state"),
        (nir.CubaLI(*[np.ones(1)] * 4), (1,), "its synaptic current is a second state"),
        (nir.LI(*[np.ones(1)] * 3), (1,), "integrates and never spikes"),
        (nir.I(np.ones(1)), (1,), "integrates and never spikes"),
        (nir.Delay(np.ones(1)), (1,), "it delays"),
        (nir.IF(np.ones(2), TWO), (2,), r"v_threshold differs between neurons \(0.1 to 0.2\)"),
        (lif(tau=1e-5), (1,), "its tau of 1e-05 s is shorter than a timestep of 0.0001 s"),
        (lif(tau=np.inf), (1,), "its tau is inf"),
        (lif(r=np.nan), (1,), "its r is nan"),
        (nir.Scale(TWO.reshape(1, 2)), (1, 2), "its factors differ within a channel"),
        (lif(shape=(2, 3)), (3, 2), r"it is of shape \(2, 3\), and what it gets of \(3, 2\)"),
        (nir.Flatten({"input": np.array([1, 2, 3])}), (1, 2, 3), "it flattens dimensions 1 to -1"),
        (nir.Affine(np.ones((2, 3, 4)), np.ones(3)), (2, 4), r"weight is of shape \(2, 3, 4\)"),
        (nir.Affine(np.ones((2, 3)), np.ones(2)), (4,), r"does not fit its input \(4,\)"),
        (nir.Affine(np.ones((2, 3)), np.ones(5)), (3,), "its bias is no array of 2 numbers"),
        (
            nir.Conv2d(None, np.ones((1, 1, 2, 2)), 1, 0, 2, 1, np.zeros(1)),
            (1, 4, 4),
            r"its dilation is \(2, 2\)",
        ),
        (
            nir.Conv2d(None, np.ones((1, 1, 2, 2)), 1, "same", 1, 1, np.zeros(1)),
            (1, 4, 4),
            "its padding 'same' is not the same on both sides",
        ),
        (
            nir.SumPool2d(np.array([2, -2]), np.array([1, 1]), np.array([0, 0])),
            (1, 4, 4),
            r"its kernel_size is \[2, -2\], beyond 0 to",
        ),
    ],
)
def test_what_no_network_can_be(node, shape, what):
    with pytest.raises(DataError, match=what) as caught:
        network(single(node, shape))
    assert "node" in str(caught.value)


def test_all_that_is_wrong_is_told_at_once():
    made = single(nir.Delay(np.ones(1)))
    made.nodes["other"] = nir.LI(*[np.ones(1)] * 3)
    made.edges += [("node", "other"), ("other", "out")]
    with pytest.raises(DataError) as caught:
        network(made, where="here.nir")
    assert [fault.where for fault in caught.value.faults] == [
        "here.nir, node 'node' (Delay)",
        "here.nir, node 'other' (LI)",
    ]
    with pytest.raises(DataError) as caught:
        network(nir.NIRGraph({}, [("a", "b")], type_check=False))
    assert len(caught.value.faults) == 3  # no input, no output, edges of nobody


def test_inputs_and_outputs_that_are_no_way_through():
    made = single(lif())
    made.nodes["in2"] = nir.Input({"input": np.array([1])})
    with pytest.raises(DataError, match=r"has 2 nodes Input \(in, in2\), not one"):
        network(made)
    made = single(lif())
    made.nodes["dangling"] = lif()
    made.edges.append(("node", "dangling"))
    with pytest.raises(
        DataError, match=r"'dangling' \(LIF\): is not on the way from input to output"
    ):
        network(made)
    made = single(lif())
    made.edges = made.edges[1:]
    with pytest.raises(DataError, match=r"'node' \(LIF\): is not on the way"):
        network(made)
    straight = nir.NIRGraph({k: v for k, v in made.nodes.items() if k != "node"}, [("in", "out")])
    with pytest.raises(DataError, match="is no network: a network needs"):
        network(straight)


def test_edges_that_meet_at_one_node_are_a_sum():
    made = single(lif())
    made.nodes["before"] = nir.Linear(np.ones((1, 1)))
    made.edges += [("in", "before"), ("before", "node")]
    found = network(made)
    assert [layer.name for layer in found.only(Add)] == ["node.sum"]
