"""Networks whose spikes are worth a learnt threshold: torch and the engine agree."""

from pathlib import Path

import numpy as np
import pytest

from snn_kernel import Context, NetworkError, Samples, Shapes, Splits, Training
from snn_kernel.network import Network, Neuron
from snn_kernel.results import agree

torch = pytest.importorskip("torch", reason="trains with torch")
pytest.importorskip("spikingjelly", reason="trains with SpikingJelly")
engine = pytest.importorskip("snn_engine", reason="needs snn-engine")

from snn_framework_spikingjelly.framework import SpikingJelly, SpikingJellyMultiStep  # noqa: E402
from snn_models.scnn import SCNN  # noqa: E402
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
    """The agreement of the engine with the session, both from one packed document."""
    network = Network.unpack(session.lower(model).pack())
    ours = session.predict(model, test)
    with engine.Engine.load(network) as loaded:
        theirs = loaded.run(test.channels_first(), spikes=True)
    return agree(ours, type(ours)(theirs.logits, theirs.spikes, dict(theirs.neurons))), ours


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


@pytest.mark.parametrize("params", [{"postpool": 2}, {"gsp": True}])
def test_sums_without_weights_are_refused_not_wrong(params):
    """Sums of a learnt threshold are not exact in float32; such a network is not lowered."""
    session = SpikingJelly().open(Context(1, Path()))
    model = built(session, (9, 8, 1), neuron=ATIF(), **params)
    data = samples(np.random.default_rng(1), (9, 8, 1), "digits")
    session.train(model, Splits(data, None, data, CLASSES), Training(1, 8))
    with pytest.raises(NetworkError, match="not exact in float32"):
        session.lower(model)
    assert session.predict(model, data).logits.shape == (len(data), CLASSES)
