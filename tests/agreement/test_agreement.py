"""One network, one answer: what torch computes, the Zig engine computes spike for spike."""

import os
from pathlib import Path

import numpy as np
import pytest

from snn_kernel import Context, Samples, Shapes, Splits, Training
from snn_kernel.network import Network
from snn_kernel.results import agree

torch = pytest.importorskip("torch", reason="trains with torch")
pytest.importorskip("spikingjelly", reason="trains with SpikingJelly")
engine = pytest.importorskip("snn_engine", reason="needs snn-engine")
pytest.importorskip("snn_codegen", reason="needs snn-codegen")

from compiled_networks import predicted  # noqa: E402

from snn_framework_spikingjelly.framework import SpikingJelly, SpikingJellyMultiStep  # noqa: E402
from snn_models.scnn import SCNN  # noqa: E402
from snn_neurons_lif.integrate_and_fire import IFNode, LIFNode  # noqa: E402

torch.set_num_threads(1)  # small networks: more threads would only wait for each other
_SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[2] / ".." / "shared"))


def samples(rng, shape, how, count=40):
    """Random images of three classes, each class with its own pattern."""
    y = np.arange(count) % 3
    x = np.clip(rng.random((3, *shape))[y] + rng.normal(0, 0.2, (count, *shape)), 0, 1)
    if how == "digits":
        x = np.floor(x * 16.99) / 16
    elif how == "scored":
        x = (x - x.mean()) / x.std()
    layout = {2: "NLC", 3: "NHWC"}[len(shape)]
    return Samples(x.astype(np.float32), y.astype(np.int64), layout)


def compared(session, model, test):
    """The agreement of the engine and of C with the session, all from one packed document."""
    network = Network.unpack(session.lower(model).pack())
    ours = session.predict(model, test)
    with engine.Engine.load(network) as loaded:
        theirs = loaded.run(test.channels_first(), spikes=True)
    assert any(np.unpackbits(s).mean() > 0.01 for s in ours.spikes.values()), "a silent network"
    found = agree(ours, type(ours)(theirs.logits, theirs.spikes, dict(theirs.neurons)), "engine")
    return found + agree(ours, predicted(network, test.channels_first()), "C")


@pytest.mark.parametrize("how", ["digits", "scored"])
@pytest.mark.parametrize("seed", range(16))
def test_trained_networks_agree(seed, how):
    rng = np.random.default_rng([seed, len(how)])

    def pick(*options):
        return options[rng.integers(len(options))]

    multi, dims = bool(rng.integers(2)), pick(1, 2, 2)
    neuron = {"v_reset": pick(False, 0.0, -0.1), "step_mode": "m" if multi else "s"}
    gsp = pick(True, False, False)
    shape = ((19, 2), (25, 24, 2))[dims - 1]
    config = SCNN(
        filters=(5, 6),
        kernel_sizes=(3, 3),
        paddings=(1, 1),
        strides=(1, pick(1, 2)),
        pool_sizes=(pick(0, 2), 0),
        neuron=pick(
            IFNode(v_threshold=pick(1.0, 0.7), **neuron),
            LIFNode(v_threshold=0.3, tau=pick(2.0, 3.3), decay_input=pick(True, False), **neuron),
        ),
        fc_units=() if gsp else pick((), (11,)),
        separables=pick(None, (False, True), (True, True)),
        batch_norm=pick(True, False),
        prepool=pick(1, 1, 2),
        postpool=pick(1, 2, 3) if dims == 2 else 1,
        gsp=gsp,
        timesteps=int(rng.integers(1, 7)),
        dropouts=pick(0.0, 0.2),
    )
    kind = SpikingJellyMultiStep if multi else SpikingJelly
    session = kind().open(Context(seed, Path()))
    data = samples(rng, shape, how)
    model = config.build(Shapes(shape, (3,)), session)
    with torch.no_grad():
        for weight in (p for p in model.parameters() if p.ndim > 1):
            weight.mul_(6)  # small random weights would leave small networks silent
    session.train(model, Splits(data, None, data, 3), Training(3, 8))
    agreement = compared(session, model, data)
    assert agreement.differing == 0, agreement.first
    assert agreement.compared > len(data)


def test_mnist_agrees():
    import gzip

    folder = _SHARED / "data" / "mnist"
    if not folder.exists():
        pytest.skip(f"no MNIST in {folder}")
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    x = np.frombuffer(images, np.uint8, 1000 * 784, 16).reshape(-1, 28, 28, 1) / np.float32(255)
    y = np.frombuffer(labels, np.uint8, 1000, 8).astype(np.int64)
    train, test = Samples(x[:600], y[:600], "NHWC"), Samples(x[600:], y[600:], "NHWC")
    session = SpikingJelly().open(Context(42, Path()))
    config = SCNN(filters=(16, 32), kernel_sizes=(3, 3), pool_sizes=(2, 2), neuron=IFNode())
    model = config.build(Shapes((28, 28, 1), (10,)), session)
    session.train(model, Splits(train, None, test, 10), Training(1, 32))
    agreement = compared(session, model, test)
    assert agreement.differing == 0, agreement.first
