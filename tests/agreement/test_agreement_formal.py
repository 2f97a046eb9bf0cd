"""Formal networks, which compute with numbers: torch and the Zig engine agree bit for bit."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snn_kernel import Context, Samples, Shapes, Splits, Training
from snn_kernel.network import Network, Pool, Relu
from snn_kernel.results import agree

torch = pytest.importorskip("torch", reason="trains with torch")
pytest.importorskip("spikingjelly", reason="trains with the framework of SpikingJelly")
engine = pytest.importorskip("snn_engine", reason="needs snn-engine")
pytest.importorskip("snn_codegen", reason="needs snn-codegen")

from compiled_networks import predicted  # noqa: E402
from torch import nn  # noqa: E402

from snn_framework_spikingjelly.framework import PyTorch  # noqa: E402
from snn_framework_spikingjelly.layers import (  # noqa: E402
    Add,
    GlobalSumPool1d,
    GlobalSumPool2d,
)
from snn_models.cnn import CNN  # noqa: E402
from snn_models.formal import FormalNetwork  # noqa: E402
from snn_models.mlp import MLP  # noqa: E402
from snn_models.resnet import ResNet  # noqa: E402
from snnk.command import main  # noqa: E402

torch.set_num_threads(1)  # small networks: more threads would only wait for each other
CLASSES = 3


def samples(rng, shape, how, count=24):
    """Random samples, each class with its own pattern: 17 levels, or standard scores."""
    y = np.arange(count) % CLASSES
    x = np.clip(rng.random((CLASSES, *shape))[y] + rng.normal(0, 0.2, (count, *shape)), 0, 1)
    x = np.floor(x * 16.99) / 16 if how == "digits" else (x - x.mean()) / x.std()
    layout = {1: "NC", 2: "NLC", 3: "NHWC"}[len(shape)]
    return Samples(x.astype(np.float32), y.astype(np.int64), layout)


def silent(logits):
    """Whether the samples make no difference to any logit."""
    return np.ptp(logits, axis=0).max() == 0


def compared(session, model, data):
    """The network, after asserting that the engine's logits are the session's, that they are those
    of the float model but for rounding, and that both count the same."""
    network = Network.unpack(session.lower(model).pack())
    ours = session.predict(model, data)
    with engine.Engine.load(network) as loaded:
        run = loaded.run(data.channels_first(), spikes=True)
    agreement = agree(ours, type(ours)(run.logits, run.spikes, dict(run.neurons)))
    assert agreement.differing == 0, agreement.first
    assert agreement.compared == ours.logits.size > len(data)
    in_c = agree(ours, predicted(network, data.channels_first()), "C")
    assert in_c.differing == 0, in_c.first
    with torch.no_grad():
        expected = model(torch.from_numpy(data.channels_first())).numpy()
    assert np.abs(ours.logits - expected).max() <= 2e-4 * np.abs(expected).max()
    assert not silent(ours.logits), "a silent network"
    counted = {a.layer: a.output.nonzeros for a in session.activity(model, data)}
    for layer in network.only(Relu):
        assert run.counts[layer.name]["outputs"] == counted[layer.name]
    return network


@st.composite
def configs(draw):
    """A model and the shape of its samples."""
    dims = draw(st.sampled_from([1, 2]))
    shape = (*draw(st.tuples(*[st.integers(9, 14)] * dims)), draw(st.integers(1, 3)))
    if draw(st.integers(0, 3)) == 0:
        return MLP(units=draw(st.sampled_from([(9,), (12, 7)]))), shape
    shared = {"batch_norm": draw(st.booleans()), "prepool": draw(st.sampled_from([1, 1, 2, 3]))}
    if draw(st.booleans()):
        return ResNet(
            filters=(4, 4, 6),
            kernel_sizes=(3, 3, 3),
            num_blocks=(2, 1),
            strides=(1, 1, draw(st.sampled_from([1, 2]))),
            postpool=draw(st.sampled_from(["max", "avg"])),
            **shared,
        ), shape
    gsp = draw(st.booleans())
    return CNN(
        filters=(5, 6),
        kernel_sizes=(3, 3),
        paddings=1,
        strides=(1, draw(st.sampled_from([1, 2]))),
        pool_sizes=(draw(st.sampled_from([0, 2])) if shared["prepool"] == 1 else 0, 0),
        fc_units=() if gsp else draw(st.sampled_from([(), (11,)])),
        separables=draw(st.sampled_from([None, (False, True), (True, True)])),
        postpool=1 if gsp or shared["prepool"] > 1 else draw(st.sampled_from([1, 2])),
        dropouts=draw(st.sampled_from([0.0, 0.2])),
        gsp=gsp,
        **shared,
    ), shape


@settings(max_examples=40, deadline=None)
@given(configs(), st.sampled_from(["digits", "scored"]), st.integers(0, 2**31), st.integers(0, 2))
def test_trained_networks_agree(drawn, how, seed, epochs):
    config, shape = drawn
    session = PyTorch(enable_progress_bar=False).open(Context(seed, Path()))
    data = samples(np.random.default_rng(seed), shape, how)
    model = config.build(Shapes(shape, (CLASSES,)), session)
    with torch.no_grad():
        for name, bias in model.named_parameters():
            if name.endswith("bias"):
                bias.add_(0.3)  # few channels: without it, all of them may be dead
    session.train(model, Splits(data, None, data, CLASSES), Training(epochs, 8))
    assume(not silent(session.predict(model, data).logits))
    assert compared(session, model, data).timesteps == 1


class Branches(FormalNetwork):
    """Functions for modules, averages of three and nine, and a sum of three without a ReLU."""

    def __init__(self, dims):
        super().__init__((*[12] * dims, 2), (CLASSES,))
        conv, pool = getattr(nn, f"Conv{dims}d"), getattr(nn, f"AvgPool{dims}d")
        self.first, self.second, self.third = (conv(n, 5, 3, padding=1) for n in (2, 5, 5))
        self.average, self.again, self.add = pool(3, 1, 1), pool(3, 1, 1), Add()
        self.last = conv(5, CLASSES, 1)
        self.total = (GlobalSumPool1d if dims == 1 else GlobalSumPool2d)()

    def forward(self, x):
        x = torch.relu(self.first(x))
        y = self.average(nn.functional.relu(self.second(x)))
        z = self.third(self.again(y) + x).relu()
        return self.total(torch.relu(self.last(self.add(x, y, z))))


@pytest.mark.parametrize("how", ["digits", "scored"])
@pytest.mark.parametrize("dims", [1, 2])
def test_functions_and_branches_agree(dims, how):
    torch.manual_seed(dims)
    model, session = Branches(dims), PyTorch(enable_progress_bar=False).open(Context(1, Path()))
    data = samples(np.random.default_rng(dims), (*[12] * dims, 2), how)
    session.train(model, Splits(data, None, data, CLASSES), Training(1, 8))
    network = compared(session, model, data)
    names = {layer.name for layer in network.layers if getattr(layer, "format", None)}
    assert {"relu", "relu_1", "relu_2", "average", "again", "add", "add_"} <= names
    assert {pool.accumulator for pool in network.only(Pool)} == {"float64"}


def test_depth_costs_no_accuracy():
    """Twenty layers deep, bounds lie 2^60 above what occurs; grids reach to what was seen."""
    data = samples(np.random.default_rng(5), (8, 8, 1), "scored")
    config = ResNet(filters=(6, 6, 6), kernel_sizes=(3, 3, 3), num_blocks=(5, 5), batch_norm=True)
    session = PyTorch(enable_progress_bar=False).open(Context(5, Path()))
    model = config.build(Shapes((8, 8, 1), (CLASSES,)), session)
    session.train(model, Splits(data, None, data, CLASSES), Training(2, 8))
    compared(session, model, data)
    model.seen = {}
    blind = session.predict(model, data).logits
    assert not np.ptp(blind, axis=0).any(), "the bound alone would have done"


def test_ranges_are_kept_with_the_weights(tmp_path):
    data = samples(np.random.default_rng(6), (9, 9, 1), "scored")
    config = CNN(filters=(5,), kernel_sizes=(3,), fc_units=(8,))
    session = PyTorch(enable_progress_bar=False).open(Context(6, Path()))
    models = [config.build(Shapes((9, 9, 1), (CLASSES,)), session) for _ in range(2)]
    session.train(models[0], Splits(data, None, data, CLASSES), Training(1, 8))
    session.save(models[0], tmp_path / "weights")
    session.load(models[1], tmp_path / "weights")
    assert models[1].seen == models[0].seen != {}
    session.train(models[1], Splits(data, None, data, CLASSES), Training(0, 8))
    assert session.lower(models[1]) == session.lower(models[0])


FILE = """
[bench]
name = "formal"
seed = 1

[learningframework]
kind = "{framework}"

[dataset]
kind = "Digits"

[[model]]
name = "net"
kind = "{kind}"
epochs = 12
batch_size = 64
params = {{ {params} }}
optimizer = {{ kind = "Adam", params = {{ lr = 2e-3 }} }}

[[postprocessing]]
kind = "EnergyEstimationMetric"
params = {{ mem_width = 8 }}

[[postprocessing]]
kind = "OperationCounter"

[deploy]
target = "ZigEngine"
"""
SMALL = "filters = [16, 32], kernel_sizes = [3, 3], paddings = [1, 1], pool_sizes = [0, 2]"


def run(tmp_path, monkeypatch, *arguments, **fields):
    pytest.importorskip("sklearn", reason="scikit-learn brings the digits")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "formal.toml").write_text(FILE.format(**fields))
    return main([arguments[0], "formal.toml", *arguments[1:]])


def test_a_file_runs(tmp_path, monkeypatch, capsys):
    fields = {"framework": "PyTorch", "kind": "CNN", "params": SMALL}
    assert run(tmp_path, monkeypatch, "run", "--json", "result.json", **fields) == 0
    capsys.readouterr()
    (result,) = json.loads((tmp_path / "result.json").read_text())["runs"]
    measures = {(m["name"], m["source"]): m["value"] for m in result["measures"]}
    accuracy = measures["accuracy", "test"]
    with capsys.disabled():
        print(f"\nCNN on Digits: {accuracy:.2%}, agreement {result['agreement']}")
    assert result["agreement"]["differing"] == 0
    assert accuracy == measures["accuracy", "ZigEngine"]
    assert accuracy >= 0.95
    assert measures["energy", "EnergyEstimationMetric"] > 0
    assert measures["multiply_accumulates", "OperationCounter"] > 0


@pytest.mark.parametrize(
    ("framework", "kind", "params", "message"),
    [
        ("SpikingJelly", "CNN", SMALL, "CNN is a formal model, which framework 'SpikingJelly'"),
        (
            "PyTorch",
            "SCNN",
            SMALL + ", neuron = {kind = 'IFNode'}",
            "SCNN is a spiking model, which framework 'PyTorch' does not train",
        ),
        ("PyTorch", "CNN", SMALL + ", timesteps = 4", "unknown key 'timesteps'"),
    ],
)
def test_models_of_the_other_kind_are_refused(
    framework, kind, params, message, tmp_path, monkeypatch, capsys
):
    fields = {"framework": framework, "kind": kind, "params": params}
    assert run(tmp_path, monkeypatch, "check", **fields) == 1
    found = "".join(capsys.readouterr())
    assert message in " ".join(found.split()), found
