"""Event execution against the scalar reference: events, order, times, states, bit for bit."""

import os
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from event_networks import DOCUMENTED, chain, documented, drawn, events, quantised
from event_reference import reference
from test_engine_law import levels

from snn_engine import EngineError, Event, EventEngine
from snn_engine import records as parts_of
from snn_engine.engine import answer
from snn_engine.message import message
from snn_kernel.network import Add, Conv, Flatten, Linear, Network, Neuron, Pool, Relu
from snn_kernel.signals import EVENT

F = np.float32
SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[2] / ".." / "shared"))


def compare(network, records, how, cpu=None, parts=1, known=None):
    """Everything that the engine says of a stream is what the reference says of it (`known`, if it
    has been asked before); how many events each population emitted."""
    expected = known or reference(network, records, how)
    with EventEngine.load(network, how, cpu) as engine:
        runs = [engine.run(part, monitor=list(expected)) for part in np.array_split(records, parts)]
        counters = engine.counters()
        for name, (emitted, population) in expected.items():
            found = np.concatenate([run.monitors[name] for run in runs])
            np.testing.assert_array_equal(found, emitted, name)
            counted(counters, name, population, len(emitted), how)
            if len(records) and how.dt_us:
                population.until(int(records["t"][-1]) // how.dt_us)
            state = engine.state(name)
            assert state.dtype == population.v.dtype
            np.testing.assert_array_equal(state, population.v, name)
        np.testing.assert_array_equal(np.concatenate([r.records for r in runs]), emitted)
    return {name: len(emitted) for name, (emitted, _) in expected.items()}


def counted(counters, name, population, emitted, how):
    """Counters are what the reference has done."""
    neuron, operations = population.neuron, population.operations
    none = dict.fromkeys(counters[name], 0)
    again = emitted if neuron.reset == "subtract" and not how.single_spike else 0
    leaky = neuron.charge != "normal" or neuron.decay != 1
    assert counters[population.synapses.name] == none | {
        "events_in": population.events,
        "synaptic_operations": operations,
        "weight_reads": operations,
        "potential_reads": operations,
        "potential_writes": operations,
        "bias_reads": 0 if population.synapses.bias is None else population.steps,
    }
    assert counters[name] == none | {
        "events_out": emitted,
        "resets": emitted,
        "comparisons": operations + again,
        "potential_reads": population.steps,
        "potential_writes": population.steps,
        "leaks": population.steps if leaky else 0,
    }


def varied(seed, **more):
    """Options that differ from seed to seed."""
    floor = None if seed % 4 == 1 else -1.0
    return Event(dt_us=40, single_spike=seed % 3 == 1, floor=floor, **more)


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize("order", ["hwc", "chw"])
def test_random_networks(cpu, order):
    spikes = 0
    for seed in range(12):
        network, how = drawn(seed), varied(seed, order=order)
        spikes += sum(compare(network, events(network, 40, seed), how, cpu, 1 + seed % 3).values())
    assert spikes > 1000


@pytest.mark.parametrize("cpu", list(levels()))
@pytest.mark.parametrize(("bits", "state"), [(8, 16), (8, 8), (8, 24), (12, 20)])
def test_random_networks_of_integers(cpu, bits, state):
    spikes = 0
    for seed in range(6):
        network = quantised(drawn(seed), bits, state)
        records = events(network, 40, seed)
        spikes += sum(compare(network, records, varied(seed), cpu, 1 + seed % 3).values())
    assert spikes > 400


@pytest.mark.slow
@pytest.mark.parametrize("order", ["hwc", "chw"])
def test_many_random_networks(order):
    for seed in range(100, 400):
        network, how = drawn(seed, 14), varied(seed, order=order)
        compare(network, events(network, 150, seed), how, None, 1 + seed % 5)
        compare(quantised(network, 8, 16), events(network, 80, seed), how)


@pytest.mark.parametrize("order", ["hwc", "chw"])
@pytest.mark.parametrize("name", DOCUMENTED)
@pytest.mark.parametrize("whole", [False, True])
def test_documented_networks(order, name, whole):
    """An MLP, a sensor of 2 × 128 × 128, and one of 64 to 256 channels."""
    network = documented(name)
    network = quantised(network) if whole else network
    records, how = events(network, 20, 3), Event(order=order)
    known = reference(network, records, how)
    for cpu in levels():
        assert min(compare(network, records, how, cpu, known=known).values()) > 0


def trained():
    """The document's MNIST network, with the weights that its authors trained."""
    torch = pytest.importorskip("torch")
    path = SHARED / "data" / "sinabs_weights" / "mnist_params.pt"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    weights = torch.load(path, weights_only=True, map_location="cpu").values()
    return documented("mnist", [weight.numpy() for weight in weights])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("order", ["hwc", "chw"])
def test_mnist_network_with_trained_weights(whole, order):
    """A stroke of a pen; thresholds so low that spikes reach the last layer soon."""
    low = [evolve(n, threshold=0.25) if isinstance(n, Neuron) else n for n in trained().layers]
    network = chain(low, (1, 28, 28))
    network = quantised(network) if whole else network
    records = events(network, 24, 1)
    records["x"], records["y"] = 12 + records["x"] % 4, 8 + np.arange(24) // 4
    known = reference(network, records, Event(order=order))
    for cpu in levels():
        found = compare(network, records, Event(order=order), cpu, 3, known)
        assert min(found.values()) > 0


def test_neither_messages_nor_chunks_nor_queues_change_a_result(monkeypatch):
    """A stream in pieces of any size; spikes that overflow every queue."""
    weight = np.random.default_rng(0).random((9, 2, 3, 3)).astype(F)
    layers = [Conv("conv", weight, None, (1, 1), (1, 1)), Neuron("first", 0.02)]
    layers += [Flatten("flatten"), Linear("linear", np.full((7, 9 * 36), 0.3, F), None)]
    network = chain([*layers, Neuron("last", 0.25)], (2, 6, 6))
    compare(network, events(network, 5, 0), Event(order="chw"))
    records = events(network, 150, 1)
    with EventEngine.load(network) as engine:
        whole = engine.run(records, ["first"])
        for size in (1, 7, 100, 257):
            engine.reset()
            monkeypatch.setattr(parts_of, "CALL_EVENTS", size)
            parts = engine.run(records, ["first"])
            assert parts == whole
            np.testing.assert_array_equal(parts.monitors["first"], whole.monitors["first"])
            assert engine.counters() == whole.counters


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_samples_are_runs_from_rest(threads):
    network = drawn(5)
    given = [events(network, n, n) for n in (30, 0, 1, 77, 12)]
    with EventEngine.load(network, Event(dt_us=40)) as engine:
        engine.run(events(network, 20, 0))
        before = engine.counters()
        found, counters = engine.samples(given, threads)
        assert engine.counters() == before
        total = 0
        for sample, out in zip(given, found, strict=True):
            engine.reset()
            np.testing.assert_array_equal(out, engine.run(sample).records)
            total += engine.counters()["linear"]["synaptic_operations"]
    assert counters["linear"]["synaptic_operations"] == total > 0


def one(threshold=1.0, weight=1.0, **more) -> Network:
    """One weight for each of two inputs."""
    linear = Linear("l", np.full((1, 2), weight, F), more.pop("bias", None))
    return chain([linear, Neuron("n", threshold, **more)], (2,))


def test_whatever_integers_fields_and_times():
    with EventEngine.load(one()) as engine:
        assert len(engine.run((0, 0, 5, 1)).records) == 1
        assert len(engine.run(np.array([(0, 0, 6, 1)], EVENT)[0]).records) == 1
        odd = np.zeros(3, [("p", "u1"), ("t", ">i8"), ("w", "f8"), ("y", "i2"), ("x", "<u2")])
        odd["t"] = [7, 2**40, 2**40 + 2**33]
        found = engine.run(odd).records
        assert found["t"].tolist() == odd["t"].tolist()
        assert len(engine.run(np.empty(0, EVENT)).records) == 0
        engine.reset()
        out = engine.run(np.array([(0, 0, 9, 0), (0, 0, 8, 0)], EVENT), sorted=False).records
        assert (out.dtype, out["t"].tolist()) == (EVENT, [9, 8])


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ((0, 0, 5, 2), r"record 0: p is 2, the input \[2\] has 2"),
        ((1, 0, 5, 0), "record 0: x is 1"),
        ((0, 0.5, 5, 0), "x, y, t, p are not whole numbers"),
        ((-1, 0, 5, 0), "record 0: x is -1"),
        ((0, 0, -5, 0), "a time is -5 µs"),
        (np.array([(0, 0, 9, 0), (0, 0, 8, 0)], EVENT), "record 1: its time, 8 µs, is before 9"),
        (np.zeros(3, [("x", "u4"), ("y", "u4"), ("ts", "u4"), ("p", "u4")]), "found x, y, ts, p"),
        (np.zeros(3, [(n, "f4") for n in "xytp"]), "the fields x, y, t, p are not integers"),
        (np.zeros((3, 4), np.uint32), "fields x, y, t, p; found uint32"),
        (np.zeros((3, 4), EVENT), "2-dimensional"),
        (np.array([10, 10, 100_000, 0], EVENT), r"one event is the tuple \(x, y, t, p\)"),
    ],
)
def test_what_is_no_event_is_told_and_changes_nothing(wrong, text):
    with EventEngine.load(one(2.0)) as engine:
        engine.run((0, 0, 1, 0))
        before = engine.counters()
        with pytest.raises(EngineError, match=text) as error:
            engine.run(wrong)
        assert error.value.code == "events"
        assert engine.state("n").tolist() == [1]
        assert engine.counters() == before
        assert len(engine.run((0, 0, 1, 0)).records) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "t"),
    [({"threshold": 1e-3, "weight": 8e3}, 0), ({"decay": -1.0, "start": -0.5}, 2**32 - 1)],
)
def test_what_never_ends_is_stopped_and_taken_back(more, t):
    """Spikes without number; potentials that every timestep turns round."""
    with EventEngine.load(one(**{"start": -0.5} | more), Event(dt_us=1)) as engine:
        records = np.zeros(60_000, EVENT)
        records["t"] = t
        handle = engine._handle
        request, at = message({"op": "events", "t0_us": 0}, "records", records.nbytes)
        np.frombuffer(request, EVENT, offset=at)[:] = records
        with pytest.raises(EngineError, match="operations follow") as error:
            answer(handle.call(request))
        assert error.value.code == "limit"
        assert engine.counters()["n"]["events_out"] == 0
        engine.run((0, 0, 0, 0))


def test_monitors_are_populations():
    with (
        EventEngine.load(one()) as engine,
        pytest.raises(EngineError, match="'x' is no layer"),
    ):
        engine.run(np.zeros(1, EVENT), monitor=["x"])


def conv(name, stride=(1, 1)):
    return Conv(name, np.ones((1, 1, 1, 1), F), None, stride, (0, 0))


def pool(how="avg", size=(2, 2), stride=(2, 2), padding=(0, 0)):
    return Pool("p", how, size, stride, padding)


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([conv("c"), Relu("r")], "layer 'r': a Relu that stands between synapses"),
        ([Relu("r"), conv("c"), Neuron("n", 1.0)], "'r': a Relu that puts out numbers"),
        ([pool("max"), conv("c"), Neuron("n", 1.0)], "'p': a Pool that is a maximum"),
        ([pool(stride=(1, 1)), conv("c"), Neuron("n", 1.0)], "'p': a Pool that overlaps"),
        ([Neuron("n", 1.0)], "'n': a Neuron that has no synapses before it"),
        ([conv("c"), Neuron("n", 1.0), conv("d")], "'d': a Conv that is the last layer"),
        ([conv("c"), Neuron("n", 0.0)], "'n': 'threshold' is not above 0"),
        ([conv("c"), Neuron("n", 1.0, reset="value", value=1.0)], "'value' is at the threshold"),
        ([conv("c"), Neuron("n", 1.0, decay=0.5)], "'n': bias or leak act once per timestep"),
        ([conv("c"), Neuron("n", 1.0, start=-2.0)], "'start' is below the floor"),
    ],
)
def test_what_single_events_cannot_go_through_is_named(layers, text):
    with pytest.raises(EngineError, match=text):
        EventEngine.load(chain(layers, (1, 4, 4)))


def test_branches_are_refused():
    layers = (conv("c"), Neuron("n", 1.0), Add("a"), conv("d"), Neuron("m", 1.0))
    edges = (("input", "c"), ("c", "n"), ("n", "a"), ("input", "a"), ("a", "d"), ("d", "m"))
    network = Network(layers, edges, (1, 4, 4), 1)
    with pytest.raises(EngineError, match="layer 'a': it reads 'input', not the layer before it"):
        EventEngine.load(network)


@pytest.mark.parametrize("whole", [False, True])
def test_silent_timesteps_are_made_up_for_also_where_only_looked_at(whole):
    network = one(100.0, charge="lif", tau=8.0, weight=50.0, bias=np.array([3.0], F))
    network = quantised(network, 8, 16) if whole else network
    with (
        EventEngine.load(network, Event(dt_us=1000)) as engine,
        EventEngine.load(network, Event(dt_us=1000)) as other,
    ):
        engine.run(np.array([(0, 0, 0, 0), (0, 0, 50_000, 0)], EVENT))
        other.run((0, 0, 0, 0))
        for t in range(1000, 50_001, 1000):
            other.run((0, 0, t, 0) if t == 50_000 else np.empty(0, EVENT))
            other.state("n")
        assert engine.state("n").tobytes() == other.state("n").tobytes()
        assert engine.counters() == other.counters()
        settled = evolve(engine.execution, dt_us=1)
    with EventEngine.load(network, settled) as engine:
        engine.run(np.array([(0, 0, 0, 0), (0, 0, 4_000_000_000, 0)], EVENT))
