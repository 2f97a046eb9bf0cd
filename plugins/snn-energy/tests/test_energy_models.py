"""Real networks on real Digits, trained in this process: quantised ones, batches of any size."""

from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from snn_energy import sweep
from snn_energy.counter import OperationCounter
from snn_energy.metric import EnergyEstimationMetric
from snn_kernel import Processed, Shapes, Splits, Training, configure
from snn_kernel.network import Format, Network

pytest.importorskip("torch")
pytest.importorskip("spikingjelly")
pytest.importorskip("sklearn")
pytest.importorskip("snn_framework_spikingjelly")
pytest.importorskip("snn_quantization")

from snn_framework_spikingjelly import session as sessions
from snn_framework_spikingjelly.framework import PyTorch, SpikingJellyMultiStep
from snn_kernel import Context

NEURON = {"kind": "IFNode", "params": {"v_threshold": 0.5, "v_reset": False, "step_mode": "m"}}
SMALL = {
    "timesteps": 3,
    "filters": [4, 6],
    "kernel_sizes": [3, 3],
    "paddings": [1, 1],
    "pool_sizes": [0, 2],
    "fc_units": [12],
    "neuron": NEURON,
}
VOICE = SimpleNamespace(warn=lambda _: None)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """200 samples to train on, 60 to count on."""
    context = Context(0, tmp_path_factory.mktemp("digits"))
    found = configure("dataset", "Digits", {}).load(context)
    train, test = (s.take(slice(n)) for s, n in ((found.train, 200), (found.test, 60)))
    return Splits(train, None, test, found.classes)


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory):
    """`trained(kind, **params)`: a model after one epoch, lowered and counted."""

    def make(kind, **params):
        context = Context(0, tmp_path_factory.mktemp(kind))
        session = SpikingJellyMultiStep(enable_progress_bar=False).open(context)
        model = configure("model", kind, SMALL | params).build(Shapes((8, 8, 1), (10,)), session)
        optimizer = SimpleNamespace(kind="Adam", params={"lr": 1e-3}, scheduler=None)
        training = Training(1, 50, optimizer)
        made = session.train(model, digits, training)
        network, activity = session.lower(model), session.activity(model, digits.test)
        known = {"training": training, "network": network, "activity": activity}
        return Processed(kind, model, made, **known), session

    return make


@pytest.fixture(scope="module")
def quantised(trained):
    return trained("QuantizedSCNN", quant_params={"bits": 8})[0]


def table(tool, model):
    return tool.apply(model, None, None, VOICE).tables[0]


def floating(layer):
    """A layer without its formats, its integers as the numbers that they stand for."""
    plain = {f.name: f.default for f in attrs.fields(type(layer)) if f.name.endswith("format")}
    for name, form in (("weight", "weight_format"), ("bias", "bias_format")):
        if (array := getattr(layer, name, None)) is not None and isinstance(array, np.ndarray):
            unit = 2.0 ** -(getattr(layer, form) or layer.weight_format).fraction
            plain[name] = (array * unit).astype(np.float32)
    if hasattr(layer, "input_formats"):
        plain["input_formats"] = ()
    return attrs.evolve(layer, **plain)


def test_a_quantised_network_costs_as_its_float_form(quantised):
    network = quantised.network
    assert network.quantised
    layers = tuple(map(floating, network.layers))
    plain = Network(layers, network.edges, network.input_shape, network.timesteps)
    assert not plain.quantised
    assert all(not isinstance(v, Format) for lay in layers for v in attrs.astuple(lay))
    unlike = attrs.evolve(quantised, network=plain)
    for tool in (
        EnergyEstimationMetric(8, 64),
        EnergyEstimationMetric(8, 64, sram_estimation_type="new", twin=True),
        OperationCounter(),
    ):
        assert table(tool, quantised) == table(tool, unlike)


def test_width_is_that_of_memory_not_that_of_the_formats(quantised):
    """In packed memory twice the width is twice the energy of every access."""
    packed = {"sram_estimation_type": "new", "fifo_size": 64}
    narrow, wide = (table(EnergyEstimationMetric(w, **packed), quantised) for w in (8, 16))
    for low, high in zip(narrow.rows, wide.rows, strict=True):
        assert high[5] == pytest.approx(2 * low[5], rel=1e-12)


def test_both_tools_see_the_layers_of_a_quantised_network(quantised):
    rows = table(EnergyEstimationMetric(8, 64), quantised).rows
    names = [row[0].removeprefix("layers.") for row in rows]
    assert names == ["conv1", "conv2", "maxpool2", "flatten", "fc1", "fc2", "Total"]
    assert [row[-1] for row in rows] == ["Hybrid", *[True] * 6]
    assert [row[0] for row in table(OperationCounter(), quantised).rows] == [r[0] for r in rows]
    biases = {row[0]: row[3] for row in rows}
    access = 13.2 + 1.09e-5 * 8 * 4
    assert biases["layers.conv1"] == pytest.approx(3 * 64 * 4 * access)


def test_a_quantised_document_can_be_swept(quantised, tmp_path, capsys):
    path = tmp_path / "quantised.network"
    path.write_bytes(quantised.network.pack())
    assert sweep.main([str(path), "--timesteps", "1,1000", "--bits", "8", "--rates", "0.1"]) == 0
    assert "T = 1000" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["SCNN", "QuantizedSCNN"])
def test_no_batch_size_changes_a_figure(trained, digits, kind, monkeypatch):
    model, session = trained(kind)
    tools = (EnergyEstimationMetric(8, 64, twin=True), OperationCounter())
    expected = [table(tool, model) for tool in tools]
    for batch in (1, 7, 60):
        monkeypatch.setattr(sessions, "BATCH", batch)
        activity = session.activity(model.model, digits.test)
        again = attrs.evolve(model, activity=activity, training=Training(1, batch))
        assert [table(tool, again) for tool in tools] == expected


def test_the_twin_of_a_spiking_network_is_its_formal_counterpart(trained, digits, tmp_path):
    spiking, _ = trained("SCNN")
    params = {k: v for k, v in SMALL.items() if k not in ("timesteps", "neuron")}
    session = PyTorch(enable_progress_bar=False).open(Context(0, tmp_path))
    model = configure("model", "CNN", params).build(Shapes((8, 8, 1), (10,)), session)
    made = session.train(model, digits, Training(0, 50))
    known = {"network": session.lower(model), "activity": session.activity(model, digits.test)}
    formal = Processed("CNN", model, made, **known)
    metric = EnergyEstimationMetric(8, 64, twin=True)
    expected = table(EnergyEstimationMetric(8), formal)
    totals = {row[0]: row[expected.columns.index("total")] for row in expected.rows}
    _, beside = metric.apply(spiking, None, None, VOICE).tables
    for name, _, formal_nj, _ in beside.rows:
        assert 1000 * formal_nj == pytest.approx(totals[name], rel=1e-12)
