"""Networks whose spikes are worth a learnt threshold: torch and the engine agree."""

from pathlib import Path

import numpy as np
import pytest

from snn_kernel import Context, Samples, Shapes, Splits, Training
from snn_kernel.network import GlobalSum, Network, Neuron, Pool
from snn_kernel.results import agree

torch = pytest.importorskip("torch", reason="trains with torch")
pytest.importorskip("spikingjelly", reason="trains with SpikingJelly")
engine = pytest.importorskip("snn_engine", reason="needs snn-engine")
pytest.importorskip("snn_codegen", reason="needs snn-codegen")

from compiled_networks import predicted  # noqa: E402

from snn_framework_spikingjelly.framework import SpikingJelly, SpikingJellyMultiStep  # noqa: E402
from snn_models.scnn import SCNN  # noqa: E402
from snn_models.sresnet import SResNet  # noqa: E402
from snn_neurons_atif.adaptive_threshold import ATIF  # noqa: E402

torch.set_num_threads(1)
CLASSES = 3


def samples(rng, shape, how, count=40):
    """Random images, each class with its own pattern: 17 grey levels, or standard scores."""
    y = np.arange(count) % CLASSES
    x = np.clip(rng.random((CLASSES, *shape))[y] + rng.normal(0, 0.2, (count, *shape)), 0, 1)
    x = np.floor(x * 16.99) / 16 if how == "digits" else (x - x.mean()) / x.std()
    return Samples(x.astype(np.float32), y.astype(np.int64), {2: "NLC", 3: "NHWC"}[len(shape)])


def built(session, shape, **params):
    model = SCNN(filters=(5, 6), kernel_sizes=(3, 3), paddings=1, **params).build(
        Shapes(shape, (CLASSES,)), session
    )
    with torch.no_grad():
        for weight in (p for p in model.parameters() if p.ndim > 1):
            weight.mul_(6)  # small random weights would leave small networks silent
    return model


def compared(session, model, test):
    """The agreement of the engine and of C with the session, all from one packed document."""
    network = Network.unpack(session.lower(model).pack())
    ours = session.predict(model, test)
    with engine.Engine.load(network) as loaded:
        theirs = loaded.run(test.channels_first(), spikes=True)
    found = agree(ours, type(ours)(theirs.logits, theirs.spikes, dict(theirs.neurons)), "engine")
    return found + agree(ours, predicted(network, test.channels_first()), "C"), ours


@pytest.mark.parametrize("how", ["digits", "scored"])
@pytest.mark.parametrize("seed", range(8))
def test_trained_networks_agree(seed, how):
    rng = np.random.default_rng([seed, len(how)])

    def pick(*options):
        return options[rng.integers(len(options))]

    multi, shape = bool(rng.integers(2)), pick((19, 2), (16, 15, 2))
    session = (SpikingJellyMultiStep if multi else SpikingJelly)().open(Context(seed, Path()))
    model = built(
        session,
        shape,
        strides=(1, pick(1, 2)),
        pool_sizes=(pick(0, 2), 0),
        neuron=ATIF(
            v_threshold=pick(1.0, 0.7),
            alpha=pick(1.0, 4.0),
            detach_reset=pick(True, False),
            step_mode="m" if multi else "s",
        ),
        fc_units=pick((), (11,)),
        separables=pick(None, (False, True)),
        batch_norm=pick(True, False),
        prepool=pick(1, 2),
        timesteps=int(rng.integers(2, 7)),
        dropouts=pick(0.0, 0.2),
    )
    data = samples(rng, shape, how)
    session.train(model, Splits(data, None, data, CLASSES), Training(3, 8))
    agreement, ours = compared(session, model, data)
    assert agreement.differing == 0, agreement.first
    assert agreement.compared > len(data)
    network = session.lower(model)
    thresholds = [n.threshold for n in network.layers if isinstance(n, Neuron)]
    assert thresholds == [
        p.item() for n, p in model.named_parameters() if n.endswith(".v_threshold")
    ]
    rates = [float(np.unpackbits(bits).mean()) for bits in ours.spikes.values()]
    assert len(rates) == len(thresholds)
    assert max(rates) > 0.05, "a silent network"


@pytest.mark.parametrize("theta", [-0.3, 0.01, 0.1])
def test_thresholds_that_training_may_reach_agree(theta):
    session = SpikingJelly().open(Context(1, Path()))
    model = built(session, (9, 8, 1), neuron=ATIF())
    data = samples(np.random.default_rng(1), (9, 8, 1), "digits")
    session.train(model, Splits(data, None, data, CLASSES), Training(1, 8))
    with torch.no_grad():
        model.layers["neuron1"].v_threshold.fill_(theta)
    agreement, _ = compared(session, model, data)
    assert agreement.differing == 0, agreement.first


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("params", [{"postpool": 2}, {"postpool": 3}, {"gsp": True}])
@pytest.mark.parametrize("shape", [(9, 2), (9, 8, 1)])
def test_sums_without_weights_agree(shape, params, mode):
    """A learnt threshold has 24 bits: sums of it are formed in float64."""
    session = {"s": SpikingJelly, "m": SpikingJellyMultiStep}[mode]().open(Context(1, Path()))
    model = built(session, shape, neuron=ATIF(step_mode=mode), **params)
    data = samples(np.random.default_rng(1), shape, "digits")
    session.train(model, Splits(data, None, data, CLASSES), Training(1, 8))
    with torch.no_grad():
        for name, threshold in model.named_parameters():
            if name.endswith("v_threshold"):
                threshold.fill_(0.7)  # in float32 all of its 24 bits are in use
    agreement, ours = compared(session, model, data)
    assert agreement.differing == 0, agreement.first
    assert any(np.unpackbits(bits).mean() > 0.05 for bits in ours.spikes.values())
    sums = [n for n in session.lower(model).layers if isinstance(n, Pool | GlobalSum)]
    assert [n.accumulator for n in sums] == ["float64"]


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("postpool", ["max", "avg"])
def test_residual_networks_agree(postpool, mode):
    """Sums of two learnt thresholds go into convolutions and averages."""
    session = {"s": SpikingJelly, "m": SpikingJellyMultiStep}[mode]().open(Context(2, Path()))
    config = SResNet(
        filters=(4, 4, 6),
        kernel_sizes=(3, 3, 3),
        num_blocks=(2, 1),
        strides=(1, 1, 2),
        postpool=postpool,
        neuron=ATIF(v_threshold=0.5, step_mode=mode),
    )
    data = samples(np.random.default_rng(2), (10, 10, 1), "scored")
    model = config.build(Shapes((10, 10, 1), (CLASSES,)), session)
    with torch.no_grad():
        for weight in (p for p in model.parameters() if p.ndim > 1):
            weight.mul_(4)
    session.train(model, Splits(data, None, data, CLASSES), Training(2, 8))
    agreement, ours = compared(session, model, data)
    assert agreement.differing == 0, agreement.first
    assert all(np.unpackbits(bits).mean() > 0.01 for bits in ours.spikes.values())
