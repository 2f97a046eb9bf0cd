"""Fused models: what is folded, what is left, and that both compute the same."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from snn_fuse_batchnorm.postprocessing import FuseBatchNorm
from snn_kernel import Context, Prediction, Processed, RunError, Samples, Splits, Trained

torch = pytest.importorskip("torch")
sj = pytest.importorskip("spikingjelly.activation_based.layer")

from torch import nn  # noqa: E402

from snn_fuse_batchnorm.fusion import fused  # noqa: E402


def ready(model, seed=0):
    """In evaluation, with statistics as after a training."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.2, 3)
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model.eval()


LAYERS = {
    "conv1d": (nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), (3, 2, 9)),
    "conv2d": (nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), (3, 2, 9, 8)),
    "grouped": (nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4, eps=0.1), (3, 4, 9, 8)),
    "conv3d": (nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4), (3, 2, 5, 6, 7)),
    "linear": (nn.Linear(5, 4), nn.BatchNorm1d(4), (3, 5)),
    "plain": (nn.Linear(5, 4, bias=False), nn.BatchNorm1d(4, affine=False), (3, 5)),
    "spiking 1d": (
        sj.Conv1d(2, 4, 3, step_mode="m"),
        sj.BatchNorm1d(4, step_mode="m"),
        (6, 3, 2, 9),
    ),
    "spiking 2d": (sj.Conv2d(2, 4, 3), sj.BatchNorm2d(4), (3, 2, 9, 8)),
    "spiking 3d": (sj.Conv3d(2, 4, 3), sj.BatchNorm3d(4), (3, 2, 5, 6, 7)),
    "spiking linear": (sj.Linear(5, 4, step_mode="m"), sj.BatchNorm1d(4, step_mode="m"), (6, 3, 5)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_are_equal(name):
    layer, norm, shape = LAYERS[name]
    model = ready(nn.Sequential(layer, norm, nn.ReLU()))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = fused(model)
    assert (found.folded, found.left) == (("1",), ())
    assert list(found.model.state_dict()) == ["0.weight", "0.bias"]
    x = torch.randn(shape)
    torch.testing.assert_close(found.model(x), model(x), rtol=1e-5, atol=1e-5)
    assert not torch.equal(found.model[0].weight, layer.weight)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


class Branching(nn.Module):
    """A normalisation after a layer that others read too, one after a sum, one after a layer that
    is called twice, one of another width."""

    def __init__(self):
        super().__init__()
        self.read, self.norm1 = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.norm2 = nn.BatchNorm1d(4)
        self.twice, self.norm3 = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.last, self.norm4 = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def forward(self, x):
        y = self.read(x)
        z = self.norm2(y + self.norm1(y))
        return self.norm4(self.last(self.norm3(self.twice(self.twice(z)))))


class Doubling(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def test_what_others_see_is_left():
    model = ready(Branching())
    found = fused(model)
    assert (found.folded, found.left) == (("norm4",), ("norm1", "norm2", "norm3"))
    x = torch.randn(7, 4)
    torch.testing.assert_close(found.model(x), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (nn.Linear(4, 6), nn.BatchNorm1d(5), (3, 5, 4)),  # normalises positions
        (nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False), (3, 4)),
        (
            Doubling(5, 5),
            nn.BatchNorm1d(5),
            (3, 5),
        ),
    ],
)
def test_what_cannot_be_folded_is_left(layer, norm, shape):
    model = ready(nn.Sequential(layer, norm))
    found = fused(model)
    assert (found.folded, found.left) == ((), ("1",))
    x = torch.randn(shape)
    assert torch.equal(found.model(x), model(x))


def test_attributes_and_tied_weights_are_kept():
    model = ready(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4)))
    model[2].weight = model[0].weight
    model.timesteps, model.step_mode, model.is_snn, model.input_format = 4, "m", True, object()
    model.input_shape = (4, 4)
    x = torch.randn(3, 4)
    found = fused(model).model
    torch.testing.assert_close(found(x), model(x), rtol=1e-5, atol=1e-5)
    assert (found.timesteps, found.step_mode, found.is_snn) == (4, "m", True)
    assert found.input_shape == (4, 4)
    assert type(found.input_format) is object
    assert not found.training


def test_a_model_that_is_no_torch_module_is_refused():
    from snn_kernel.testing.plain import PlainModel

    weights = np.zeros((2, 2), np.float32)
    with pytest.raises(RunError, match=r"this framework's model is a PlainModel \(leave the post"):
        applied(PlainModel((2,), 1, weights, weights))


def test_what_cannot_be_traced_is_refused():
    class Deciding(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(RunError, match=r"Deciding\.forward cannot be traced"):
        fused(Deciding())


def applied(model, params=()):
    """Outcome, warnings and how often the session predicted."""
    warnings, predicted = [], []

    def predict(model, samples):
        predicted.append(model)
        with torch.no_grad():
            return Prediction(model(torch.from_numpy(samples.x)).numpy())

    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    splits = Splits(None, None, Samples(x, np.zeros(20, np.int64), "NC"), 4)
    processed = Processed("net", model, Trained(model))
    context = Context(0, Path(), warn=warnings.append)
    session = SimpleNamespace(predict=predict)
    outcome = FuseBatchNorm(**dict(params)).apply(processed, splits, session, context)
    return outcome, warnings, len(predicted)


def test_an_outcome_is_the_fused_model():
    model = ready(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    outcome, warnings, predicted = applied(model)
    assert (outcome.suffix, warnings, predicted) == ("_fused", [], 2)
    assert isinstance(outcome.model[1], nn.Identity)
    found = {measure.name: measure.value for measure in outcome.measures}
    assert found == {"parameters": 20, "decisions_changed": 0}
    assert isinstance(model[1], nn.BatchNorm1d)


def test_changed_decisions_are_counted(monkeypatch):
    model = ready(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    broken = fused(model)
    with torch.no_grad():
        broken.model[0].bias[2] += 100
        chosen = model(torch.from_numpy(np.random.default_rng(0).normal(size=(20, 4))).float())
    monkeypatch.setattr("snn_fuse_batchnorm.fusion.fused", lambda _: broken)
    outcome, _, _ = applied(model)
    _, measure = outcome.measures
    assert measure.value == int((chosen.argmax(1) != 2).sum()) > 0


def test_evaluation_can_be_left_out():
    model = ready(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    outcome, _, predicted = applied(model, {"evaluate": False})
    assert ([m.name for m in outcome.measures], predicted) == (["parameters"], 0)


def test_what_is_left_is_said():
    _, warnings, _ = applied(ready(Branching()))
    (text,) = warnings
    assert text.startswith("net: not fused: norm1, norm2, norm3 (no convolution")
    _, warnings, _ = applied(nn.Sequential(nn.Linear(4, 4)))
    assert warnings == ["net: there was no batch normalisation to fuse"]


def test_importing_the_plugin_imports_no_torch():
    code = (
        "import sys, snn_fuse_batchnorm.plugin as p; [k.config for k in p.snnk_postprocessings()];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
