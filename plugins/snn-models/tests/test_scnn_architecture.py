"""SCNN: its parameters, its architecture, and what it says of a plan or data that do not fit."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from snn_kernel import ConfigError, Context, Shapes
from snn_kernel.config import configure
from snn_models.scnn import SCNN

torch = pytest.importorskip("torch")
lif = pytest.importorskip("snn_neurons_lif.integrate_and_fire")
SESSION = SimpleNamespace(context=Context(0, Path()), multi_step=False)
TWO = {"filters": (4, 6), "kernel_sizes": (3, 3), "neuron": lif.IFNode()}


def built(shape=(28, 28, 1), **params):
    return SCNN(**{**TWO, **params}).build(Shapes(shape, (10,)), SESSION)


def test_the_documented_minimal_example_builds():
    neuron = {"kind": "IFNode", "params": {"v_threshold": 1.0}}
    params = {
        "timesteps": 4,
        "filters": [16, 32],
        "kernel_sizes": [3, 3],
        "pool_sizes": [2, 2],
        "neuron": neuron,
    }
    config = configure("model", "SCNN", params)
    model = config.build(Shapes((28, 28, 1), (10,)), SESSION)
    assert list(model.layers) == [
        *("conv1", "neuron1", "maxpool1", "conv2", "neuron2", "maxpool2", "flatten", "fc1"),
    ]
    assert model.layers["fc1"].weight.shape == (10, 32 * 5 * 5)
    assert model(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_every_part_stands_where_it_should():
    model = built(
        (20, 20, 2),
        batch_norm=True,
        dropouts=(0.1, 0.0, 0.3),
        fc_units=(7,),
        pool_sizes=(2, 0),
        prepool=2,
        postpool=(2, 1),
        separables=(False, True),
    )
    assert list(model.layers) == [
        *("prepool", "conv1", "bn1", "neuron1", "dropout1", "maxpool1"),
        *("conv2_dw", "bn2_dw", "neuron2_dw", "conv2_pw", "bn2_pw", "neuron2_pw"),
        *("postpool", "flatten", "fc1", "neuron3", "dropout3", "fc2"),
    ]
    assert model.layers["conv1"].bias is None
    assert model.layers["conv2_dw"].groups == 4
    assert model.layers["dropout3"].p == 0.3


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("shape", [(12, 3), (12, 10, 3)])
@pytest.mark.parametrize("gsp", [False, True])
def test_shapes_of_outputs(mode, shape, gsp):
    model = built(shape, gsp=gsp, neuron=lif.LIFNode(step_mode=mode), timesteps=5)
    x = torch.zeros(*([5] if mode == "m" else []), 2, shape[-1], *shape[:-1])
    assert model(x).shape == (*x.shape[: 2 if mode == "m" else 1], 10)
    assert model.input_shape == (5, *shape)
    assert {getattr(m, "step_mode", mode) for m in model.modules()} == {mode}


def test_one_seed_gives_one_model():
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(built().layers["conv1"].weight.detach().numpy())
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"kernel_sizes": (3,)}, ["kernel_sizes has 1 numbers for 2 filters"]),
        (
            {"strides": (1,), "dropouts": (0.1,), "gsp": True, "fc_units": (3,)},
            ["strides has 1", "dropouts has 1 numbers for 3 layers", "gsp takes the place"],
        ),
        ({"filters": ()}, ["filters must name at least one"]),
        ({"kernel_sizes": (3, 0)}, ["kernel_sizes must be at least 1, not 0"]),
        ({"paddings": -1}, ["paddings must be at least 0"]),
        ({"strides": 0}, ["strides must be at least 1"]),
        ({"dropouts": 1.0}, ["dropouts are shares from 0 to below 1"]),
        ({"timesteps": 0}, ["timesteps"]),
        ({"dims": 3}, ["dims"]),
        ({"dims": 1, "prepool": (2, 2)}, ["prepool has 2 numbers for 1 dimensions"]),
        ({"output_shape": (2, 3)}, ["output_shape is [classes]"]),
    ],
)
def test_wrong_parameters_are_refused_all_at_once(params, parts):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the parts are the match
        SCNN(**{**TWO, **params})
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "params", "message"),
    [
        ((4, 4, 1), {}, r"conv2, of size 3×3, leaves nothing of a map of 2×2"),
        ((6, 6, 1), {"pool_sizes": (4, 0)}, r"conv2, of size 3×3, leaves nothing of a map of 1×1"),
        ((6, 6, 1), {"postpool": 3}, r"postpool, of size 3×3, leaves nothing of a map of 2×2"),
        ((6, 6, 1), {"pool_sizes": 9}, r"maxpool1, of size 9×9"),
        ((64,), {}, r"samples \(64,\) do not have 1 or 2 dimensions"),
        ((8, 8, 1), {"dims": 1}, r"samples \(8, 8, 1\) do not have 1 dimensions"),
        ((8, 1), {"prepool": (2, 2)}, "prepool has 2 numbers, the data has 1 dimensions"),
    ],
)
def test_data_that_do_not_fit_are_refused(shape, params, message):
    with pytest.raises(ConfigError, match=message):
        built(shape, **params)


def test_timesteps_in_the_data_must_be_the_models():
    with pytest.raises(ConfigError, match="timesteps is 4, the data has 6"):
        SCNN(**TWO).build(Shapes((8, 8, 1), (10,), 6), SESSION)


def test_shapes_may_be_given():
    model = SCNN(**TWO, input_shape=(9, 9, 3), output_shape=(2,)).build(
        Shapes((8, 8, 1), (10,)), SESSION
    )
    assert model.input_shape == (4, 9, 9, 3)
    assert model.output_shape == (2,)


def test_a_framework_without_timesteps_is_refused():
    def plan(config):
        return SimpleNamespace(framework=SimpleNamespace(kind="PyTorch", config=config))

    (text,) = SCNN(**TWO).check(plan(object()), "[model.0]")
    assert "framework 'PyTorch' does not train" in text
    assert not list(SCNN(**TWO).check(plan(SimpleNamespace(spiking=True)), "[model.0]"))


def test_warnings_of_neurons_are_heard_once():
    if torch.cuda.is_available():
        pytest.skip("CUDA is here: the request can be met")
    warnings: list[str] = []
    session = SimpleNamespace(context=Context(0, Path(), warn=warnings.append), multi_step=False)
    config = SCNN(**{**TWO, "neuron": lif.IFNode(backend="cupy")})
    config.build(Shapes((8, 8, 1), (10,)), session)
    assert len(warnings) == 1


def test_every_key_is_documented():
    assert [f.name for f in attrs.fields(SCNN) if f"{f.name}:" not in SCNN.__doc__] == []


def test_importing_the_plugin_imports_no_torch():
    code = (
        "import sys, snn_models.plugin as p; [k.config for k in p.snnk_models()];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
