"""Counters: equal to the slow reference, to the last one; free of batches, threads and levels."""

import itertools

import numpy as np
import pytest
from engine_counts import counters
from engine_networks import frames, networks
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine_law import levels

from quantised_documents import runs
from snn_engine import Engine, EngineError
from snn_engine.engine import COUNTERS
from snn_kernel.network import Add, Conv, Flatten, Linear, Network, Neuron, Pool


def agree(network, x, **options):
    """Run and count; both are what the reference has."""
    with Engine.load(network, **options) as engine:
        found = engine.run(x, counters=True).counters
    expected = [counters(network, sample) for sample in x]
    assert list(found) == list(expected[0])
    for name, columns in found.items():
        assert tuple(columns) == COUNTERS
        for what, column in columns.items():
            assert column.dtype == np.uint64
            assert column.tolist() == [each[name][what] for each in expected], (name, what)
    return found


def chain(*layers, shape, timesteps=3, mode="static"):
    names = ["input", *(layer.name for layer in layers)]
    return Network(tuple(layers), tuple(itertools.pairwise(names)), shape, timesteps, mode)


@pytest.mark.parametrize("cpu", list(levels()))
@given(network=networks(), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_networks_of_floats(cpu, network, seed):
    agree(network, frames(network, 2, seed), cpu=cpu)


@pytest.mark.parametrize("cpu", list(levels()))
@given(run=runs())
@settings(max_examples=100, deadline=None)
def test_quantised_networks(cpu, run):
    agree(*run, cpu=cpu)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("dims", [1, 2])
def test_borders_strides_and_groups(groups, stride, padding, dims):
    """Also strides that step over inputs, and padding that is larger than the kernel reaches."""
    rng = np.random.default_rng(1)
    sides = (7, 6)[:dims]
    conv = Conv(
        "c",
        np.ones((4, 4 // groups, *(3, 2)[:dims]), np.float32),
        None,
        (stride,) * dims,
        (padding,) * dims,
        groups,
    )
    network = chain(conv, Neuron("n", 1.0), shape=(4, *sides))
    agree(network, (rng.random((2, 4, *sides)) < 0.4).astype(np.float32))


@pytest.mark.parametrize("payload", [1.0, 0.5])
def test_sums_of_spikes_are_taken_in_one_by_one(payload):
    """2 is two events, and so is what comes through a Flatten; sums of numbers are not."""
    rng = np.random.default_rng(2)
    layers = (
        Neuron("n", 1.0, payload=payload),
        Pool("p", "max", (1, 1), (1, 1), (0, 0)),
        Add("a"),
        Add("b"),
        Conv("c", np.ones((3, 2, 3, 3), np.float32), None, (1, 1), (1, 1)),
        Neuron("m", 1.0, decay=0.5),
        Flatten("f"),
        Linear("l", np.ones((2, 48), np.float32), np.ones(2, np.float32)),
    )
    edges = [("input", "n"), ("n", "p"), ("n", "a"), ("p", "a"), ("a", "b"), ("n", "b")]
    edges += [("b", "c"), ("c", "m"), ("m", "f"), ("f", "l")]
    network = Network(layers, tuple(edges), (2, 4, 4), 4, "sequence")
    x = rng.random((3, 4, 2, 4, 4)).astype(np.float32).round(2)
    found = agree(network, x)
    spikes = found["n"]["events_out"]
    assert (spikes > 0).all()
    assert (found["c"]["events_in"] == (3 if payload == 1 else 1) * spikes).all()


@pytest.mark.parametrize("sources", [("input", "n"), ("n", "input")])
def test_spikes_added_to_the_input_are_numbers(sources):
    layers = (Neuron("n", 1.0), Add("a"), Linear("l", np.ones((1, 3), np.float32), None))
    edges = (("input", "n"), *((source, "a") for source in sources), ("a", "l"))
    network = Network(layers, edges, (3,), 1)
    found = agree(network, np.array([[2, 1, 0]], np.float32))
    assert found["l"]["events_in"].tolist() == [2]


@given(network=networks(), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_neither_batches_nor_threads_change_a_count(network, seed):
    x = frames(network, 5, seed)
    with Engine.load(network) as engine:
        whole = engine.run(x, counters=True, threads=3).counters
        parts = [engine.run(x[i : i + 1], counters=True).counters for i in range(5)]
    for name, columns in whole.items():
        for what, column in columns.items():
            one_by_one = [int(part[name][what][0]) for part in parts]
            assert column.tolist() == one_by_one, (name, what)


@given(network=networks(), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_counting_changes_nothing_else(network, seed):
    x = frames(network, 3, seed)
    with Engine.load(network) as engine:
        plain, counted = engine.run(x, spikes=True), engine.run(x, spikes=True, counters=True)
    assert plain == counted
    assert plain.counters == {}
    for name, count in plain.counts.items():
        columns = counted.counters.get(name, {})
        if "spikes" in count:
            assert columns["events_out"].sum() == count["spikes"]


def test_the_request_is_checked():
    network = chain(Linear("l", np.ones((1, 2), np.float32), None), shape=(2,))
    with Engine.load(network) as engine:
        assert engine.run(np.empty((0, 2), np.float32), counters=True).counters["l"][
            "events_in"
        ].shape == (0,)
        import msgpack

        request = {"op": "run", "samples": 1, "threads": 1, "spikes": False, "counters": 1}
        answer = msgpack.unpackb(engine._handle.call(msgpack.packb(request | {"frames": b""})))
        assert answer["code"] == "invalid"
        assert answer["error"] == "request: 'counters' is not a boolean"
    with pytest.raises(EngineError), Engine.load(network) as engine:
        engine.run(np.empty((1, 3), np.float32), counters=True)
