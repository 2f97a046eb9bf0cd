"""Figures from counted events: whose row a neuron is in, and what is no count of this network."""

import math
from pathlib import Path
from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from snn_energy.counter import OperationCounter
from snn_energy.counts import Counts
from snn_energy.energy import ENERGY
from snn_energy.events import Events, counted
from snn_energy.metric import EnergyEstimationMetric
from snn_kernel import Context, Outcome, RunError, Table
from snn_kernel.config import Checker
from snn_kernel.network import Add, BatchNorm, Conv, Format, Linear, Neuron, Pool

CONTEXT = Context(0, Path())
NAMES = tuple(f.name for f in attrs.fields(Events))
METRIC = EnergyEstimationMetric(32, 64, source="both")


def conv(name, inputs=1):
    return Conv(name, np.ones((2, inputs, 3, 3), np.float32), None, (1, 1), (1, 1))


def weighed(events_in, operations, holds=0):
    """What a layer with weights did."""
    accesses = operations + holds
    return Events(events_in, 0, operations, accesses, accesses, operations)


def fired(spikes, updates, leaks=0):
    """What neurons did."""
    return Events(0, spikes, 0, updates, updates, 0, 0, updates, leaks, spikes)


def counts(**rows):
    """A table of counts."""
    cells = tuple((name, *attrs.astuple(events)) for name, events in rows.items())
    return Table("counts", ("layer", *NAMES), cells)


@pytest.fixture
def model(processed):
    """input [1, 4, 4] of 5 spikes → conv → norm → pool → n; n of 3 spikes → fc, in 2 timesteps."""
    layers = [
        conv("conv"),
        BatchNorm("norm", np.ones(2), np.ones(2)),
        Pool("pool", "max", (4, 4), (4, 4), (0, 0)),
        Neuron("n", 1.0, decay=0.5),
        Pool("flat", "sum", (1, 1), (1, 1), (0, 0)),
        conv("end", 2),
    ]
    return processed(layers, (1, 4, 4), 2, {"input": 5, "n": 3, "flat": 3})


GOOD = {"conv": weighed(5, 60), "n": fired(3, 4, 4), "end": weighed(3, 6, 4)}


def test_a_neuron_acts_in_the_row_of_the_layer_it_follows(model):
    layers, found = counted(model.fold(Outcome(tables=(counts(**GOOD),))))
    rows = dict(zip((lay.name for lay in layers), found, strict=True))
    assert list(rows) == ["conv", "norm", "pool", "flat", "end"]
    assert rows["conv"] == Counts(5, 60, 0, 64, 64, 3, 4, 0, 60 + 4 + 3, 10, 60)
    assert rows["end"] == Counts(3, 6, 0, 10, 10, 0, 0, 0, 6 + 4, 6, 6)
    assert rows["norm"] == rows["pool"] == rows["flat"] == Counts()


def test_the_last_table_of_counts_is_taken(model):
    stale = counts(**GOOD | {"conv": weighed(4, 60)})
    fresh = model.fold(Outcome(tables=(stale, counts(**GOOD))))
    assert counted(fresh) == counted(model.fold(Outcome(tables=(counts(**GOOD),))))


@pytest.mark.parametrize("behind", ["input", "n"])
def test_a_neuron_that_follows_no_other_layer_has_a_row_of_its_own(processed, behind):
    layers = [Neuron("n", 1.0)] + ([Neuron("m", 1.0)] if behind == "n" else [])
    layers.append(Linear("fc", np.ones((3, 4), np.float32), None))
    model = processed(layers, (4,), 1, {"input": 4, "n": 2, "m": 2})
    table = counts(n=fired(2, 4), m=fired(2, 4), fc=weighed(2, 6, 3))
    model = model.fold(Outcome(tables=(table,)))
    rows, found = counted(model)
    assert [row.name for row in rows] == [layer.name for layer in layers]
    assert found[0] == Counts(potential_reads=4, potential_writes=4, output_writes=2, accs=4 + 2)
    energies, beside = METRIC.apply(model, None, None, CONTEXT).tables[1:]
    assert [row[0] for row in beside.rows] == [*(layer.name for layer in layers), "Total"]
    assert beside.rows[0][1] == beside.rows[0][3] == 0  # the equations know nothing of it
    total = energies.columns.index("total")
    assert energies.rows[-1][total] == pytest.approx(sum(r[total] for r in energies.rows[:-1]))


def test_an_addition_of_two_branches_has_the_neuron_behind_it(processed):
    layers = [conv("a"), conv("b"), Add("add"), Neuron("n", 1.0)]
    edges = [("input", "a"), ("input", "b"), ("a", "add"), ("b", "add"), ("add", "n")]
    model = processed(layers, (1, 2, 2), 1, {"input": 1, "n": 8}, edges=edges)
    table = counts(a=weighed(1, 8), b=weighed(1, 8), n=fired(8, 8))
    rows, found = counted(model.fold(Outcome(tables=(table,))))
    assert [row.name for row in rows] == ["a", "b", "add"]
    assert [c.potential_reads for c in found] == [8, 8, 8]
    assert found[2] == Counts(potential_reads=8, potential_writes=8, output_writes=8, accs=16)


@pytest.mark.parametrize("tool", [METRIC, OperationCounter(source="counted")])
def test_nobody_counted(model, tool):
    broken = Table("counts", ("layer", "events_in"), (("conv", 5),))
    for tables in ((), (broken,)):
        with pytest.raises(RunError, match="its events were not counted") as caught:
            tool.apply(model.fold(Outcome(tables=tables)), None, None, CONTEXT)
        assert "EventCounter" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"conv": weighed(6, 60)}, "layer 'conv': 6 events went into it, but 5 in its activity"),
        ({"end": weighed(2.5, 6, 4)}, "layer 'end': 2.5 events went into it, but 3"),
        ({"n": fired(2, 4)}, "layer 'n': 2 events went out of it, but 3 in its activity"),
        ({"n": fired(-3, 4)}, "layer 'n': a count is negative or undefined"),
        ({"conv": weighed(5, math.nan)}, "layer 'conv': a count is negative or undefined"),
        ({"conv": weighed(5, math.inf)}, "layer 'conv': a count is negative or undefined"),
        ({"n": Events("3")}, "layer 'n': a count is negative or undefined"),
    ],
)
def test_counts_of_something_else(model, change, text):
    cells = {name: Events() if e is None else e for name, e in (GOOD | change).items()}
    with pytest.raises(RunError, match=text):
        METRIC.apply(model.fold(Outcome(tables=(counts(**cells),))), None, None, CONTEXT)


def test_what_an_input_format_makes_0_is_no_event(processed):
    """Fewer events may come in than were put out; what neurons put out is what it is."""
    kernel = np.ones((2, 1, 1, 1), np.int8)
    wide = Format(8, 4)
    quantised = {"weight_format": wide, "accumulator": "int32", "input_formats": (wide,)}
    conv = Conv("conv", kernel, None, (1, 1), (0, 0), **quantised)
    neuron = Neuron("n", 1.0, state_format=wide)
    model = processed([conv, neuron], (1, 2, 2), 1, {"input": (4, 1.5), "n": 6}, layout=wide)
    for events, spikes, right in ((4, 6, True), (3, 6, True), (5, 6, False), (3, 5, False)):
        table = counts(conv=weighed(events, 2 * events), n=fired(spikes, 8))
        folded = model.fold(Outcome(tables=(table,)))
        if right:
            counted(folded)
        else:
            with pytest.raises(RunError, match="comes before EventCounter"):
                counted(folded)


def test_every_layer_must_have_been_counted(model):
    table = counts(other=fired(1, 1), conv=GOOD["conv"])
    with pytest.raises(RunError) as caught:
        METRIC.apply(model.fold(Outcome(tables=(table,))), None, None, CONTEXT)
    assert [f.what for f in caught.value.faults] == [
        "layer 'n' is not among them",
        "layer 'end' is not among them",
    ]


def test_a_formal_network_has_no_events(processed):
    layers = [Linear("fc", np.ones((3, 4), np.float32), None)]
    model = processed(layers, (4,)).fold(Outcome(tables=(counts(fc=weighed(4, 12, 3)),)))
    with pytest.raises(RunError, match="is a formal network"):
        METRIC.apply(model, None, None, CONTEXT)


def test_estimates_stay_what_they_are(model):
    """Beside counted figures, and whatever the counts are."""
    alone = attrs.evolve(METRIC, source="estimated").apply(model, None, None, CONTEXT)
    made = METRIC.apply(model.fold(Outcome(tables=(counts(**GOOD),))), None, None, CONTEXT)
    assert made.tables[0] == alone.tables[0]
    assert made.measures[: len(alone.measures)] == alone.measures
    assert len(made.measures) == 2 * len(alone.measures)
    for row in made.tables[1].rows:
        cells = dict(zip(made.tables[1].columns, row, strict=True))
        assert all(math.isfinite(cells[c]) and cells[c] >= 0 for c in ENERGY)
        assert cells["total"] == pytest.approx(cells["mem_total"] + cells["opsaddr"])


def test_compat_counts_no_events():
    for kind, more in ((EnergyEstimationMetric, {"mem_width": 8}), (OperationCounter, {})):
        checker = Checker(None)
        params = {"source": "counted", "compat": "qualia-2.6", **more}
        checker.table(kind, params, "[params]")
        assert "counts no events" in str(checker.faults[0])


def planned(*configs, spiking=True):
    items = tuple(SimpleNamespace(choice=SimpleNamespace(config=c)) for c in configs)
    framework = SimpleNamespace(kind="PyTorch", config=SimpleNamespace(spiking=spiking))
    return SimpleNamespace(framework=framework, postprocessings=items, models=())


COUNTING = SimpleNamespace(counts_events=True)


@pytest.mark.parametrize("tool", [METRIC, OperationCounter(source="counted")])
def test_who_counts_comes_first(tool):
    """Found when planning, before anything is trained."""
    (fault,) = tool.check(planned(tool, COUNTING), "")
    assert fault.startswith(f"source = '{tool.source}', but no postprocessing before it counts")
    assert 'kind = "EventCounter"' in fault
    assert not list(tool.check(planned(COUNTING, tool), ""))
    (fault,) = tool.check(planned(COUNTING, tool, spiking=False), "")
    assert fault.endswith("PyTorch trains none")
    assert not list(attrs.evolve(tool, source="estimated").check(planned(tool), ""))


@pytest.mark.parametrize("source", ["estimated", "counted", "both"])
@pytest.mark.parametrize("tool", [METRIC, OperationCounter()])
def test_a_neuron_without_a_lowered_form_is_found_when_planning(tool, source):
    tool = attrs.evolve(tool, source=source)

    def model(name, neuron):
        return SimpleNamespace(name=name, choice=SimpleNamespace(config=neuron))

    lowered = SimpleNamespace(lower=print)
    models = (
        model("bare", SimpleNamespace(neuron=SimpleNamespace())),
        model("fine", SimpleNamespace(neuron=lowered)),
        model("formal", SimpleNamespace()),
    )
    plan = planned(COUNTING, tool)
    plan.models = models
    (fault,) = tool.check(plan, "")
    assert fault.startswith("model 'bare': its neuron SimpleNamespace has no lowered form")
    assert "use IFNode, LIFNode, ATIF or another neuron with lower()" in fault
    assert fault.endswith(f"or remove {type(tool).__name__})")
