"""Both step modes train by one computation, and nothing of it stays on the model."""

import hashlib

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, neuron
from trained_networks import Law, Net, splits

from snn_framework_spikingjelly import SNN
from snn_framework_spikingjelly.framework import SpikingJelly, SpikingJellyMultiStep
from snn_framework_spikingjelly.unrolled import unrolled
from snn_kernel import Context, Training

torch.set_num_threads(1)


class Sliced(SNN):
    """A forward that a time axis would break."""

    def __init__(self, law):
        super().__init__((8, 8, 2), (3,), 4, law)
        self.fire, self.last = self.create_neuron(), torch.nn.Linear(128, 3)

    def forward(self, x):
        return self.last(self.fire(x).flatten(1))


def trained(folder, framework, made, seed=3):
    session = framework().open(Context(seed, folder))
    torch.manual_seed(seed)
    model = made()
    history = session.train(model, splits(), Training(3, 16)).history
    key = hashlib.sha256()
    for tensor in model.state_dict().values():
        key.update(tensor.numpy().tobytes())
    measures = [dict(epoch.measures) for epoch in history]
    return key.hexdigest(), measures, session.predict(model, splits().test).logits


@pytest.mark.parametrize("kind", [neuron.IFNode, neuron.LIFNode, neuron.ParametricLIFNode])
def test_step_modes_train_to_the_same_weights_and_the_same_answers(tmp_path, kind):
    one = trained(tmp_path / "s", SpikingJelly, lambda: Net(Law("s", kind)))
    all_ = trained(tmp_path / "m", SpikingJellyMultiStep, lambda: Net(Law("m", kind)))
    assert one[:2] == all_[:2]
    assert np.array_equal(one[2], all_[2])


def test_a_forward_that_minds_a_time_axis_is_trained_step_by_step(tmp_path):
    model = Sliced(Law("s"))
    with unrolled(model) as multi_step:
        assert not multi_step
        assert model.fire.step_mode == "s"
    _, measures, _ = trained(tmp_path, SpikingJelly, lambda: Sliced(Law("s")))
    assert measures[-1]["train_loss"] < measures[0]["train_loss"]


def test_nothing_stays_on_the_model_even_after_an_error():
    model = Net(Law("s"))
    before = {m: dict(vars(m)) for m in model.modules()}
    with pytest.raises(ValueError, match="expected"), unrolled(model) as multi_step:
        model(torch.zeros(1, 2, 8, 8) if multi_step and "forward" in vars(model.first) else None)
    for module, state in before.items():
        assert vars(module).keys() == state.keys()
        assert getattr(module, "step_mode", None) in ("s", None)


@pytest.mark.parametrize("static", [True, False])
def test_unrolled_computes_what_the_model_computes(static):
    model = Net(Law("m")).eval()
    x = torch.rand(5, 2, 8, 8) + 0.5
    x = x.expand(4, *x.shape) if static else torch.rand(4, 5, 2, 8, 8) + 0.5
    expected = model(x)
    functional.reset_net(model)
    with unrolled(model):
        torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-6)
