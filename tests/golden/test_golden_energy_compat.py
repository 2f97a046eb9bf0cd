"""`compat = "qualia-2.6"` against every recorded figure: every row, field and setting.

Two ways: networks and activity rebuilt from the record's own graph, and the whole pipeline, from
recorded parameters and weights through lowering. What the document does not hold any more is told
of each model by test_all_the_way, which asserts that nothing else is left out.
"""

import json
import math
import re
from collections import Counter
from pathlib import Path

import attrs
import numpy as np
import pytest
from energy_records import MODELS, near, rebuilt
from golden_records import GOLDEN

from snn_energy.counter import OperationCounter
from snn_energy.metric import EnergyEstimationMetric, OperationEstimation
from snn_kernel import (
    Activity,
    Context,
    Processed,
    Samples,
    Shapes,
    Splits,
    Tally,
    Trained,
    Training,
    configure,
)
from snn_kernel.network import (
    Network,
)

CLOSE = {"relative": 1e-6, "absolute": 1e-12}

pytestmark = pytest.mark.skipif(not MODELS, reason=f"no energy records in {GOLDEN}")
each_model = pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem.removeprefix("energy_"))


IDENTITY = (("layers_identity1", "*"), ("Total", "is_sj"))


@attrs.frozen
class Lent:
    """What is asked of a session: whether modules see all timesteps at once."""

    multi_step: bool


class Record:
    """One record, and its own graph and counters as a network and its activity."""

    def __init__(self, path):
        self.path = path
        self.json = json.loads(path.read_text())
        self.steps = self.json.get("activity", {}).get("timesteps", 1)
        self.samples, self.batch = self.json["n_samples"], self.json["batch_size"]
        self.multi_step = self.json["framework"] == "SpikingJellyMultiStep"
        self.quantised = self.json["cls"].startswith("Quantized")

    @property
    def session(self):
        return Lent(self.multi_step)

    def norms(self):
        return {lay["name"]: lay for lay in self.json["layers"] if "BatchNorm" in lay["type"]}

    def folded(self):
        """The rows of layers that take a batch norm in: with the neuron behind, if at once."""
        names = set()
        for lay in self.norms().values():
            (source,), (after,) = lay["innodes"], lay["outnodes"]
            names |= {source, source + after}
        return names

    def rebuilt(self, folded=False):
        found = self.json["layers"]
        neurons = {lay["name"] for lay in found if lay["type"] in ("TIfLayer", "TLifLayer")}

        def own(name):
            """Without the neuron's name that the record appends, and dotted as in a document."""
            longest = max((n for n in neurons if name.endswith(n)), key=len, default=name)
            bare = name if name == longest else name.removesuffix(longest)
            return re.sub(r"layers_(\d+)_(\d+)_", r"layers.\1.\2.", bare)

        through, layers, edges = {}, [], []
        for lay in found:
            name = own(lay["name"])
            sources = [through.get(s, s) for s in map(own, lay["innodes"])]
            if folded and lay["name"] in self.norms():
                (through[name],) = sources
                bias = np.zeros(layers[-1].weight.shape[0], np.float32)
                layers[-1] = attrs.evolve(layers[-1], bias=bias)
                continue
            if lay["type"] in ("TInputLayer", "TIdentityLayer"):
                through[name] = sources[0] if sources else "input"
                continue
            layers.append(rebuilt(name, lay))
            edges += [(s, name) for s in sources]
        _, *space, channels = found[0]["output_shape"][0]
        network = Network(tuple(layers), tuple(edges), (channels, *space), self.steps)
        last = {through[own(n)]: own(n) for n in self.norms()} if folded else {}
        activity = tuple(self.activity(network, layer.name, last) for layer in layers)
        training = Training(0, self.batch)
        known = {"training": training, "network": network, "activity": activity}
        return Processed(self.path.stem, None, Trained(None), **known)

    def activity(self, network, name, last):
        """Counts of a layer; `last` says which batch norm puts out what it puts out."""
        come, go = network.shapes[network.inputs(name)[0]], network.shapes[name]
        tallies = (self.tally("in", name, come), self.tally("out", last.get(name, name), go))
        return Activity(name, *tallies, self.samples, self.steps)

    def tally(self, side, name, shape):
        elements = math.prod(shape)
        if "activity" not in self.json:
            return Tally(elements, elements * self.samples, 0.5, False)
        seen = self.json["raw_counters_before_attribution"][side][name.replace(".", "_")]
        return Tally(elements, seen["spike_count"], seen["tensor_sum"], seen["binary"])


def tables(record, processed, folder):
    """(recorded rows, our table) of every setting, and of what includes non-binary tensors."""
    context = Context(0, folder)
    for setting in record.json["energy"]:
        kinds = setting["op_estimation_type"]
        metric = EnergyEstimationMetric(
            setting["mem_width"],
            setting["fifo_size"],
            setting["total_spikerate_exclude_nonbinary"],
            OperationEstimation(**kinds) if kinds else None,
            setting["sram_estimation_type"],
            compat="qualia-2.6",
        )
        (table,) = metric.apply(processed, None, record.session, context).tables
        yield setting["layers"], table
    counter = OperationCounter(compat="qualia-2.6")
    (table,) = counter.apply(processed, None, record.session, context).tables
    yield record.json["operations"], table


def compare(recorded, table, seen, without=()):
    """Every field of every row, in order; `without` are (row, column), "*" for all of either."""
    recorded = [row for row in recorded if (row["name"], "*") not in without]
    assert [row[0] for row in table.rows] == [row["name"] for row in recorded]
    for row, cells in zip(recorded, table.rows, strict=True):
        assert set(row) == set(table.columns)
        for column, cell in zip(table.columns, cells, strict=True):
            if {(row["name"], column), ("*", column)} & set(without):
                seen["not in the document any more"] += 1
                continue
            assert near(cell, row[column], **CLOSE), (
                f"{row['name']}.{column}: {cell}, not {row[column]}"
            )
            seen["equal"] += 1


@each_model
def test_from_the_record(path, tmp_path):
    """Everything, but for the row and counts of what quantises the input: no layer of a document.
    It costs nothing, and its numbers are those of a tensor before it is put on the grid."""
    record, seen = Record(path), Counter()
    processed = record.rebuilt()
    without = IDENTITY if record.quantised else ()
    for recorded, table in tables(record, processed, tmp_path):
        compare(recorded, table, seen, without)
    print(path.stem, dict(seen))
    assert seen["equal"] > 0


SPIKING = [p for p in MODELS if "activity" in json.loads(p.read_text())]
each_spiking = pytest.mark.parametrize(
    "path", SPIKING, ids=lambda p: p.stem.removeprefix("energy_")
)
ACTIVE = ("input_spikerate", "output_spikerate", "input_count", "output_count")


def total(record, processed, folder, exclude):
    counter = OperationCounter(exclude, compat="qualia-2.6")
    (table,) = counter.apply(processed, None, record.session, Context(0, folder)).tables
    return dict(zip(table.columns, table.rows[-1], strict=True))


@each_spiking
def test_totals_with_numbers_and_in_batches_of_one(path, tmp_path):
    record = Record(path)
    processed = record.rebuilt()
    seen = total(record, processed, tmp_path, exclude=False)
    for column in () if record.quantised else ACTIVE:  # its unquantised input counts as well
        assert near(seen[column], record.json["total_including_nonbinary"][column], **CLOSE)
    single = attrs.evolve(processed, training=Training(0, 1))
    seen = total(record, single, tmp_path, exclude=True)
    for column in ACTIVE:
        recorded = record.json["activity_batch_size_1"][f"{column}s"]["__TOTAL__"]
        assert near(seen[column], recorded, **CLOSE)


def calibrate(model, x):
    """One pass in training mode sets the ranges."""
    from spikingjelly.activation_based import functional

    functional.reset_net(model.train())
    model(x.expand(model.timesteps, *x.shape))
    functional.reset_net(model.eval())


def piped(record):
    """The recorded model as one of ours, with its weights, lowered and counted."""
    torch = pytest.importorskip("torch", reason="lowers torch modules")
    pytest.importorskip("spikingjelly", reason="lowers with the framework of SpikingJelly")
    from snn_framework_spikingjelly import framework

    kind = getattr(framework, record.json["framework"])
    session = kind(enable_progress_bar=False).open(Context(0, Path()))
    args = {k: v for k, v in record.json["args"].items() if k != "backend"}
    config = configure("model", record.json["cls"], args)
    model = config.build(Shapes((9, 9, 9), (9,)), session)
    with np.load(record.path.with_suffix(".npz")) as file:
        state = {k.removeprefix("sd__"): torch.from_numpy(file[k]) for k in file if "sd__" in k}
        x, classes = file["x"], file["y"].shape[1]
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert record.quantised or not missing
    if record.quantised:
        calibrate(model, torch.from_numpy(np.moveaxis(x, -1, 1)))
    samples = Samples(x, np.arange(len(x)) % classes, {3: "NLC", 4: "NHWC"}[x.ndim])
    times = np.repeat(x, classes, axis=0)  # a training set has samples of every class
    train = Samples(times, np.arange(len(times)) % classes, samples.layout)
    splits, training = Splits(train, None, samples, classes), Training(0, record.batch)
    trained = session.train(model, splits, training)
    network, activity = session.lower(model), session.activity(model, samples)
    known = {"training": training, "network": network, "activity": activity}
    return Processed(record.path.stem, model, trained, **known), session


@each_model
def test_all_the_way(path, tmp_path):
    """A document folds batch norms into the layers before them: models with batch norm are compared
    with what is recorded of the same model, its batch norms folded, field by field, and with the
    record itself wherever neither a batch norm nor a total over one is in it."""
    record, seen = Record(path), Counter()
    processed, session = piped(record)
    assert session.multi_step == record.multi_step
    norms = record.norms()
    recorded = tables(record, processed, tmp_path)
    folded = tables(record, record.rebuilt(folded=True), tmp_path)
    for (rows, table), (_, fused) in zip(recorded, folded, strict=True):
        if not norms:
            compare(rows, table, seen, IDENTITY[:1] if record.quantised else ())
            continue
        compare([dict(zip(fused.columns, row, strict=True)) for row in fused.rows], table, seen)
        names = {row[0] for row in table.rows} - record.folded() - {"Total"}
        same = [row for row in rows if row["name"] in names]
        assert len(same) == len(names)
        kept = tuple(row for row in table.rows if row[0] in names)
        compare(same, attrs.evolve(table, rows=kept), seen)
        seen["rows with a folded batch norm, compared with the folded record"] += len(norms)
    print(path.stem, dict(seen))
    assert seen["equal"] > 0
