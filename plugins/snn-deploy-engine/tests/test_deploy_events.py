"""Event execution of a deployed network: samples as events, accuracy and counters."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from attrs import evolve

from snn_deploy_engine.asynchronous import Encoder, spiking
from snn_deploy_engine.deployer import Specksim, ZigEngine
from snn_engine import EngineError, Event, EventEngine
from snn_kernel import Context, DataError, Processed, Samples, Trained
from snn_kernel.network import Conv, Flatten, Format, Linear, Network, Neuron, Pool


@pytest.fixture
def context(tmp_path):
    return Context(seed=1, folder=tmp_path)


def network(mode="static", timesteps=3, **more):
    """Two classes: the half of a 2×4 picture with more events wins."""
    weight = np.zeros((2, 8), np.float32)
    weight[0, [0, 1, 4, 5]] = weight[1, [2, 3, 6, 7]] = 0.5
    layers = (
        Conv("conv", np.ones((1, 1, 1, 1), np.float32), None, (1, 1), (0, 0)),
        Neuron("neuron", 1.0),
        Flatten("flatten"),
        Linear("linear", weight, None),
    )
    names = ("input", *(layer.name for layer in layers))
    edges = tuple(itertools.pairwise(names))
    return Network(layers, edges, (1, 2, 4), timesteps, mode, **more)


def pictures(value=1.0):
    x = np.zeros((3, 2, 4, 1), np.float32)
    x[0, :, :2] = x[1, :, 2:] = x[2, 0, 3] = value
    return Samples(x, np.array([0, 1, 0]), "NHWC")


def processed(net):
    return Processed("toy", None, Trained(None), network=net)


def test_accuracy_and_counters(context):
    told = []
    context = evolve(context, progress=lambda *what: told.append(what))
    made = ZigEngine(execution="event").deploy(processed(network()), pictures(), context)
    known = (made.target, made.prediction, made.samples)
    assert known == ("ZigEngine", None, len(pictures()))
    measures = {m.name: m.value for m in made.measures}
    assert measures["accuracy"] == pytest.approx(2 / 3)
    # Four pixels thrice, then six output spikes of two halves each, in the first two samples.
    assert measures["spikes"] == pytest.approx((12 + 6 + 12 + 6 + 3 + 1) / 3)
    (table,) = made.tables
    assert (table.name, table.source) == ("event_counters", "ZigEngine")
    rows = {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}
    assert list(rows) == ["conv", "neuron", "linear", "output"]
    assert rows["conv"]["events_in"] == rows["neuron"]["events_out"] == 27 / 3
    assert rows["linear"]["synaptic_operations"] == 2 * 27 / 3
    assert told[-1] == ("deploy", 3, 3, {})
    document = Network.unpack(made.files["network"].read_bytes())
    assert document.layers[-1] == Neuron("output", 1.0)


def test_the_document_runs_as_it_was_deployed(context):
    """The written network, in event execution, gives the answers that were counted."""
    made = Specksim().deploy(processed(network()), pictures(), context)
    encoder = Encoder("count", 1000, 3, timed=False)
    x = pictures().channels_first()
    with EventEngine.load(made.files["network"].read_bytes(), Event(dt_us=1000)) as engine:
        out = engine.run(encoder.events(x[1], np.random.default_rng())).records
        np.testing.assert_array_equal(np.bincount(out["p"], minlength=2), [0, 6])


def test_timesteps_in_the_data(context):
    once = pictures()
    timed = Samples(np.repeat(once.x[:, None], 3, axis=1), once.y, "NTHWC")
    deploy = ZigEngine(execution="event").deploy
    static = deploy(processed(network()), once, context)
    sequence = deploy(processed(network("sequence")), timed, context)
    assert [r[1:] for r in static.tables[0].rows] == [r[1:] for r in sequence.tables[0].rows]


def test_a_spiking_readout_is_left_as_it_is():
    net = network()
    whole = spiking(net, 1.0)
    assert spiking(whole, 0.25) is whole


def test_a_quantised_network(context):
    wide, state, spike = Format(8, 1), Format(9, 3), Format(2, 0)
    integer = {"accumulator": "int32", "weight_format": wide}
    layers = (
        Conv("conv", np.full((1, 1, 1, 1), 2, np.int8), None, (1, 1), (0, 0), **integer),
        Neuron("neuron", 1.0, state_format=state, format=spike),
        Flatten("flatten"),
        Linear("linear", np.eye(2, 8, dtype=np.int8), None, **integer),
        Neuron("last", 0.5, state_format=state, format=spike),
    )
    net = network(input_format=Format(4, 0))
    net = evolve(net, layers=layers, edges=(*net.edges, ("linear", "last")))
    made = ZigEngine(execution="event").deploy(processed(net), pictures(), context)
    assert [table.name for table in made.tables] == ["event_counters", "formats"]
    silent = evolve(net, layers=layers[:-1], edges=net.edges[:-1])
    made = ZigEngine(execution="event").deploy(processed(silent), pictures(), context)
    assert [row[0] for row in made.tables[0].rows] == ["conv", "neuron", "linear", "output"]
    assert made.measures[1].value > 0


def test_rates_are_drawn_from_the_seed(context):
    deployer = Specksim(coding="rate")
    tables = [
        deployer.deploy(processed(network()), pictures(0.5), evolve(context, seed=seed)).tables
        for seed in (1, 1, 2)
    ]
    assert tables[0] == tables[1] != tables[2]


def test_events_of_a_sample():
    frames = np.zeros((2, 2, 1, 3), np.float32)  # T, C, H, W
    frames[0, 1, 0, 2], frames[1, 0, 0, 1], frames[1, 1, 0, 0] = 2, 1, 1
    made = Encoder("count", 500, 2, timed=True).events(frames, np.random.default_rng())
    assert made.tolist() == [(2, 0, 0, 1), (2, 0, 0, 1), (1, 0, 500, 0), (0, 0, 500, 1)]
    vector = Encoder("count", 500, 2, timed=False).events(np.array([0, 1]), np.random.default_rng())
    assert vector.tolist() == [(0, 0, 0, 1), (0, 0, 500, 1)]


@pytest.mark.parametrize(
    ("value", "coding", "text"),
    [
        (0.5, "count", r"0\.5, is no number of events .*rate"),
        (-1.0, "count", "-1"),
        (1e6, "count", "no number of events"),
        (1.5, "rate", r"1\.5, is no probability"),
        (-0.5, "rate", "no probability"),
    ],
)
def test_values_that_are_no_events(context, value, coding, text):
    with pytest.raises(DataError, match=text):
        Specksim(coding=coding).deploy(processed(network()), pictures(value), context)


def test_layers_that_cannot_take_single_events(context):
    net = network()
    pool = Pool("pool", "max", (2, 2), (2, 2), (0, 0))
    weight = np.ones((2, 2), np.float32)
    layers = (*net.layers[:2], pool, Flatten("flatten"), Linear("linear", weight, None))
    names = ("input", *(layer.name for layer in layers))
    net = evolve(net, layers=layers, edges=tuple(itertools.pairwise(names)))
    with pytest.raises(EngineError, match="layer 'pool'"):
        Specksim().deploy(processed(net), pictures(), context)


def test_what_settings_tell_is_refused_when_planning():
    def model(**settings):
        config = SimpleNamespace(neuron=None, **settings)
        return SimpleNamespace(name="m", choice=SimpleNamespace(config=config, place=""))

    def faults(deployer, model, *postprocessings):
        plan = SimpleNamespace(models=(model,), postprocessings=postprocessings)
        return list(deployer.check(plan, "[deploy]"))

    pooled, normed = model(pool_sizes=(0, 2)), model(pool_sizes=0, batch_norm=True)
    choice = SimpleNamespace(kind="FuseBatchNorm", config=None, place="")
    fusing = SimpleNamespace(choice=choice)
    assert "max-pools cannot take single events" in faults(Specksim(), pooled)[0]
    assert "FuseBatchNorm" in faults(Specksim(), normed)[0]
    assert not faults(Specksim(), normed, fusing)
    assert not faults(Specksim(), model(pool_sizes=(0, 1)))
    assert not faults(ZigEngine(), pooled)
    exact = SimpleNamespace(obstacle="")
    whole, third = model(params_of=lambda _: exact), Specksim(output_threshold=0.3)
    assert "output_threshold is 0.3, no multiple of 2^-16" in faults(third, whole)[0]
    assert not faults(third, model())
    assert not faults(Specksim(output_threshold=0.375), whole)


def test_defaults_of_specksim():
    assert (Specksim().execution, Specksim().floor, Specksim().target) == (
        "event",
        -1.0,
        "Specksim",
    )
    assert (ZigEngine().execution, ZigEngine().floor) == ("clocked", "none")


@pytest.mark.parametrize(
    "fields",
    [
        {"dt_us": 0},
        {"dt_us": 3_600_000_001},
        {"order": "whc"},
        {"floor": "no"},
        {"floor": float("nan")},
        {"floor": float("-inf")},
        {"coding": "burst"},
        {"output_threshold": 0.0},
        {"output_threshold": float("inf")},
    ],
)
def test_wrong_fields_of_event_execution(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        ZigEngine(**fields)
