"""Energy and operation counts against the recorded ones.

Networks and activity are built from the record; formal models also go the whole way, from their
recorded parameters and weights through lowering to the same rows.

Every field of every row of every recorded model is compared. Where the record is known to be wrong,
the value that it should have is worked out from the record itself and compared instead; which
fields these are follows from what the layer is, and each test prints how many there were.
"""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from energy_records import MODELS, near, rebuilt
from golden_records import GOLDEN

from snn_energy.counter import OperationCounter
from snn_energy.elementary import Costs
from snn_energy.metric import EnergyEstimationMetric, OperationEstimation
from snn_kernel import (
    Activity,
    Context,
    Processed,
    Samples,
    Shapes,
    Splits,
    Table,
    Tally,
    Trained,
    Training,
)
from snn_kernel.network import (
    Conv,
    Linear,
    Network,
)

FORMAL = [p for p in MODELS if json.loads(p.read_text())["framework"] == "PyTorch"]

pytestmark = pytest.mark.skipif(not MODELS, reason=f"no energy records in {GOLDEN}")

ACTIVE = ("input_spikerate", "output_spikerate", "input_count", "output_count")
SIDES = ("input", "output")
TENSOR = ("spikerate", "count", "is_binary")


SINGLE = 1e-6  # the record solved its quadratic equations in single precision


class Record:
    """One recorded model: its network and activity as ours, and its layers by their own names."""

    def __init__(self, path):
        self.json = json.loads(path.read_text())
        self.steps = self.json.get("activity", {}).get("timesteps", 1)
        self.samples = self.json["n_samples"]
        kinds = {lay["name"]: lay["type"] for lay in self.json["layers"]}
        self.neurons = {n for n, k in kinds.items() if k in ("TIfLayer", "TLifLayer")}
        self.through = {}  # names that ours does without → where their input comes from
        self.layers, edges = {}, []
        for lay in self.json["layers"]:
            name = self.own(lay["name"])
            sources = [self.through.get(s, s) for s in map(self.own, lay["innodes"])]
            if lay["type"] in ("TInputLayer", "TActivationLayer", "TIdentityLayer"):
                self.through[name] = sources[0] if sources else "input"
                continue
            self.layers[name] = lay
            edges += [(s, name) for s in sources]
        self.edges = tuple(edges)
        _, *space, channels = self.json["layers"][0]["output_shape"][0]
        layers = tuple(rebuilt(n, lay) for n, lay in self.layers.items())
        for layer in (a for a in layers if isinstance(a, Conv | Linear)):
            assert layer.weight.size == self.layers[layer.name]["weights_count"]
        network = Network(layers, self.edges, (channels, *space), self.steps)
        activity = tuple(self.activity(network, n) for n in self.layers)
        self.processed = Processed(
            path.stem, None, Trained(None), network=network, activity=activity
        )

    def own(self, name):
        """The name without that of the neuron which the record appends."""
        longest = max((n for n in self.neurons if name.endswith(n)), key=len, default=name)
        return name if name == longest else name.removesuffix(longest)

    def activity(self, network, name):
        def tally(side, shape):
            elements = math.prod(shape)
            raw = self.json.get("raw_counters_before_attribution")
            if raw is None:
                return Tally(elements, elements * self.samples, 0.5, False)
            seen = raw[side][name]
            assert seen["sample_count"] == self.samples * self.steps
            nonzeros, total = seen["spike_count"], seen["tensor_sum"]
            return Tally(elements, nonzeros, total, seen["binary"])

        come, go = network.shapes[network.inputs(name)[0]], network.shapes[name]
        return Activity(name, tally("in", come), tally("out", go), self.samples, self.steps)

    def signal(self, side, name):
        """Recorded rate, count and binary flag of a tensor, before neurons were attributed."""
        seen = self.json["raw_counters_before_attribution"][side][name]
        rate = seen["spike_count"] / seen["size"]
        return rate, seen["spike_count"] / self.samples, seen["binary"]

    def lost(self, name):
        """The neuron of a layer, where the record gave it to what lies between them."""
        if self.layers[name]["type"] not in ("TConv1DLayer", "TConv2DLayer", "TDenseLayer"):
            return None
        after, between = name, 0
        while (onward := [b for a, b in self.edges if a == after]) and len(onward) == 1:
            after = onward[0]
            if after in self.neurons:
                return after if between else None
            if not self.layers[after]["type"].startswith(("TBatchNorm", "TMaxPool", "TFlatten")):
                return None
            between += 1
        return None


class Corrected(dict):
    """One recorded row as it should be; `why` tells for each column that is changed."""

    def __init__(self, row):
        super().__init__(row)
        self.why = {}

    def set(self, column, value, why):
        if column in self:  # the other tool's columns are not
            self[column] = value
            self.why[column] = why

    def add(self, column, value, why):
        self.set(column, self.get(column, 0) + value, why)

    def resum(self, column, *parts):
        if whys := [self.why[p] for p in parts if p in self.why]:
            self.set(column, sum(self[p] for p in parts), whys[0])


def corrected(record, name, row, costs, fifo):
    """`row` of a layer without the errors that the record is known to have."""
    fixed, lay = Corrected(row), record.layers[name]
    synaptic = "kernel_size" in lay or lay["type"] == "TDenseLayer"
    if synaptic and row["is_sj"]:
        correct_synapses(fixed, lay, record.steps, costs)
        if neuron := record.lost(name):
            assert record.layers[neuron]["type"] == "TIfLayer", "a lost leak was never recorded"
            correct_neuron(fixed, record.signal("out", neuron), costs, fifo)
    elif synaptic and not lay["use_bias"]:
        why = "counts reads of a bias that is not there"
        fixed.add("mem_read", -math.prod(lay["output_shape"][0]), why)
    elif lay["type"] == "TAddLayer" and not row["is_sj"]:
        correct_addition(fixed, lay, costs)
    elif record.own(row["name"]) != row["name"]:
        why = "a neuron's spikes given to another layer"
        for column, value in zip(TENSOR, record.signal("out", name), strict=True):
            fixed.set(f"output_{column}", value, why)
    return resummed(fixed)


def correct_synapses(fixed, lay, steps, costs):
    cin, cout = math.prod(lay["input_shape"][0][1:]), lay["output_shape"][0][-1]
    hybrid = fixed["is_sj"] == "Hybrid"
    spikes = fixed["input_count"] / (steps if hybrid else 1)
    kernel = math.prod(lay.get("kernel_size", ()))
    if "kernel_size" in lay:
        why, missing = "addressing of a convolution lacks Cout", spikes * kernel * (cout - 1)
    else:
        why, missing = "addressing of a fully connected layer lacks Nin", spikes * cout
        missing *= (cin - 1) / cin
    fixed.add("addr", missing * costs.add_pj, why)
    fixed.add("addr_acc", missing, why)
    if hybrid:
        why = "counts weight reads of numbers at every timestep"
        fixed.add("mem_read", -(steps - 1) * spikes * cout * kernel, why)


def correct_neuron(fixed, signal, costs, fifo):
    why, spikes = "batch norm or pooling took the neuron's spikes", signal[1]
    fixed.add("ops", spikes * costs.add_pj, why)
    fixed.add("mem_io", spikes * costs.access(fifo), why)
    fixed.add("syn_acc", spikes, why)
    fixed.add("mem_write", spikes, why)
    for column, value in zip(TENSOR, signal, strict=True):
        fixed.set(f"output_{column}", value, why)


def correct_addition(fixed, lay, costs):
    inputs = [math.prod(shape[1:]) for shape in lay["input_shape"]]
    out, reads = math.prod(lay["output_shape"][0][1:]), sum(inputs)
    adds, io = reads - inputs[0], reads * costs.access(inputs[0]) + out * costs.access(out)
    numbers = {"mem_io": io, "ops": adds * costs.add_pj, "addr": out * costs.add_pj}
    numbers |= {"syn_acc": adds, "addr_acc": out, "mem_write": out, "mem_read": reads}
    for column, value in numbers.items():
        fixed.set(column, value, "an addition's sizes are sums of dimensions")


def resummed(fixed):
    fixed.resum("mem_total", "mem_pot", "mem_weights", "mem_bias", "mem_io")
    fixed.resum("opsaddr", "ops", "addr")
    fixed.resum("total", "mem_total", "opsaddr")
    fixed.resum("total_acc", "syn_acc", "addr_acc")
    fixed.resum("total_mac", "syn_mac", "addr_mac")
    return fixed


def corrected_total(row, rows, ours):
    """`row` with the sums of the corrected rows, and rates over `ours`, each tensor once."""
    fixed = Corrected(row)
    for column, value in row.items():
        if isinstance(value, float | int) and not isinstance(value, bool) and column not in ACTIVE:
            parts = [r[column] for r in rows]
            if any(column in r.why for r in rows):
                fixed.set(column, sum(parts), "a total over corrected rows")
    if row["input_spikerate"] is not None:
        for side in SIDES:
            kept = [r for r in ours if r[f"{side}_is_binary"]]
            places = sum(r[f"{side}_count"] / r[f"{side}_spikerate"] for r in kept)
            counted = sum(r[f"{side}_count"] for r in kept)
            why = "total rates of the record count modules twice"
            fixed.set(f"{side}_count", counted, why)
            fixed.set(f"{side}_spikerate", counted / places, why)
        if row["is_sj"] != True:  # noqa: E712  "Hybrid" is true as well
            fixed.set("is_sj", True, "modules outside SpikingJelly are not in a network")
    return fixed


def compare(record, recorded, table, *, costs, fifo, seen, tolerance=1e-9):
    ours = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    equal = "equal" if tolerance < SINGLE else "equal in single precision"
    *rows, total = recorded
    assert total["name"] == "Total"
    found = {record.own(r["name"]): r for r in rows}
    fixed = {n: corrected(record, n, r, costs, fifo) for n, r in found.items() if n in ours}
    expected = fixed | {"Total": corrected_total(total, fixed.values(), list(ours.values())[:-1])}
    for name in ours.keys() | found.keys():
        if name not in expected:  # a neuron, an identity; or pooling without neurons, in ours
            spent = found.get(name) or ours[name]
            assert not any(spent[c] for c in table.columns[1:-7])
            seen["rows of what costs nothing that the other does not have"] += 1
            continue
        for column in table.columns[1:]:
            right = expected[name]
            assert near(ours[name][column], right[column], tolerance), (
                f"{name}.{column}: {ours[name][column]} instead of {right[column]}, recorded "
                f"{found.get(name, total)[column]} ({right.why.get(column, 'as recorded')})"
            )
            changed = not near(found.get(name, total)[column], right[column], tolerance)
            seen[f"corrected: {right.why[column]}" if changed else equal] += 1


def metric_of(setting):
    """Ours with one recorded setting, None where it refuses it."""
    kinds = setting["op_estimation_type"] or {}
    bits, fifo, sram = setting["mem_width"], setting["fifo_size"], setting["sram_estimation_type"]
    keep = setting["total_spikerate_exclude_nonbinary"]
    try:
        return EnergyEstimationMetric(bits, fifo, keep, OperationEstimation(**kinds), sram)
    except ValueError:
        assert min(setting["e_mul"], setting["e_add"]) < 0
        return None


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem.removeprefix("energy_"))
def test_models(path, tmp_path, monkeypatch):
    record, seen = Record(path), Counter()
    context = Context(0, tmp_path)
    for setting in record.json["energy"]:
        if (metric := metric_of(setting)) is None:
            values = len(setting["layers"]) * (len(setting["layers"][0]) - 1)
            seen["refused: a multiplication of negative energy"] += values
            continue
        # its own elementary costs, which the tests above compare, so that all else can be
        costs = Costs(metric.mem_width, metric.costs.sram, setting["e_add"], setting["e_mul"])
        with monkeypatch.context() as patch:
            if not near(metric.costs.add_pj + metric.costs.mul_pj, costs.add_pj + costs.mul_pj):
                patch.setattr(EnergyEstimationMetric, "costs", costs)
                seen["settings with the record's own elementary costs"] += 1
            (table,) = metric.apply(record.processed, None, None, context).tables
        single = "quadratic" in (setting["op_estimation_type"] or {}).values()
        tolerance = SINGLE if single else 1e-9
        options = {"costs": costs, "fifo": metric.fifo_size, "seen": seen}
        compare(record, setting["layers"], table, tolerance=tolerance, **options)
    (table,) = OperationCounter().apply(record.processed, None, None, context).tables
    free = Costs(8, "old", 0, 0)
    compare(record, record.json["operations"], table, costs=free, fifo=0, seen=seen)
    print(path.stem, *(f"{n:6} {what}" for what, n in sorted(seen.items())), sep="\n  ")
    assert seen["equal"] > 0


def formal(path):
    """The recorded formal model: our own, with its recorded weights, lowered and counted."""
    torch = pytest.importorskip("torch", reason="lowers torch modules")
    pytest.importorskip("spikingjelly", reason="lowers with the framework of SpikingJelly")
    from snn_framework_spikingjelly.framework import PyTorch
    from snn_models.plugin import snnk_models

    record = json.loads(path.read_text())
    kind = next(k.config for k in snnk_models() if k.name == record["cls"])
    args = {k: tuple(v) if isinstance(v, list) else v for k, v in record["args"].items()}
    session = PyTorch(enable_progress_bar=False).open(Context(0, Path()))
    model = kind(**args).build(Shapes((9, 9, 9), (9,)), session)
    with np.load(path.with_suffix(".npz")) as file:
        state = {k.removeprefix("sd__"): torch.from_numpy(file[k]) for k in file if "sd__" in k}
        x, classes = file["x"], file["y"].shape[1]
    assert list(model.state_dict()) == list(state)
    model.load_state_dict(state, strict=True)
    x = np.repeat(x, classes, axis=0)  # a training set has samples of every class
    samples = Samples(x, np.arange(len(x)) % classes, {3: "NLC", 4: "NHWC"}[x.ndim])
    trained = session.train(model, Splits(samples, None, samples, classes), Training(0, 4))
    network, activity = session.lower(model), session.activity(model, samples)
    return Processed(path.stem, model, trained, network=network, activity=activity)


def contracted(edges, gone):
    """Edges without the layers `gone`: what they feed is fed by what feeds them."""
    through, kept = {}, []
    for a, b in edges:
        if b in gone:
            through[b] = through.get(a, a)
        else:
            kept.append((through.get(a, a), b))
    return kept


def with_biases(rows, layers, costs):
    """Recorded energies as they are where a batch norm is folded and so has become a bias."""
    rows = {row["name"]: dict(row) for row in rows}
    for lay in layers:
        reads = math.prod(lay["output_shape"][0]) * costs.access(lay["output_shape"][0][-1])
        for row in (rows[lay["name"]], rows["Total"]):
            for column in ("mem_bias", "mem_total", "total"):
                row[column] += reads
    return list(rows.values())


def renamed(table):
    rows = tuple((row[0].replace(".", "_"), *row[1:]) for row in table.rows)
    return Table(table.name, table.columns, rows, table.unit, table.source)


@pytest.mark.parametrize("path", FORMAL, ids=lambda p: p.stem.removeprefix("energy_"))
def test_formal_models_all_the_way(path, tmp_path):
    record, processed, seen = Record(path), formal(path), Counter()
    _, *recorded = record.json["layers"]
    norms = {lay["name"]: lay["innodes"] for lay in recorded if "BatchNorm" in lay["type"]}
    folded = [lay for lay in recorded if [lay["name"]] in norms.values()]
    edges = [(a, lay["name"]) for lay in recorded for a in lay["innodes"]]
    network = processed.network
    ours = [(a.replace(".", "_"), b.replace(".", "_")) for a, b in network.edges]
    assert ours == contracted(edges, norms)
    layers = {layer.name.replace(".", "_"): layer for layer in network.layers}
    for lay in recorded:
        if lay["name"] not in norms:
            layer = layers[lay["name"]]
            channels, *space = network.shapes[layer.name]
            assert [1, *space, channels] == lay["output_shape"][0]
            if isinstance(layer, Conv | Linear):
                assert layer.weight.size == lay["weights_count"]
                lay["use_bias"] = lay["use_bias"] or lay in folded
    context = Context(0, tmp_path)
    for setting in record.json["energy"]:
        metric = metric_of(setting)
        if metric is None or not near(metric.costs.add_pj, setting["e_add"]):
            seen["settings left to test_models: other elementary costs"] += 1
            continue
        costs, rows = metric.costs, with_biases(setting["layers"], folded, metric.costs)
        single = "quadratic" in (setting["op_estimation_type"] or {}).values()
        options = {"costs": costs, "fifo": metric.fifo_size, "seen": seen}
        (table,) = metric.apply(processed, None, None, context).tables
        compare(record, rows, renamed(table), tolerance=SINGLE if single else 1e-9, **options)
        seen["energies with a folded batch norm as a bias"] += len(folded)
    (table,) = OperationCounter().apply(processed, None, None, context).tables
    free = Costs(8, "old", 0, 0)
    compare(record, record.json["operations"], renamed(table), costs=free, fifo=0, seen=seen)
    print(path.stem, *(f"{n:6} {what}" for what, n in sorted(seen.items())), sep="\n  ")
    assert seen["equal"] > 0
