"""Networks of ATIF in a session: they learn, one seed gives one result, weights are kept."""

from types import SimpleNamespace

import numpy as np
import pytest

from snn_kernel import Context, Samples, Shapes, Splits, Training

torch = pytest.importorskip("torch")
frameworks = pytest.importorskip("snn_framework_spikingjelly.framework")
scnn = pytest.importorskip("snn_models.scnn")

from snn_neurons_atif.adaptive_threshold import ATIF  # noqa: E402

torch.set_num_threads(1)
KINDS = {"s": frameworks.SpikingJelly, "m": frameworks.SpikingJellyMultiStep}


FAST = SimpleNamespace(kind="Adam", params={"lr": 0.01}, scheduler=None)


def data(count=60, seed=0):
    """Three classes, lit in one third of a line each."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    x = rng.normal(0, 0.3, (count, 12, 1))
    for k in range(3):
        x[y == k, 4 * k : 4 * k + 4] += 1
    return Samples(x.astype(np.float32), y.astype(np.int64), "NLC")


def trained(folder, mode="s", seed=5, epochs=8):
    session = KINDS[mode]().open(Context(seed, folder))
    config = scnn.SCNN(filters=(6,), kernel_sizes=(3,), fc_units=(12,), neuron=ATIF(step_mode=mode))
    model = config.build(Shapes((12, 1), (3,)), session)
    drawn = thresholds(model)
    train = data()
    session.train(model, Splits(train, None, None, 3), Training(epochs, 10, FAST))
    return session, model, drawn


def thresholds(model):
    return [p.item() for name, p in model.named_parameters() if name.endswith(".v_threshold")]


@pytest.mark.parametrize("mode", ["s", "m"])
def test_it_learns_weights_and_thresholds(tmp_path, mode):
    session, model, drawn = trained(tmp_path, mode)
    test = data(30, 1)
    assert session.predict(model, test).accuracy(test.y) > 0.9
    learnt = thresholds(model)
    assert len(learnt) == 2
    assert all(abs(a - b) > 1e-3 for a, b in zip(drawn, learnt, strict=True))
    lowered = {n.name: n for n in session.lower(model).layers if n.name.startswith("layers.neuron")}
    assert [n.threshold for n in lowered.values()] == learnt
    assert [n.payload for n in lowered.values()] == learnt


def test_one_seed_is_one_result(tmp_path):
    test, found = data(30, 1), []
    for seed in (5, 5, 6):
        session, model, drawn = trained(tmp_path, seed=seed, epochs=2)
        found.append((drawn, thresholds(model), session.predict(model, test)))
    assert found[0][:2] == found[1][:2]
    assert np.array_equal(found[0][2].logits, found[1][2].logits)
    assert found[0][0] != found[2][0]


def test_weights_are_kept(tmp_path):
    test = data(30, 1)
    session, model, _ = trained(tmp_path, epochs=2)
    session.save(model, tmp_path / "weights.safetensors")
    other, blank, _ = trained(tmp_path, seed=6, epochs=0)
    before, expected = other.predict(blank, test), session.predict(model, test)
    assert not np.array_equal(before.logits, expected.logits)
    other.load(blank, tmp_path / "weights.safetensors")
    assert thresholds(blank) == thresholds(model)
    assert np.array_equal(other.predict(blank, test).logits, expected.logits)
