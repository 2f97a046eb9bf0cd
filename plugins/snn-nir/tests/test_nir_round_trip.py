"""A network as a graph, a graph as a network, and what both compute."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import nir
import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_equations import Euler
from nir_networks import frames, networks

from snn_kernel import DataError
from snn_kernel.network import INPUT, Add, Conv, Linear, Network, Neuron
from snn_nir.export import graph
from snn_nir.graphfile import read, write
from snn_nir.reading import Reading, network

DT_S = 2.0**-13  # time constants are exact multiples of it


@given(networks(), st.sampled_from([1e-4, 1e-3, 0.7, DT_S]))
@settings(max_examples=60)
def test_a_network_comes_back_as_it_was(written, dt):
    with tempfile.TemporaryDirectory() as folder:
        found = network(read(write(Path(folder) / "graph.nir", graph(written, dt)), own=True))
    assert found == written
    assert found.pack() == written.pack()
    assert network(graph(written, dt)) == written  # and without a file between


@given(networks(), st.integers(0, 1000))
@settings(max_examples=150)
def test_the_equations_of_nir_give_the_spikes_of_the_document(written, seed):
    engine = pytest.importorskip("snn_engine")
    x = frames(written, 2, seed)
    with engine.Engine.load(written) as loaded:
        run = loaded.run(x, spikes=True)
    made = graph(written, DT_S)
    neurons = written.only(Neuron)
    resets, starts = {n.name: n.reset for n in neurons}, {n.name: n.start for n in neurons}
    for i, sample in enumerate(x):
        shown = sample if written.mode == "sequence" else [sample] * written.timesteps
        values = list(Euler(made, DT_S, resets, starts).run(shown))
        for neuron in neurons:
            spikes = np.stack([v[neuron.name].reshape(-1) != 0 for v in values])
            np.testing.assert_array_equal(np.packbits(spikes, axis=1), run.spikes[neuron.name][i])
        logits = sum(v["output"].reshape(-1) for v in values) / written.timesteps
        np.testing.assert_allclose(logits, run.logits[i], rtol=1e-6)


@given(networks(), st.integers(0, 1000))
@settings(max_examples=60)
def test_without_metadata_the_equations_are_enough(written, seed):
    """What others read is the same network where NIR leaves nothing open."""
    engine = pytest.importorskip("snn_engine")
    resets = {n.reset for n in written.only(Neuron)}
    starts = {n.start for n in written.only(Neuron)} - {0.0}
    if len(resets) > 1 or (starts and resets == {"subtract"}):
        return
    how = Reading(
        dt=DT_S,
        timesteps=written.timesteps,
        mode=written.mode,
        reset=next(iter(resets), "value"),
        plain=True,
    )
    plain = network(graph(written, DT_S), how)
    x = frames(written, 2, seed)
    with engine.Engine.load(written) as ours, engine.Engine.load(plain) as theirs:
        expected, found = ours.run(x, spikes=True), theirs.run(x, spikes=True)
    np.testing.assert_array_equal(found.logits, expected.logits)
    for neuron in written.only(Neuron):
        np.testing.assert_array_equal(found.spikes[neuron.name], expected.spikes[neuron.name])


def chain(*layers, shape=(1,), timesteps=2):
    names = [INPUT, *(layer.name for layer in layers)]
    return Network(layers, tuple(itertools.pairwise(names)), shape, timesteps)


@pytest.mark.parametrize(
    ("neuron", "tau", "r", "v_leak"),
    [
        (Neuron("n", 1.0, charge="lif", tau=2.0, rest=0.5), 2e-4, 1.0, 0.5),
        (Neuron("n", 1.0, charge="lif_undecayed", tau=5.0), 5e-4, 5.0, 0.0),
        (Neuron("n", 1.0, decay=0.75, gain=0.5, bias=0.25), 4e-4, 2.0, 1.0),
        (Neuron("n", 1.0, decay=0.0), 1e-4, 1.0, 0.0),
    ],
)
def test_the_parameters_of_a_lif(neuron, tau, r, v_leak):
    """Of tau dv/dt = (v_leak - v) + r I, one step of 0.1 ms of which is the neuron's."""
    node = graph(chain(neuron, shape=(3,))).nodes["n"]
    assert isinstance(node, nir.LIF)
    expected = {"tau": tau, "r": r, "v_leak": v_leak, "v_reset": 0.0}
    for name, value in expected.items():
        found = getattr(node, name)
        assert (found.dtype, found.shape) == (np.float32, (3,))
        np.testing.assert_array_equal(found, np.float32(value))
    # v > v_threshold is v ≥ 1 for every number that float32 has.
    assert (node.v_threshold < 1).all()
    assert (np.nextafter(node.v_threshold, np.float32(2)) == 1).all()


def test_the_parameters_of_an_if():
    node = graph(chain(Neuron("n", 0.5, gain=2.0, reset="value", value=-1.0)), 1e-3).nodes["n"]
    assert isinstance(node, nir.IF)
    assert node.r == pytest.approx(2000)
    assert node.v_reset == -1


def test_sums_are_edges_that_meet():
    one = np.ones((1, 1), np.float32)
    layers = (
        Linear("a", one, None),
        Linear("b", one, None),
        Add("inner"),
        Linear("c", one, None),
        Add("outer"),
        Neuron("n", 1.0),
        Linear("d", one, None),
        Add("last"),
    )
    edges = [(INPUT, "a"), (INPUT, "b"), ("b", "inner"), ("a", "inner"), ("inner", "c")]
    edges += [("c", "outer"), ("inner", "outer"), ("outer", "n"), ("n", "d"), ("d", "last")]
    edges += [("n", "last")]
    written = Network(layers, tuple(edges), (1,), 3)
    made = graph(written)
    assert set(made.nodes) == {INPUT, "a", "b", "c", "n", "d", "output"}
    into = {name: [a for a, b in made.edges if b == name] for name in made.nodes}
    assert into["c"] == ["b", "a"]
    assert into["n"] == ["c", "b", "a"]
    assert into["output"] == ["d", "n"]
    assert network(made) == written
    plain = network(made, Reading(plain=True))
    assert [layer.name for layer in plain.only(Add)] == ["c.sum", "n.sum", "output.sum"]


def test_what_the_graph_says_is_asked_for_once_only():
    made = graph(chain(Neuron("n", 1.0)), 1e-3)
    assert network(made, Reading(dt=1e-3, timesteps=7)).timesteps == 7
    with pytest.raises(DataError, match=r"says itself what holds for dt.*--plain"):
        network(made, Reading(dt=1e-4))
    with pytest.raises(DataError, match=r"for reset, fires"):
        network(made, Reading(reset="value", fires="at"))


def changed(made, name, **values):
    for key, value in values.items():
        setattr(made.nodes[name], key, value)
    return made


def test_metadata_and_parameters_that_contradict_each_other():
    def written(**changes):
        return graph(chain(evolve(Neuron("n", 1.0, payload=0.5), **changes)))

    other = np.full(1, 3.0, np.float32)
    contradicts = r"node 'n' \(IF\): its metadata say something else than its parameters"
    with pytest.raises(DataError, match=contradicts):
        network(changed(written(), "n", v_threshold=other))
    with pytest.raises(DataError, match=contradicts):
        network(changed(written(), "n.scale", scale=other))
    made = written()
    made.edges.append((INPUT, "n.scale"))
    with pytest.raises(DataError, match=r"the rest of 'n', which does not feed it alone"):
        network(made)
    made = written()
    made.edges.append((INPUT, "output"))
    with pytest.raises(DataError, match=r"has other edges than those that its metadata tell"):
        network(made)
    assert network(made, Reading(plain=True)).only(Add)
    for key, value, what in (
        ("charge", "quadratic", "their charge is 'quadratic'"),
        ("tau", np.nan, "their tau is nan"),
        ("layer", "Conv", "they are of a layer 'Conv'"),
        ("colour", 1.0, "they have, or lack, colour"),
    ):
        made = written()
        made.nodes["n"].metadata["snn_kernel"][key] = value
        with pytest.raises(DataError, match=what):
            network(made)
    for key, value in (("dt", -1.0), ("timesteps", 0), ("layers", 3), ("mode", 2.0)):
        made = written()
        made.metadata["snn_kernel"][key] = value
        with pytest.raises(DataError, match="its metadata are damaged"):
            network(made)
    made.metadata["snn_kernel"]["version"] = 2
    with pytest.raises(DataError, match="its metadata are of version 2"):
        network(made)


def test_a_convolution_that_was_given_a_bias_keeps_it():
    layer = Conv("c", np.ones((2, 1, 1, 1), np.float32), None, (1, 1), (0, 0))
    made = graph(chain(layer, shape=(1, 2, 2)))
    assert not made.nodes["c"].bias.any()
    assert network(made).layers[0].bias is None
    changed(made, "c", bias=np.array([0, 1], np.float32))
    np.testing.assert_array_equal(network(made).layers[0].bias, [0, 1])
