"""One network, one answer: torch, running a model, and numpy, running its document in any order."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import layer as sj

from snn_framework_spikingjelly import SNN
from snn_framework_spikingjelly.framework import SpikingJelly, SpikingJellyMultiStep
from snn_framework_spikingjelly.layers import Add
from snn_kernel import Context, Samples, Shapes, Splits, Training
from snn_kernel.network import BatchNorm, Conv, Linear

scnn = pytest.importorskip("snn_models.scnn", reason="random networks are made of snn-models")
lif = pytest.importorskip("snn_neurons_lif.integrate_and_fire", reason="needs snn-neurons-lif")

torch.set_num_threads(1)  # small networks: more threads would only wait for each other


def opened(multi_step, folder=Path("."), warnings=None):
    kind = SpikingJellyMultiStep if multi_step else SpikingJelly
    warn = (warnings if warnings is not None else []).append
    return kind(enable_progress_bar=False).open(Context(3, folder, warn=warn))


def randomised(model, rng):
    """Weights and statistics as training may leave them, neurons that do spike."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(0.1, 0.5, generator=generator)
                module.running_var.uniform_(0.1, 3.0, generator=generator)
                module.weight.normal_(1.5, 0.7, generator=generator)
                module.bias.normal_(0.3, 0.3, generator=generator)
            elif hasattr(module, "weight"):
                module.weight.mul_(2.0 + float(rng.random()))
    return model


def data(rng, shape, how, count=12):
    x = rng.random((count, *shape))
    if how == "digits":
        x = np.floor(x * 17) / 16
    elif how == "scored":
        x = (x - 0.31) / 0.27
    x = x.astype(np.float32)
    layout = {1: "NC", 2: "NLC", 3: "NHWC"}[len(shape)]
    return Samples(x, np.arange(count) % 3, layout)


@pytest.fixture
def agrees(execute):
    """The function compare(session, model, samples, rng)."""
    return partial(compare, execute)


def compare(execute, session, model, samples, rng):
    """Assert that the document, run in numpy, gives the spikes and logits of the session."""
    network = session.lower(model)
    prediction = session.predict(model, samples)
    logits, spikes = execute(network, samples.channels_first(), rng)
    assert set(prediction.spikes) == set(spikes)
    for name, fired in spikes.items():
        ours = np.unpackbits(prediction.spikes[name], axis=2, count=prediction.neurons[name])
        assert np.array_equal(ours, fired), name
    assert np.array_equal(prediction.logits, logits)
    assert any(0 < s.mean() < 1 for s in spikes.values()), "the network is silent: a weak test"
    return network


def fitted(session, model, samples):
    splits = Splits(samples, None, samples, 3)
    return session.train(model, splits, Training(0, 8)).model


@pytest.mark.parametrize("how", ["digits", "scored"])
@pytest.mark.parametrize("seed", range(16))
def test_random_networks_agree(agrees, seed, how):
    rng = np.random.default_rng([seed, len(how)])

    def pick(*options):
        return options[rng.integers(len(options))]

    multi, dims = bool(rng.integers(2)), pick(1, 2, 2)
    reset, mode = pick(False, 0.0, -0.1), "m" if multi else "s"
    neuron = pick(
        lif.IFNode(v_threshold=pick(1.0, 0.7), v_reset=reset, step_mode=mode),
        lif.LIFNode(
            tau=pick(2.0, 3.3), v_reset=reset, decay_input=pick(True, False), step_mode=mode
        ),
    )
    gsp = pick(True, False, False)
    shape = ((19, 2), (17, 16, 2))[dims - 1]
    config = scnn.SCNN(
        filters=(5, 6),
        kernel_sizes=(3, 3),
        paddings=(1, 1),
        strides=(1, pick(1, 2)),
        pool_sizes=(pick(0, 2), 0),
        neuron=neuron,
        fc_units=() if gsp else pick((), (11,)),
        separables=pick(None, (False, True), (True, True)),
        batch_norm=pick(True, False),
        prepool=pick(1, 1, 2),
        postpool=pick(1, 2),
        gsp=gsp,
        timesteps=int(rng.integers(1, 7)),
        dropouts=pick(0.0, 0.2),
    )
    session = opened(multi)
    model = randomised(config.build(Shapes(shape, (3,)), session), rng)
    samples = data(rng, shape, how)
    network = agrees(session, fitted(session, model, samples), samples, rng)
    assert not network.only(BatchNorm)
    for layer in (*network.only(Conv), *network.only(Linear)):
        assert layer.weight.dtype == np.float32


class Residual(SNN):
    """A block with a shortcut, a normalisation after pooling, and averages over 3 × 3."""

    def __init__(self, step_mode, timesteps=4):
        super().__init__((9, 9, 1), (3,), timesteps, lif.IFNode(v_reset=False, step_mode=step_mode))
        mode = {"step_mode": step_mode}
        self.conv1 = sj.Conv2d(1, 4, 3, padding=1, **mode)
        self.pool1 = sj.MaxPool2d(3, stride=2, padding=1, **mode)
        self.bn1 = sj.BatchNorm2d(4, **mode)
        self.neuron1 = self.create_neuron()
        self.conv2 = sj.Conv2d(4, 4, 3, padding=1, bias=False, **mode)
        self.bn2 = sj.BatchNorm2d(4, **mode)
        self.neuron2 = self.create_neuron()
        self.add = Add()
        self.average = sj.AvgPool2d(3, stride=1, **mode)
        self.conv3 = sj.Conv2d(4, 4, 1, **mode)
        self.neuron3 = self.create_neuron()
        self.flatten = sj.Flatten(**mode)
        self.linear = sj.Linear(36, 3, **mode)

    def forward(self, x):
        x = self.neuron1(self.bn1(self.pool1(self.conv1(x))))
        y = self.neuron2(self.bn2(self.conv2(x)))
        return self.linear(self.flatten(self.neuron3(self.conv3(self.average(self.add(x, y) + y)))))


@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_shortcuts_averages_and_unfolded_normalisation_agree(agrees, seed, multi):
    rng = np.random.default_rng(seed)
    session = opened(multi)
    torch.manual_seed(seed)
    model = randomised(Residual("m" if multi else "s"), rng)
    samples = data(rng, (9, 9, 1), "scored")
    network = agrees(session, fitted(session, model, samples), samples, rng)
    assert [layer.name for layer in network.only(BatchNorm)] == ["bn1"]
    accumulators = {layer.name: layer.accumulator for layer in network.only(Conv)}
    assert accumulators == {"conv1": "float64", "conv2": "float32", "conv3": "float64"}


@pytest.mark.parametrize("multi", [False, True])
def test_timesteps_in_the_data_agree(agrees, multi):
    rng = np.random.default_rng(5)
    session = opened(multi)
    timed = type("Timed", (type(session.framework),), {"timed": True})
    session = timed(enable_progress_bar=False).open(session.context)
    x = rng.poisson(0.7, (8, 3, 6, 2)).astype(np.float32)
    samples = Samples(x, np.arange(8) % 3, "NTLC")
    neuron = lif.LIFNode(v_reset=False, step_mode="m" if multi else "s")
    config = scnn.SCNN(filters=(6,), kernel_sizes=(3,), neuron=neuron, timesteps=3)
    model = config.build(Shapes((6, 2), (3,), 3), session)
    model = fitted(session, randomised(model, rng), samples)
    network = agrees(session, model, samples, rng)
    assert network.mode == "sequence"
    assert network.input_format.fraction == 0


def test_both_step_modes_give_one_answer():
    rng = np.random.default_rng(9)
    samples, answers = data(rng, (8, 8, 1), "scored"), []
    for multi in (False, True):
        session = opened(multi)
        neuron = lif.IFNode(step_mode="m" if multi else "s")
        config = scnn.SCNN(filters=(4, 4), kernel_sizes=(3, 3), batch_norm=True, neuron=neuron)
        model = config.build(Shapes((8, 8, 1), (3,)), session)
        answers.append(session.predict(fitted(session, model, samples), samples))
    assert np.array_equal(answers[0].logits, answers[1].logits)
    for name in answers[0].spikes:
        assert np.array_equal(answers[0].spikes[name], answers[1].spikes[name])


def test_data_beyond_the_grid_is_clipped_with_one_warning(agrees):
    rng, warnings = np.random.default_rng(0), []
    session = opened(False, warnings=warnings)
    config = scnn.SCNN(filters=(3,), kernel_sizes=(3,), neuron=lif.IFNode())
    model = config.build(Shapes((6, 1), (3,)), session)
    samples = data(rng, (6, 1), "digits")
    model = fitted(session, model, samples)
    far = Samples(samples.x * 100, samples.y, "NLC")
    agrees(session, model, far, rng)
    assert len(warnings) == 1
    assert "beyond ±" in warnings[0]
