"""Training, prediction, counting and weights of a session, on problems small enough to judge."""

import hashlib

import numpy as np
import pytest
import safetensors.torch
import torch
from attrs import evolve
from spikingjelly.activation_based import layer as sj
from spikingjelly.activation_based import neuron

from snn_framework_spikingjelly import SNN
from snn_framework_spikingjelly.framework import Checkpoint, SpikingJelly, SpikingJellyMultiStep
from snn_framework_spikingjelly.lowered import lowered
from snn_framework_spikingjelly.lowering import lower
from snn_kernel import Context, DataError, RunError, Samples, Splits, Training

torch.set_num_threads(1)


class Section:
    """An [optimizer] or scheduler section."""

    def __init__(self, kind, params, scheduler=None):
        self.kind, self.params, self.scheduler = kind, params, scheduler


FAST = Section("Adam", {"lr": 0.02})


class Law:
    """A neuron kind of the test's own: integrate and fire, soft reset."""

    def __init__(self, step_mode="s"):
        self.step_mode = step_mode

    def module(self, context):
        return neuron.IFNode(v_reset=None, step_mode=self.step_mode)


class Small(SNN):
    """One convolution, one linear layer."""

    def __init__(self, step_mode="s", timesteps=4, batch_norm=False):
        super().__init__((8, 2), (2,), timesteps, Law(step_mode))
        mode = {"step_mode": step_mode}
        self.conv = sj.Conv1d(2, 6, 3, padding=1, **mode)
        self.bn = sj.BatchNorm1d(6, **mode) if batch_norm else torch.nn.Identity()
        self.neuron = self.create_neuron()
        self.drop = sj.Dropout(0.1, **mode)
        self.flatten = sj.Flatten(**mode)
        self.linear = sj.Linear(48, 2, **mode)

    def forward(self, x):
        return self.linear(self.flatten(self.drop(self.neuron(self.bn(self.conv(x))))))


def problem(count=64, seed=0, noise=0.4):
    """Two classes: the first channel is lit in the left or in the right half."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(count) % 2)
    x = np.zeros((count, 8, 2))
    x[y == 0, :4, 0] = 1
    x[y == 1, 4:, 0] = 1
    return Samples(
        (x + rng.normal(0, noise, x.shape)).astype(np.float32), y.astype(np.int64), "NLC"
    )


def session(folder, kind=SpikingJelly, seed=7, warn=None, progress=None, **params):
    told = {k: v for k, v in {"warn": warn, "progress": progress}.items() if v}
    return kind(**params).open(Context(seed, folder, **told))


def splits(valid=True):
    return Splits(problem(), problem(32, 1) if valid else None, problem(32, 2), 2)


@pytest.mark.parametrize("kind", [SpikingJelly, SpikingJellyMultiStep])
@pytest.mark.parametrize("loss", ["crossentropy", "mse"])
def test_it_learns(tmp_path, kind, loss):
    opened = session(tmp_path, kind, loss=loss)
    model = Small(opened.framework.step_mode)
    untrained = opened.predict(model, splits().test).accuracy(splits().test.y)
    trained = opened.train(model, splits(), Training(12, 16, FAST))
    assert opened.predict(model, splits().test).accuracy(splits().test.y) > max(0.9, untrained)
    first, last = trained.history[0].measures, trained.history[-1].measures
    assert last["train_loss"] < first["train_loss"]
    assert last["valid_acc"] > 0.9
    assert [e.number for e in trained.history] == list(range(1, 13))
    assert {"train_avgclsacc", "valid_f1"} <= set(last)
    assert {m.name: m.value for m in trained.measures}["parameters"] == 3 * 12 + 6 + 98


def weights_hash(tmp_path, seed):
    opened = session(tmp_path, seed=seed)
    model = Small(batch_norm=True)
    opened.train(model, splits(), Training(2, 16))
    opened.save(model, tmp_path / "w.safetensors")
    return hashlib.sha256((tmp_path / "w.safetensors").read_bytes()).hexdigest()


def test_one_seed_gives_one_set_of_weights(tmp_path):
    assert weights_hash(tmp_path, 5) == weights_hash(tmp_path, 5) != weights_hash(tmp_path, 6)


def test_small_models_get_one_weight_set_whatever_the_threads(tmp_path):
    one = weights_hash(tmp_path, 5)
    torch.set_num_threads(2)
    try:
        assert weights_hash(tmp_path, 5) == one
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_no_epochs_change_no_weight(tmp_path):
    opened, model = session(tmp_path), Small()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    trained = opened.train(model, splits(), Training(0, 16))
    assert trained.history == ()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_best_epoch_is_kept(tmp_path):
    opened = session(tmp_path, use_best_epoch=True, checkpoint_metric=Checkpoint("val_loss", "min"))
    optimizer = Section("Adam", {"lr": 0.02}, Section("ExponentialLR", {"gamma": 4.0}))
    model = Small()
    trained = opened.train(model, splits(), Training(8, 16, optimizer))
    losses = [e.measures["valid_loss"] for e in trained.history]
    assert losses[-1] > min(losses), "the problem must get worse for this test to mean anything"
    valid = splits().valid
    logits = torch.from_numpy(opened.predict(model, valid).logits)
    found = torch.nn.functional.cross_entropy(logits, torch.from_numpy(valid.y)).item()
    assert found == pytest.approx(min(losses), rel=1e-3)


def test_train_metric_stands_in_without_a_validation_set(tmp_path):
    opened = session(tmp_path, use_best_epoch=True)
    history = opened.train(Small(), splits(valid=False), Training(2, 16)).history
    assert not any(key.startswith("valid") for key in history[0].measures)


def test_diverging_loss_names_epoch_and_batch(tmp_path):
    with pytest.raises(RunError, match=r"epoch \d+, batch \d+ of 4.*learning rate"):
        session(tmp_path).train(Small(), splits(), Training(9, 16, Section("SGD", {"lr": 1e38})))


def test_progress_is_told(tmp_path):
    told = []
    opened = session(tmp_path, progress=lambda *args: told.append(args))
    opened.train(Small(), splits(), Training(2, 16))
    assert [t[:3] for t in told] == [("train", n, 8) for n in range(1, 9)]
    assert told[-1][3]["epoch"] == 2
    told.clear()
    quiet = session(tmp_path, progress=lambda *a: told.append(a), enable_progress_bar=False)
    quiet.train(Small(), splits(), Training(1, 16))
    assert not told


def test_interrupt_passes_and_leaves_a_model_that_works(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    model, opened = Small(), session(tmp_path, progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        opened.train(model, splits(), Training(1, 16))
    assert np.isfinite(opened.predict(model, splits().test).logits).all()


class Swap:
    """An augmentation that notes what it was given."""

    def __init__(self):
        self.seen = []

    def apply(self, x, y, context, shapes):
        self.seen.append((x.shape, x.dtype, y.dtype, context.seed))
        return -x, 1 - y


def test_augmentations_get_numpy_batches_and_a_seed_each(tmp_path):
    augmentation = Swap()
    model, opened = Small(), session(tmp_path)
    opened.train(model, splits(), Training(2, 16, augmentations=(augmentation,)))
    shapes, kinds, labels, seeds = zip(*augmentation.seen, strict=True)
    assert set(shapes) == {(16, 8, 2)}
    assert set(kinds) == {np.dtype(np.float32)}
    assert set(labels) == {np.dtype(np.int64)}
    assert len(set(seeds)) == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: Samples(s.x[:, :5], s.y, "NLC"), r"are \(5, 2\), the model takes \(8, 2\)"),
        (lambda s: Samples(s.x, s.y + 1, "NLC"), "labels of the train set are 0 to 2"),
        (lambda s: Samples(s.x, s.y * 0, "NLC"), "no training sample of class 1"),
        (lambda s: Samples(s.x[:, None], s.y, "NTLC"), "has timesteps, the framework wants none"),
    ],
)
def test_data_that_does_not_fit_is_refused(tmp_path, change, message):
    wrong = Splits(change(problem()), None, None, 2)
    with pytest.raises(DataError, match=message):
        session(tmp_path).train(Small(), wrong, Training(1, 16))


def test_an_empty_validation_set_is_none(tmp_path):
    empty, made = splits().test.take(slice(0)), []
    for folder, valid in (("a", None), ("b", empty)):
        opened, model = session(tmp_path / folder), Small()
        trained = opened.train(model, evolve(splits(), valid=valid), Training(1, 16))
        made.append((trained.history[0].measures, opened.predict(model, splits().test).logits))
    assert made[0][0] == made[1][0]
    assert np.array_equal(made[0][1], made[1][1])
    assert "valid_loss" not in made[1][0]


def test_samples_without_values_are_refused(tmp_path):
    wrong = splits().map(lambda s: evolve(s, x=s.x[:, :0]))
    with pytest.raises(DataError, match=r"are \(0, 2\): there is nothing in them"):
        session(tmp_path).train(Small(), wrong, Training(1, 16))


def test_running_leaves_the_float_model_untouched(tmp_path):
    model, opened = Small(batch_norm=True), session(tmp_path)
    opened.train(model, splits(), Training(1, 16))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    opened.predict(model, splits().test)
    opened.activity(model, splits().test)
    with lowered(model, lower(model, timed=False)):
        assert "forward" in model.conv.__dict__
    with pytest.raises(RuntimeError), lowered(model, lower(model, timed=False)):
        model.conv(torch.zeros(1))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    for module in model.modules():
        assert "forward" not in module.__dict__
        assert not module._forward_hooks
    assert all(not isinstance(m.v, torch.Tensor) for m in model.modules() if hasattr(m, "v"))


def test_batches_cannot_change_a_prediction(tmp_path):
    model, opened, test = Small(), session(tmp_path), problem(300, 3)
    opened.train(model, splits(), Training(2, 16))
    whole, single = opened.predict(model, test), opened.predict(model, test.take(slice(150, 151)))
    assert np.array_equal(whole.logits[150:151], single.logits)
    assert np.array_equal(whole.spikes["neuron"][150:151], single.spikes["neuron"])
    assert whole.neurons == {"neuron": 48}
    assert whole.spikes["neuron"].shape == (300, 4, 6)


@pytest.mark.parametrize("kind", [SpikingJelly, SpikingJellyMultiStep])
def test_activity_counts_what_the_prediction_shows(tmp_path, kind):
    opened = session(tmp_path, kind)
    model = Small(opened.framework.step_mode)
    opened.train(model, splits(), Training(2, 16))
    test = splits().test
    found = {a.layer: a for a in opened.activity(model, test)}
    assert list(found) == [layer.name for layer in opened.lower(model).layers]
    prediction = opened.predict(model, test)
    spikes = int(np.unpackbits(prediction.spikes["neuron"], axis=2, count=48).sum())
    assert found["neuron"].output.nonzeros == found["neuron"].output.total == spikes > 0
    assert found["neuron"].output.binary
    assert found["linear"].input == found["flatten"].output == found["neuron"].output
    x = opened.lower(model).input_format.apply(test.x)
    assert found["conv"].input.elements == 16
    assert found["conv"].input.nonzeros == 4 * np.count_nonzero(x)
    assert found["conv"].input.total == pytest.approx(4 * x.sum(dtype=np.float64))
    assert not found["conv"].input.binary
    total = 4 * prediction.logits.sum(dtype=np.float64)
    assert found["linear"].output.total == pytest.approx(total, rel=1e-5)
    assert (found["linear"].samples, found["linear"].timesteps) == (32, 4)


def test_score_names_its_metrics_and_writes_the_confusion_matrix(tmp_path):
    opened, model = session(tmp_path, metrics=("acc", "f1", "mse")), Small()
    opened.train(model, splits(), Training(3, 16))
    test = splits().test
    measures = opened.score(opened.predict(model, test), test.y)
    assert [(m.name, m.source) for m in measures] == [("f1", "test"), ("mse", "test")]
    header, *rows = (tmp_path / "confusion.csv").read_text().splitlines()
    assert header == "label,predicted_0,predicted_1"
    assert sum(int(n) for row in rows for n in row.split(",")[1:]) == 32


def test_weights_survive_a_round_trip(tmp_path):
    opened, model, path = session(tmp_path), Small(batch_norm=True), tmp_path / "w.safetensors"
    opened.train(model, splits(), Training(1, 16))
    opened.save(model, path)
    other = Small(batch_norm=True)
    opened.load(other, path)
    assert other.input_format == model.input_format is not None
    ours, theirs = (opened.predict(m, splits().test) for m in (model, other))
    assert np.array_equal(ours.logits, theirs.logits)


def test_weights_that_do_not_fit_are_named_all_at_once(tmp_path):
    opened, path = session(tmp_path), tmp_path / "w.safetensors"
    opened.save(Small(batch_norm=True), path)
    model = Small()
    model.linear = sj.Linear(48, 3)
    model.extra = sj.Linear(1, 1, bias=False)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(DataError) as caught:
        opened.load(model, path)
    text = str(caught.value)
    assert "missing 'extra.weight'" in text
    assert "unexpected 'bn.running_mean'" in text
    assert "'linear.bias' is (2,), the model's is (3,)" in text
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize("damage", [b"", b"\x00" * 64, None])
def test_unreadable_weights_are_a_data_error(tmp_path, damage):
    opened, path = session(tmp_path), tmp_path / "w.safetensors"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(DataError, match=r"w\.safetensors: "):
        opened.load(Small(), path)


def test_truncated_weights_are_a_data_error(tmp_path):
    opened, path = session(tmp_path), tmp_path / "w.safetensors"
    opened.save(Small(), path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError):
        opened.load(Small(), path)


@pytest.mark.parametrize("seen", ['{"relu": true}', '{"relu": NaN}', "[1]", "{", '{"relu": "1"}'])
def test_damaged_ranges_are_a_data_error(tmp_path, seen):
    model, path = Small(), tmp_path / "w.safetensors"
    tensors = {k: v.contiguous() for k, v in model.state_dict().items()}
    safetensors.torch.save_file(tensors, path, {"seen": seen})
    with pytest.raises(DataError, match=r"w\.safetensors: "):
        session(tmp_path).load(Small(), path)


class Unlowered(Small):
    """A model with a layer that no document can hold."""

    def __init__(self):
        super().__init__()
        self.bn = torch.nn.GELU()


def test_a_model_that_cannot_be_lowered_still_trains_and_predicts(tmp_path):
    opened, model = session(tmp_path), Unlowered()
    opened.train(model, splits(), Training(8, 16, FAST))
    prediction = opened.predict(model, splits().test)
    assert prediction.accuracy(splits().test.y) > 0.8
    assert prediction.neurons == {"neuron": 48}


def test_no_prediction_leaves_inference_mode_on(tmp_path):
    opened, model = session(tmp_path), Small()
    opened.predict(model, problem(300))
    assert not torch.is_inference_mode_enabled()
    opened.train(model, splits(), Training(1, 16))
