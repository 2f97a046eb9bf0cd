"""What the framework accepts, and what it says of a plan before anything runs."""

import os
import subprocess
import sys
from types import SimpleNamespace

import attrs
import numpy as np
import pytest
import torch

from snn_framework_spikingjelly.framework import (
    Checkpoint,
    PyTorch,
    SpikingJelly,
    SpikingJellyMultiStep,
)
from snn_framework_spikingjelly.metrics import METRICS, confusion, scores


def section(kind, params=None, scheduler=None):
    return SimpleNamespace(kind=kind, params=params or {}, scheduler=scheduler)


def faults(framework=None, optimizer=None, **neuron):
    config = SimpleNamespace(neuron=SimpleNamespace(**neuron))
    model = SimpleNamespace(
        name="net",
        choice=SimpleNamespace(config=config, place="[model.0]"),
        optimizer=optimizer,
    )
    plan = SimpleNamespace(models=(model,))
    return [str(f) for f in (framework or SpikingJelly()).check(plan, "[learningframework]")]


def test_what_needs_cuda_is_refused_without(monkeypatch):
    asked = {"accelerator": "gpu"}, {"precision": "16-mixed"}
    for there, found in ((False, 1), (True, 0)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert [len(faults(SpikingJelly(**one))) for one in asked] == [found, found]
    (text,) = faults(SpikingJelly(precision="16-mixed", accelerator="cpu"))
    assert text == "precision '16-mixed' needs CUDA, which is absent or not asked for"


def test_step_modes_must_fit():
    assert faults(step_mode="s") == faults() == []
    assert faults(SpikingJellyMultiStep(), step_mode="m") == []
    (text,) = faults(SpikingJellyMultiStep(), step_mode="s")
    for part in (
        "[model.0]",
        "'net'",
        "'s'",
        "SpikingJellyMultiStep needs 'm'",
        "set neuron.params",
    ):
        assert part in text
    assert len(faults(SpikingJelly(), step_mode="m")) == 1


def test_formal_models_have_no_steps():
    assert PyTorch().spiking is PyTorch().multi_step is PyTorch().timed is False
    assert SpikingJelly().spiking is SpikingJellyMultiStep().spiking is True
    assert faults(PyTorch()) == []
    assert "neuron" not in PyTorch.__doc__.partition("use_best_epoch")[2]
    assert len(faults(PyTorch(), optimizer=section("Adamm"))) == 1


@pytest.mark.parametrize(
    ("optimizer", "parts"),
    [
        (section("Adamm"), ["[model.0.optimizer]", "no optimizer 'Adamm'", "'Adam'"]),
        (section("LBFGS"), ["no optimizer 'LBFGS'"]),
        (section("SGD", {"lr": "0.1"}), ["optimizer.params]: 'lr' must be a number, not '0.1'"]),
        (section("Adam", {"lr": True}), ["'lr' must be a number, not True"]),
        (section("Adam", {"lr": float("inf")}), ["'lr' must be finite, not inf"]),
        (
            section("Adam", {"betas": [0.9, float("nan")]}),
            ["'betas' must be finite, not [0.9, nan]"],
        ),
        (section("Adam", {"amsgrad": "no"}), ["'amsgrad' must be true or false, not 'no'"]),
        (section("SGD", {"lrr": 1.0}), ["[model.0.optimizer.params]", "'lrr'", "mean 'lr'"]),
        (section("SGD", {"lr": -1.0}), ["SGD refuses", "Invalid learning rate"]),
        (section("Adam", {"betas": (2.0, 0.9)}), ["Adam refuses", "beta"]),
        (
            section("Adam", {}, section("StepLRR", {"step_size": 2})),
            ["[model.0.optimizer.scheduler]", "no scheduler 'StepLRR'", "'StepLR'"],
        ),
        (section("Adam", {}, section("StepLR")), ["StepLR refuses", "step_size"]),
        (section("Adam", {}, section("StepLR", {"step": 2})), ["'step'", "'step_size'"]),
    ],
)
def test_optimizers_are_checked_by_torch_itself(optimizer, parts):
    (text,) = faults(optimizer=optimizer)
    for part in parts:
        assert part in text


def test_every_fault_of_an_optimizer_at_once():
    wrong = section("SGD", {"lrr": 1, "momentums": 2}, section("Nope"))
    assert len(faults(optimizer=wrong)) == 3


def test_good_optimizers_pass():
    scheduler = section("CosineAnnealingLR", {"T_max": 10})
    assert faults(optimizer=section("AdamW", {"lr": 1e-3, "betas": (0.9, 0.99)}, scheduler)) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"precision": 64}, "precision 64 is not supported; there are 32, 32-true, bf16-mixed"),
        ({"metrics": ("acc", "accu")}, "unknown metric 'accu'"),
        ({"devices": 2}, "devices must be"),
        ({"accelerator": "tpu"}, "accelerator"),
        ({"loss": "hinge"}, "loss"),
        ({"progress_bar_refresh_rate": 0}, "progress_bar_refresh_rate"),
    ],
)
def test_wrong_params_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        SpikingJelly(**params)


def test_checkpoint_names_are_checked():
    assert Checkpoint("train_loss", "min").name == "train_loss"
    with pytest.raises(ValueError, match="unknown name 'val_accuracy'"):
        Checkpoint("val_accuracy")


def test_every_key_is_documented():
    for kind in (SpikingJelly, SpikingJellyMultiStep, PyTorch, Checkpoint):
        assert [f.name for f in attrs.fields(kind) if f"{f.name}:" not in kind.__doc__] == []


def test_metrics_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for _ in range(20):
        outputs = rng.normal(size=(40, 5)).astype(np.float32)
        y, predicted = rng.integers(0, 4, 40), outputs.argmax(axis=1)
        found = scores(METRICS, outputs, y)
        macro = {"average": "macro", "zero_division": 0}
        expected = {
            "prec": metrics.precision_score(y, predicted, **macro),
            "rec": metrics.recall_score(y, predicted, **macro),
            "f1": metrics.f1_score(y, predicted, **macro),
            "acc": metrics.accuracy_score(y, predicted),
            "avgclsacc": np.mean([np.mean(predicted[y == k] == k) for k in np.unique(y)]),
            "mse": metrics.mean_squared_error(np.eye(5)[y], outputs),
            "mae": metrics.mean_absolute_error(np.eye(5)[y], outputs),
            "corr": np.corrcoef(np.eye(5)[y].ravel(), outputs.ravel())[0, 1],
            "slope": np.polyfit(np.eye(5)[y].ravel(), outputs.ravel(), 1)[0],
        }
        for name, value in expected.items():
            assert found[name] == pytest.approx(value), name
        ours = confusion(outputs, y)
        assert np.array_equal(ours, metrics.confusion_matrix(y, predicted, labels=range(5)))


def test_mape_is_the_mean_relative_error():
    outputs = np.array([[0.5, 0.0], [0.0, 0.75]], np.float32)
    found = scores(["mape"], outputs, np.array([0, 1]))["mape"]
    assert found == pytest.approx((0.5 + 0 + 0 + 0.25) / 4)


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_asleep_unless_the_user_says_how(given, expected):
    code = (
        "import os; from types import SimpleNamespace as N;"
        "from snn_framework_spikingjelly.framework import SpikingJelly;"
        "list(SpikingJelly().check(N(models=()), '')); print(os.environ['OMP_WAIT_POLICY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if given:
        environment["OMP_WAIT_POLICY"] = given
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == expected


@pytest.mark.parametrize(
    "module", ["snn_framework_spikingjelly", "snn_framework_spikingjelly.framework"]
)
def test_importing_the_plugin_imports_no_torch(module):
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'spikingjelly'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
