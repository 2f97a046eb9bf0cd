"""EventCounter: tables by hand, what it refuses, what it asks of a plan."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from snn_deploy_engine.counter import EventCounter
from snn_deploy_engine.plugin import snnk_postprocessings
from snn_engine import COUNTERS
from snn_kernel import Context, DataError, Processed, RunError, Samples, Splits, Trained
from snn_kernel.config import Checker
from snn_kernel.network import Linear, Network, Neuron

WEIGHT = np.array([[0.5, 0.5, 0, 0], [0, 0, 1, 1]], np.float32)


def processed():
    """Four inputs, two neurons of threshold 1, a readout with a bias, in two timesteps."""
    layers = (
        Linear("hidden", WEIGHT, None),
        Neuron("neuron", 1.0, decay=0.5),
        Linear("readout", np.ones((3, 2), np.float32), np.ones(3, np.float32)),
    )
    edges = tuple(itertools.pairwise(("input", "hidden", "neuron", "readout")))
    return Processed("toy", None, Trained(None), network=Network(layers, edges, (4,), 2))


def splits(x):
    samples = Samples(np.asarray(x, np.float32), np.zeros(len(x), np.int64), "NC")
    return Splits(samples, None, samples, 3)


def applied(x, made=None, **params):
    told = []
    context = Context(0, None, lambda *what: told.append(what))
    outcome = EventCounter(**params).apply(made or processed(), splits(x), None, context)
    return outcome, told


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_by_hand(threads):
    """The first sample fires the second neuron at both timesteps, the second one neither."""
    outcome, told = applied([[1, 0, 1, 0.5], [0, 0, 0, 0.25]], threads=threads)
    counts, spread = outcome.tables
    assert (counts.name, counts.columns) == ("counts", ("layer", *COUNTERS))
    rows = {row[0]: dict(zip(COUNTERS, row[1:], strict=True)) for row in counts.rows}
    assert {k: v for k, v in rows["hidden"].items() if v} == {
        "events_in": 4,  # (3 + 1) / 2 samples, at each of 2 timesteps
        "synaptic_operations": 8,
        "weight_reads": 8,
        "potential_reads": 8,
        "potential_writes": 8,
    }
    assert {k: v for k, v in rows["neuron"].items() if v} == {
        "events_out": 1,
        "potential_reads": 4,
        "potential_writes": 4,
        "comparisons": 4,
        "leaks": 4,
        "resets": 1,
    }
    assert {k: v for k, v in rows["readout"].items() if v} == {
        "events_in": 1,
        "synaptic_operations": 3,
        "weight_reads": 3,
        "potential_reads": 3 + 6,
        "potential_writes": 3 + 6,
        "bias_reads": 6,
    }
    for name in COUNTERS:
        assert rows["Total"][name] == sum(rows[n][name] for n in ("hidden", "neuron", "readout"))
    assert spread.columns[:2] == ("layer", "least")
    assert spread.rows == (
        ("hidden", 4, 8, pytest.approx(11.6), 12, 0),
        ("readout", 0, 3, pytest.approx(5.7), 6, 0),
        ("Total", 4, 11, pytest.approx(17.3), 18, 0),
    )
    values = {m.name: (m.value, m.how, m.per, m.source) for m in outcome.measures}
    assert values["weight_reads"] == (11, "counted", "sample", "EventCounter")
    assert values["events_in"][0] == 5
    assert told[-1] == ("count", 2, 2, {})
    assert {*counts.brief} <= {*counts.columns}


def test_silence_is_counted():
    outcome, _ = applied(np.zeros((2, 4)))
    counts, spread = outcome.tables
    assert counts.rows[0][1:4] == (0, 0, 0)
    assert spread.rows == ()


def test_what_cannot_be_counted():
    with pytest.raises(RunError, match="'toy' cannot run in ZigEngine: no reason"):
        applied([[0] * 4], Processed("toy", None, Trained(None), obstacle="no reason"))
    with pytest.raises(DataError, match="the network takes"):
        applied([[0] * 5])
    with pytest.raises(DataError, match="no test samples"):
        applied(np.zeros((0, 4)))


def test_params_and_plan():
    (kind,) = snnk_postprocessings()
    assert (kind.name, kind.config, kind.needs) == ("EventCounter", EventCounter, ("snn_engine",))
    checker = Checker(None)
    checker.table(EventCounter, {"threads": 0}, "[params]")
    assert "threads is 0" in str(checker.faults[0])
    model = SimpleNamespace(name="m", choice=SimpleNamespace(config=SimpleNamespace(neuron=object)))
    (fault,) = EventCounter().check(SimpleNamespace(models=(model,)), "")
    assert "has no lowered form" in fault
    assert "remove EventCounter" in fault


def postprocessing(place, **config):
    return SimpleNamespace(choice=SimpleNamespace(place=place, config=SimpleNamespace(**config)))


def test_only_what_comes_before_it_stands_in_its_way():
    """What quantises a model after it was counted is for others to judge."""
    one = SimpleNamespace(name="one", choice=SimpleNamespace(place="[model.0]", config=None))
    params = SimpleNamespace(obstacle="w has no fixed-point format")
    quantise = {"params_of": lambda model: params if model is one else None}
    for own, other, faults in ((0, 1, 0), (1, 0, 1)):
        places = (f"[postprocessing.{i}]" for i in range(2))
        table = {own: {"counts_events": True}, other: quantise}
        found = tuple(postprocessing(place, **table[i]) for i, place in enumerate(places))
        plan = SimpleNamespace(models=(one,), postprocessings=found)
        told = list(EventCounter().check(plan, f"[postprocessing.{own}]"))
        assert len(told) == faults
        assert all("[postprocessing.0]: ZigEngine cannot run networks" in text for text in told)
