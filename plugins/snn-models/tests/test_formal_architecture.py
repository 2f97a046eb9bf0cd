"""CNN, MLP and ResNet: the twins of the spiking networks, without neurons and timesteps."""

from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

from snn_kernel import ConfigError, Context, Shapes
from snn_kernel.config import configure
from snn_models.cnn import CNN
from snn_models.mlp import MLP
from snn_models.resnet import ResNet
from snn_models.scnn import SCNN
from snn_models.smlp import SMLP
from snn_models.sresnet import SResNet

torch = pytest.importorskip("torch")
lif = pytest.importorskip("snn_neurons_lif.integrate_and_fire")
SESSION = SimpleNamespace(context=Context(0, Path()), multi_step=False)
LISTS = {"filters": (4, 6), "kernel_sizes": (3, 3)}
TWINS = {
    CNN: (SCNN, LISTS),
    MLP: (SMLP, {"units": (7, 5)}),
    ResNet: (SResNet, {**LISTS, "num_blocks": (2,)}),
}
KINDS = list(TWINS)


def built(kind, shape=(12, 12, 2), **params):
    return kind(**{**TWINS[kind][1], **params}).build(Shapes(shape, (10,)), SESSION)


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_the_spiking_twin(kind):
    def fields(config):
        return {f.name: (f.default, f.type) for f in attrs.fields(config)}

    spiking = fields(TWINS[kind][0])
    for name in ("neuron", "timesteps"):
        del spiking[name]
    assert fields(kind) == spiking
    assert [name for name in spiking if f"{name}:" not in kind.__doc__] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(14, 3), (12, 10, 3)])
def test_shapes_and_weights_are_those_of_the_spiking_twin(kind, shape):
    twin, params = TWINS[kind]
    spiking = twin(**params, neuron=lif.IFNode(), timesteps=2).build(Shapes(shape, (10,)), SESSION)
    formal = built(kind, shape)
    assert (formal.timesteps, formal.is_snn, formal.input_shape) == (1, False, (1, *shape))
    ours, theirs = ({k: v.shape for k, v in m.state_dict().items()} for m in (formal, spiking))
    assert ours == theirs
    assert formal(torch.zeros(5, shape[-1], *shape[:-1])).shape == (5, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_no_neurons(kind):
    found = {type(module).__module__.partition(".")[0] for module in built(kind).modules()}
    assert "spikingjelly" not in found
    assert sum(isinstance(m, torch.nn.ReLU) for m in built(kind).modules()) > 0


def test_a_convolutional_network_is_named_as_its_twin_with_relu_for_neuron():
    params = {
        "batch_norm": True,
        "dropouts": (0.1, 0.0, 0.3),
        "fc_units": (7,),
        "pool_sizes": (2, 0),
        "prepool": 2,
        "separables": (False, True),
    }
    twin = SCNN(**LISTS, **params, neuron=lif.IFNode()).build(Shapes((20, 20, 2), (10,)), SESSION)
    model = built(CNN, (20, 20, 2), **params)
    assert list(model.layers) == [name.replace("neuron", "relu") for name in twin.layers]
    gsp = built(CNN, gsp=True)
    assert list(gsp.layers)[-3:] == ["conv3", "relu3", "gsp"]


def test_blocks_add_before_their_last_relu():
    model = built(ResNet, strides=(1, 2), batch_norm=True)
    first, second = model.layers[0]
    assert [name for name, _ in first.named_children()] == [
        *("conv1", "bn1", "pool1", "relu1", "conv2", "bn2", "sconv", "sbn", "spool", "add", "relu"),
    ]
    assert [name for name, _ in second.named_children()] == [
        *("conv1", "bn1", "relu1", "conv2", "bn2", "add", "relu"),
    ]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.0 if parameter.ndim > 1 else -1.0)
    heard = []
    first.add.register_forward_hook(lambda _module, _args, out: heard.append(out.min()))
    first.register_forward_hook(lambda _module, _args, out: heard.append(out.min()))
    model.eval()(torch.zeros(1, 2, 12, 12))
    assert heard[0] < 0 == heard[1]


@pytest.mark.parametrize("kind", KINDS)
def test_timesteps_in_the_data_are_refused(kind):
    config = kind(**TWINS[kind][1])
    message = f"{kind.__name__}: a formal model takes no timesteps, the data has 6"
    with pytest.raises(ConfigError, match=message):
        config.build(Shapes((12, 12, 2), (10,), 6), SESSION)


@pytest.mark.parametrize("kind", KINDS)
def test_frameworks_for_spiking_models_are_refused(kind):
    def faults(name, config):
        plan = SimpleNamespace(framework=SimpleNamespace(kind=name, config=config))
        return list(kind(**TWINS[kind][1]).check(plan, "[model.0]"))

    assert faults("PyTorch", SimpleNamespace(spiking=False)) == []
    for config in (SimpleNamespace(spiking=True), object()):
        (text,) = faults("Other", config)
        name = kind.__name__
        assert text == f"{name} is a formal model, which framework 'Other' does not train"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["neuron", "timesteps"])
def test_what_makes_a_network_spike_is_no_parameter(kind, key):
    params = {k: list(v) for k, v in TWINS[kind][1].items()}
    with pytest.raises(ConfigError, match=f"unknown key '{key}'"):
        configure("model", kind.__name__, {**params, key: 4})
