"""Event execution against the scalar reference: events, order, times, states, bit for bit."""

import numpy as np
import pytest
from event_networks import chain, drawn, events, quantised
from event_reference import reference
from test_engine_law import levels

from snn_engine import EngineError, Event, EventEngine
from snn_kernel.network import Linear, Neuron

F = np.float32


def compare(network, records, how, cpu=None, parts=1):
    """Everything that the engine says of a stream is what the reference says of it."""
    emitted, states, operations = reference(network, records, how)
    last = list(emitted)[-1]
    with EventEngine.load(network, how, cpu) as engine:
        runs = [engine.run(part, monitor=list(emitted)) for part in np.array_split(records, parts)]
        for name, expected in emitted.items():
            found = np.concatenate([run.monitors[name] for run in runs])
            np.testing.assert_array_equal(found, expected, name)
            state = engine.state(name)
            assert state.dtype == states[name].dtype
            np.testing.assert_array_equal(state, states[name], name)
            counts = engine.counters()[name]
            assert counts["synaptic_operations"] == operations[name]
            assert counts["events_out"] == len(expected)
        np.testing.assert_array_equal(np.concatenate([r.records for r in runs]), emitted[last])
    return {name: len(found) for name, found in emitted.items()}


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize("order", ["hwc", "chw"])
def test_random_networks(cpu, order):
    spikes = 0
    for seed in range(12):
        network = drawn(seed)
        how = Event(
            order=order, dt_us=40, single_spike=seed % 3 == 1, floor=None if seed % 4 == 1 else -1.0
        )
        spikes += sum(compare(network, events(network, 40, seed), how, cpu, 1 + seed % 3).values())
    assert spikes > 1000


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize(("bits", "state"), [(8, 16), (8, 8), (8, 24), (12, 20)])
def test_random_networks_of_integers(cpu, bits, state):
    spikes = 0
    for seed in range(8):
        network = quantised(drawn(seed), bits, state)
        how = Event(dt_us=40, single_spike=seed % 3 == 1, floor=None if seed % 4 == 1 else -1.0)
        spikes += sum(compare(network, events(network, 40, seed), how, cpu, 1 + seed % 3).values())
    assert spikes > 500


def test_the_document_s_mistake_is_told():
    network = chain([Linear("l", np.ones((1, 4), F), None), Neuron("n", 1.0)], (4,))
    with EventEngine.load(network) as engine:
        wrong = np.array([10, 10, 100_000, 0], [(n, np.uint32) for n in "xytp"])
        with pytest.raises(EngineError, match=r"one event is the tuple \(x, y, t, p\)"):
            engine.run(wrong)
        assert len(engine.run((0, 0, 100_000, 3)).records) == 1


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_samples_are_runs_from_rest(threads):
    network = drawn(5)
    how = Event(dt_us=40)
    given = [events(network, n, n) for n in (30, 0, 1, 77, 12)]
    with EventEngine.load(network, how) as engine:
        engine.run(events(network, 20, 0))
        before = engine.counters()
        found, counters = engine.samples(given, threads)
        assert engine.counters() == before
        total = 0
        for sample, out in zip(given, found, strict=True):
            engine.reset()
            np.testing.assert_array_equal(out, engine.run(sample).records)
            total += engine.counters()["out"]["synaptic_operations"]
    assert counters["out"]["synaptic_operations"] == total > 0
