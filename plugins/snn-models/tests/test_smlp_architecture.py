"""SMLP: its parameters, its architecture, and what it says of a plan or data that do not fit."""

from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

from snn_kernel import ConfigError, Context, Shapes
from snn_kernel.config import configure
from snn_models.smlp import SMLP

torch = pytest.importorskip("torch")
lif = pytest.importorskip("snn_neurons_lif.integrate_and_fire")
SESSION = SimpleNamespace(context=Context(0, Path()), multi_step=False)
TWO = {"units": (7, 5), "timesteps": 3, "neuron": lif.IFNode()}


def built(shape=(28, 28, 1), **params):
    return SMLP(**{**TWO, **params}).build(Shapes(shape, (10,)), SESSION)


def test_a_table_of_a_file_builds():
    neuron = {"kind": "LIFNode", "params": {"tau": 3.0}}
    params = {"units": [16], "timesteps": 4, "neuron": neuron}
    model = configure("model", "SMLP", params).build(Shapes((8, 8, 1), (10,)), SESSION)
    assert list(model.layers) == ["flatten1", "fc1", "neuron1", "fc2"]
    assert model.layers["fc1"].weight.shape == (16, 64)
    assert model.layers["neuron1"].tau == 3.0


@pytest.mark.parametrize("missing", ["units", "timesteps", "neuron"])
def test_what_has_no_default_is_asked_for(missing):
    params = {"units": [16], "timesteps": 4, "neuron": {"kind": "IFNode"}}
    del params[missing]
    with pytest.raises(ConfigError, match=missing):
        configure("model", "SMLP", params)


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("shape", [(6,), (12, 3), (12, 10, 3)])
def test_shapes_of_outputs(mode, shape):
    model = built(shape, neuron=lif.LIFNode(step_mode=mode))
    x = torch.zeros(*([3] if mode == "m" else []), 2, shape[-1], *shape[:-1])
    assert model(x).shape == (*x.shape[: 2 if mode == "m" else 1], 10)
    assert model.input_shape == (3, *shape)
    assert {getattr(m, "step_mode", mode) for m in model.modules()} == {mode}


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"units": ()}, "units must name at least one"),
        ({"units": (4, 0)}, "units must be at least 1, not 0"),
        ({"timesteps": 0}, "timesteps"),
        ({"output_shape": (2, 3)}, r"output_shape is \[classes\]"),
        ({"input_shape": ()}, "input_shape must name at least one"),
    ],
)
def test_wrong_parameters_are_refused(params, part):
    with pytest.raises(ValueError, match=part):
        SMLP(**{**TWO, **params})


def test_timesteps_in_the_data_must_be_the_models():
    with pytest.raises(ConfigError, match="SMLP: timesteps is 3, the data has 6"):
        SMLP(**TWO).build(Shapes((8,), (10,), 6), SESSION)


def test_shapes_may_be_given():
    model = built((8, 8, 1), input_shape=(9, 3), output_shape=(2,))
    assert (model.input_shape, model.output_shape) == ((3, 9, 3), (2,))
    assert model.layers["fc3"].weight.shape == (2, 5)


def test_a_framework_without_timesteps_is_refused():
    plan = SimpleNamespace(framework=SimpleNamespace(kind="PyTorch", config=object()))
    (text,) = SMLP(**TWO).check(plan, "[model.0]")
    assert text == "SMLP is a spiking model, which framework 'PyTorch' does not train"


def test_every_key_is_documented():
    assert [f.name for f in attrs.fields(SMLP) if f"{f.name}:" not in SMLP.__doc__] == []
