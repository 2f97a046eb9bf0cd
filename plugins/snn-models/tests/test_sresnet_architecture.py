"""SResNet and SResNetStride: parameters, architecture, and what they say of what does not fit."""

from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

from snn_kernel import ConfigError, Context, Shapes
from snn_kernel.config import configure
from snn_models.sresnet import SResNet, SResNetStride

torch = pytest.importorskip("torch")
lif = pytest.importorskip("snn_neurons_lif.integrate_and_fire")
SESSION = SimpleNamespace(context=Context(0, Path()), multi_step=False)
KINDS = [SResNet, SResNetStride]
THREE = {"filters": (4, 4, 6), "kernel_sizes": (3, 3, 3), "num_blocks": (2, 1)}


def built(kind, shape=(16, 16, 2), **params):
    neuron = lif.IFNode()
    return kind(**{**THREE, "neuron": neuron, **params}).build(Shapes(shape, (10,)), SESSION)


def names(module):
    return [name for name, _ in module.named_children()]


def test_the_documented_deep_example_builds():
    params = {
        "filters": [64, 64, 128, 256, 512],
        "kernel_sizes": [7, 3, 3, 3, 3],
        "paddings": [3, 1, 1, 1, 1],
        "strides": [2, 1, 1, 1, 1],
        "num_blocks": [2, 2, 2, 2],
        "prepool": 1,
        "postpool": "max",
        "batch_norm": True,
        "force_projection_with_stride": True,
        "timesteps": 4,
        "neuron": {"kind": "IFNode", "params": {"v_threshold": 1.0}},
    }
    model = configure("model", "SResNet", params).build(Shapes((8, 8, 3), (10,)), SESSION)
    assert names(model) == [
        *("conv1", "bn1", "neuron1", "layers", "postpool", "flatten", "linear"),
    ]
    assert [len(group) for group in model.layers] == [2, 2, 2, 2]
    assert model.postpool.kernel_size == (4, 4)
    assert model(torch.zeros(1, 3, 8, 8)).shape == (1, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_default_is_enough(kind):
    model = built(kind)
    assert (model.conv1.padding, model.conv1.stride) == ((1, 1), (1, 1))
    assert model.conv1.bias is not None
    assert model.timesteps == 2
    assert model.postpool.kernel_size == (16, 16)
    assert {type(m).__name__ for m in model.modules()}.isdisjoint({"BatchNorm2d", "AvgPool2d"})


def test_strides_are_pools_in_the_first_block_of_a_group():
    model = built(SResNet, strides=(2, 2, 1), batch_norm=True, bn_momentum=0.3, prepool=2)
    assert (model.conv1.stride, model.prepool.kernel_size) == ((2, 2), (2, 2))
    first, second = model.layers[0]
    assert (first.conv1.stride, first.pool1.kernel_size, first.smax.kernel_size) == ((1, 1), 2, 2)
    assert first.sconv.stride == (1, 1)
    assert names(second) == ["conv1", "bn1", "neuron1", "conv2", "bn2", "neuron2", "add"]
    assert {m.momentum for m in model.modules() if hasattr(m, "momentum")} == {0.3}
    assert model.postpool.kernel_size == (2, 2)


def test_strides_are_of_convolutions_and_pools_of_their_own():
    params = {"strides": (1, 2, 1), "pool_sizes": (2, 0, 3), "postpool": "sum"}
    model = built(SResNetStride, (24, 3), **params)
    assert names(model) == ["conv1", "pool1", "neuron1", "layers", "conv2", "neuron2", "gsp"]
    first, second = model.layers[0]
    assert (first.conv1.stride, first.conv2.stride, first.sconv.stride) == ((2,), (1,), (2,))
    assert not hasattr(first, "pool1")
    assert not hasattr(second, "sconv")
    assert (model.layers[1][0].pool1.kernel_size, model.layers[1][0].spool.kernel_size) == (3, 3)
    assert model(torch.zeros(5, 3, 24)).shape == (5, 10)


@pytest.mark.parametrize(
    ("kind", "params", "projected"),
    [
        (SResNet, {}, [False, False, True]),
        (SResNet, {"strides": (1, 2, 1)}, [True, False, True]),
        (SResNet, {"strides": 2, "force_projection_with_stride": False}, [False, False, True]),
        (SResNetStride, {"strides": (1, 2, 1)}, [True, False, True]),
        (SResNetStride, {"pool_sizes": (1, 2, 1)}, [True, False, True]),
        (
            SResNetStride,
            {"pool_sizes": 2, "force_projection_with_pooling": False},
            [False, False, True],
        ),
        (
            SResNetStride,
            {"strides": (1, 2, 1), "force_projection_with_pooling": False},
            [True, False, True],
        ),
    ],
)
def test_shortcuts_are_projected_where_they_must_be(kind, params, projected):
    blocks = [block for group in built(kind, **params).layers for block in group]
    assert [hasattr(block, "sconv") for block in blocks] == projected
    assert [hasattr(block, "neuronr") for block in blocks] == projected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("shape", [(13, 3), (13, 11, 3)])
@pytest.mark.parametrize("strides", [1, (2, 2, 1)])
def test_shapes_of_outputs(kind, mode, shape, strides):
    model = built(kind, shape, strides=strides, neuron=lif.LIFNode(step_mode=mode), timesteps=5)
    x = torch.zeros(*([5] if mode == "m" else []), 2, shape[-1], *shape[:-1])
    assert model(x).shape == (*x.shape[: 2 if mode == "m" else 1], 10)
    assert {getattr(m, "step_mode", mode) for m in model.modules()} == {mode}


def test_sums_of_spikes_are_not_spikes():
    model = built(SResNet)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.0 if parameter.ndim > 1 else 2.0)  # everything fires
    heard = []
    for block in model.layers[0]:
        block.register_forward_hook(lambda _module, _args, out: heard.append(out))
    model(torch.zeros(1, 2, 16, 16))
    assert [set(out.unique().tolist()) for out in heard] == [{2.0}, {3.0}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("params", "parts"),
    [
        (
            {"kernel_sizes": (3,), "paddings": (1, 1), "num_blocks": (1,)},
            [
                *("kernel_sizes has 1 numbers for 3 filters", "paddings has 2 numbers"),
                "num_blocks has 1 numbers for 2 groups",
            ],
        ),
        ({"strides": (1, 2)}, ["strides has 2 numbers for 3 filters"]),
        ({"filters": ()}, ["filters must name at least one"]),
        ({"num_blocks": (1, 0)}, ["num_blocks must be at least 1, not 0"]),
        ({"paddings": -1}, ["paddings must be at least 0"]),
        ({"bn_momentum": 0.0}, ["bn_momentum"]),
        ({"timesteps": 0}, ["timesteps"]),
        ({"dims": 1, "prepool": (2, 2)}, ["prepool has 2 numbers for 1 dimensions"]),
        ({"input_shape": (4,)}, ["input_shape is [L, C] or [H, W, C]"]),
    ],
)
def test_wrong_parameters_are_refused_all_at_once(kind, params, parts):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the parts are the match
        kind(**{**THREE, "neuron": lif.IFNode(), **params})
    for part in parts:
        assert part in str(caught.value)


def test_pools_of_the_strided_kind_are_counted_too():
    with pytest.raises(ValueError, match="pool_sizes has 2 numbers for 3 filters"):
        SResNetStride(**THREE, neuron=lif.IFNode(), pool_sizes=(1, 2))


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        (SResNet, {"strides": (1, 4, 4)}, r"layers\.1\.0\.pool1, of size 4×4, leaves .* of 2×2"),
        (SResNet, {"paddings": (0, 1, 1), "kernel_sizes": (9, 3, 3)}, "conv1, of size 9×9"),
        (SResNet, {"prepool": 9}, r"prepool, of size 9×9, leaves nothing of a map of 8×8"),
        (SResNet, {"paddings": 0}, r"layers\.0\.0 makes 2×2 of a map of 6×6, its shortcut 6×6"),
        (SResNetStride, {"pool_sizes": (9, 0, 0)}, r"SResNetStride: pool1, of size 9×9"),
        (SResNetStride, {"kernel_sizes": (3, 4, 3)}, r"layers\.0\.0 makes 10×10 of a map of 8×8"),
        (SResNet, {"dims": 1}, r"samples \(8, 8, 2\) do not have 1 dimensions"),
    ],
)
def test_maps_that_do_not_fit_are_refused(kind, params, message):
    with pytest.raises(ConfigError, match=message):
        built(kind, (8, 8, 2), **params)


@pytest.mark.parametrize("kind", KINDS)
def test_timesteps_in_the_data_must_be_the_models(kind):
    config = kind(**THREE, neuron=lif.IFNode())
    with pytest.raises(ConfigError, match=f"{kind.__name__}: timesteps is 2, the data has 6"):
        config.build(Shapes((8, 8, 1), (10,), 6), SESSION)


@pytest.mark.parametrize("kind", KINDS)
def test_a_framework_without_timesteps_is_refused(kind):
    plan = SimpleNamespace(framework=SimpleNamespace(kind="PyTorch", config=object()))
    (text,) = kind(**THREE, neuron=lif.IFNode()).check(plan, "[model.0]")
    assert text.startswith(f"{kind.__name__} is a spiking model, which framework 'PyTorch'")


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_pools_are_refused(kind):
    neuron = {"kind": "IFNode", "params": {}}
    params = {k: list(v) for k, v in THREE.items()} | {"neuron": neuron, "postpool": "min"}
    with pytest.raises(ConfigError, match="postpool"):
        configure("model", kind.__name__, params)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_documented(kind):
    assert [f.name for f in attrs.fields(kind) if f"{f.name}:" not in kind.__doc__] == []
