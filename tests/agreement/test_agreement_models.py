"""SMLP and the residual networks: the Zig engine computes what torch computes, spike for spike."""

from pathlib import Path

import numpy as np
import pytest

from snn_kernel import Context, Samples, Shapes, Splits, Training
from snn_kernel.network import Add, BatchNorm, Network, Pool
from snn_kernel.results import agree

torch = pytest.importorskip("torch", reason="trains with torch")
pytest.importorskip("spikingjelly", reason="trains with SpikingJelly")
engine = pytest.importorskip("snn_engine", reason="needs snn-engine")

from snn_framework_spikingjelly.framework import SpikingJelly, SpikingJellyMultiStep  # noqa: E402
from snn_models.smlp import SMLP  # noqa: E402
from snn_models.sresnet import SResNet, SResNetStride  # noqa: E402
from snn_neurons_lif.integrate_and_fire import IFNode, LIFNode  # noqa: E402

torch.set_num_threads(1)  # small networks: more threads would only wait for each other
FRAMEWORKS = {"s": SpikingJelly, "m": SpikingJellyMultiStep}
SHAPES = {"NC": (9,), "NLC": (21, 2), "NHWC": (11, 12, 2)}
RESIDUAL = {"filters": (4, 4, 6), "kernel_sizes": (3, 3, 3), "num_blocks": (2, 1), "timesteps": 4}
NEURONS = {
    "IF": lambda mode: IFNode(v_threshold=0.6, v_reset=False, step_mode=mode),
    "LIF": lambda mode: LIFNode(
        v_threshold=0.3, tau=3.3, decay_input=False, v_reset=-0.1, step_mode=mode
    ),
}


def agreed(config, layout, seed):
    """The network after some training, its prediction and the engine's agreement with it."""
    rng, shape = np.random.default_rng(seed), SHAPES[layout]
    y = np.arange(32) % 3
    x = (rng.random((3, *shape))[y] + rng.normal(0, 0.2, (32, *shape))).astype(np.float32)
    samples = Samples(x, y.astype(np.int64), layout)
    session = FRAMEWORKS[config.neuron.step_mode]().open(Context(seed, Path()))
    model = config.build(Shapes(shape, (3,)), session)
    with torch.no_grad():
        for weight in (p for p in model.parameters() if p.ndim > 1):
            weight.mul_(3)  # small random weights would leave small networks silent
    session.train(model, Splits(samples, None, samples, 3), Training(3, 8))
    network = Network.unpack(session.lower(model).pack())
    ours = session.predict(model, samples)
    with engine.Engine.load(network) as loaded:
        theirs = loaded.run(samples.channels_first(), spikes=True)
    found = type(ours)(theirs.logits, theirs.spikes, dict(theirs.neurons))
    return network, ours, agree(ours, found)


def check(config, layout, seed):
    network, ours, agreement = agreed(config, layout, seed)
    assert agreement.differing == 0, agreement.first
    fired = {layer: np.unpackbits(spikes).mean() for layer, spikes in ours.spikes.items()}
    assert all(0.001 < share < 0.999 for share in fired.values()), fired
    assert agreement.compared > ours.logits.size
    return network


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("units", [(12,), (12, 8)])
def test_perceptrons_agree(units, layout, neuron, mode):
    check(SMLP(units=units, timesteps=4, neuron=NEURONS[neuron](mode)), layout, 1)


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("layout", ["NLC", "NHWC"])
@pytest.mark.parametrize(
    "params",
    [
        {"strides": (1, 1, 2)},
        {"strides": (1, 2, 1), "postpool": "avg", "prepool": 2},
        {"strides": (2, 2, 1), "force_projection_with_stride": False, "bn_momentum": 0.5},
    ],
)
def test_residual_networks_agree(params, layout, batch_norm, mode):
    neuron = NEURONS["LIF" if params.get("postpool") else "IF"](mode)
    config = SResNet(**RESIDUAL, **params, neuron=neuron, batch_norm=batch_norm)
    network = check(config, layout, 2)
    assert [layer.name for layer in network.layers if isinstance(layer, Add)] == [
        *("layers.0.0.add", "layers.0.1.add", "layers.1.0.add"),
    ]


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("layout", ["NLC", "NHWC"])
@pytest.mark.parametrize(
    "params",
    [
        {"strides": (1, 1, 2)},
        {"strides": (1, 2, 1), "pool_sizes": (2, 1, 1), "postpool": "avg"},
        {"pool_sizes": (1, 2, 0), "postpool": "sum", "force_projection_with_pooling": False},
    ],
)
def test_strided_residual_networks_agree(params, layout, batch_norm, mode):
    neuron = NEURONS["LIF" if params.get("postpool") == "avg" else "IF"](mode)
    config = SResNetStride(**RESIDUAL, **params, neuron=neuron, batch_norm=batch_norm)
    network = check(config, layout, 3)
    pools = sum(isinstance(layer, Pool) for layer in network.layers)
    assert pools == {None: 1, "avg": 2, "sum": 2}[params.get("postpool")]
    assert not any(isinstance(layer, BatchNorm) for layer in network.layers)  # all are folded
