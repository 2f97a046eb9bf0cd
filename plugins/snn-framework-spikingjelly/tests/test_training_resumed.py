"""A training that was interrupted and goes on ends where one ends that was not."""

import inspect

import pytest
import torch
from trained_networks import Law, Net, splits

from snn_framework_spikingjelly import optimizers
from snn_framework_spikingjelly.framework import SpikingJelly
from snn_kernel import Context, Training
from snn_kernel.plan import Optimizer, Scheduler

EPOCHS = 4


def train(folder, training, stop=None, seed=3, **params):
    """The model and its history; KeyboardInterrupt in epoch `stop`, after two batches of it."""
    warnings = []

    def progress(part, done, total, measures):
        if (measures["epoch"], done % 3) == (stop, 2):
            raise KeyboardInterrupt

    context = Context(seed, folder, progress, warnings.append)
    session = SpikingJelly(**params).open(context)
    model = Net(Law("s"))
    return model, session.train(model, splits(), training).history, warnings


def same(model, other):
    state = other.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def check(folder, training, **params):
    whole, expected, _ = train(folder / "whole", training, **params)
    with pytest.raises(KeyboardInterrupt):
        train(folder / "cut", training, stop=3, **params)
    resumed, found, warnings = train(folder / "cut", training, **params)
    assert same(resumed, whole)
    assert [(e.number, e.measures) for e in found] == [(e.number, e.measures) for e in expected]
    assert warnings == []
    _, started, _ = train(folder / "once", Training(1, 16, training.optimizer), **params)
    assert started[0].measures == found[0].measures
    # What was past is not done again: its time is the old one.
    again, kept, _ = train(folder / "cut", training, **params)
    assert kept == found
    assert same(again, whole)


SCHEDULERS = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [1, 3]},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {},
    "LinearLR": {},
    "ConstantLR": {},
    "CosineAnnealingLR": {"T_max": 4},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 1e-3, "max_lr": 1e-2, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 1e-2, "total_steps": 12},
    "ReduceLROnPlateau": {"patience": 0},
}


def test_every_scheduler_is_tried():
    tried = {n for n, k in optimizers.SCHEDULERS.items() if n not in ("SWALR",)}
    assert tried == set(SCHEDULERS)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_goes_on(tmp_path, name):
    section = Optimizer("Adam", {"lr": 3e-3}, Scheduler(name, SCHEDULERS[name]))
    check(tmp_path, Training(EPOCHS, 16, section))


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_every_optimizer_goes_on(tmp_path, name):
    kind = optimizers.OPTIMIZERS[name]
    if "Muon" in name:
        pytest.skip(f"{name} takes matrices only, this network has more")
    params = {"lr": 1e-3} if "lr" in inspect.signature(kind).parameters else {}
    check(tmp_path, Training(EPOCHS, 16, Optimizer(name, params)))


def test_the_best_epoch_is_kept_over_the_interruption(tmp_path):
    metric = {"checkpoint_metric": SpikingJelly().checkpoint_metric, "use_best_epoch": True}
    check(tmp_path, Training(EPOCHS, 16, Optimizer("Adam", {"lr": 0.05})), **metric)
    (best,) = (tmp_path / "whole").rglob("best.safetensors")
    session = SpikingJelly().open(Context(0, tmp_path))
    model, whole = Net(Law("s")), train(tmp_path / "whole", Training(EPOCHS, 16), **metric)[0]
    session.load(model, best)
    assert model.input_format is not None
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in whole.state_dict().items()
    }


def test_mixed_precision_learns_and_goes_on(tmp_path):
    training = Training(EPOCHS, 16, Optimizer("Adam", {"lr": 1e-2}))
    check(tmp_path, training, precision="bf16-mixed")
    _, history, _ = train(tmp_path / "whole", training, precision="bf16-mixed")
    assert history[-1].measures["train_loss"] < history[0].measures["train_loss"]
    assert history[0].measures != train(tmp_path / "32", training)[1][0].measures


@pytest.mark.parametrize("change", ["seed", "batch", "optimizer", "framework"])
def test_another_training_begins_anew(tmp_path, change):
    train(tmp_path, Training(2, 16, Optimizer("Adam")))
    given = {"training": Training(2, 16, Optimizer("Adam")), "seed": 3}
    given |= {
        "seed": {"seed": 4},
        "batch": {"training": Training(2, 24, Optimizer("Adam"))},
        "optimizer": {"training": Training(2, 16, Optimizer("SGD"))},
        "framework": {"loss": "mse"},
    }[change]
    train(tmp_path, **given)
    assert len(list(tmp_path.rglob("state.pt"))) == 2


def test_two_trainings_of_one_session_never_meet(tmp_path):
    context = Context(3, tmp_path)
    session = SpikingJelly().open(context)
    for _ in range(2):  # the same model, weights, samples: still two trainings
        torch.manual_seed(0)
        session.train(Net(Law("s")), splits(), Training(1, 16))
    assert len(list(tmp_path.rglob("state.pt"))) == 2
    again = SpikingJelly().open(context)
    torch.manual_seed(0)
    again.train(Net(Law("s")), splits(), Training(1, 16))
    assert len(list(tmp_path.rglob("state.pt"))) == 2


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_warned_of_and_not_trusted(tmp_path, damage):
    training = Training(2, 16)
    whole, _, _ = train(tmp_path, training)
    (path,) = tmp_path.rglob("state.pt")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage is None else damage)
    again, history, (warning,) = train(tmp_path, training)
    assert "cannot be read, training begins anew" in warning
    assert same(again, whole)
    assert len(history) == 2
