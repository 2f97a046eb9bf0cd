"""SNN, the class that models inherit from, and GenericNeuron, which runs any law."""

from pathlib import Path

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, neuron

from snn_framework_spikingjelly import SNN, GenericNeuron
from snn_framework_spikingjelly.snn import lending
from snn_kernel import ConfigError, Context

SHAPES = ((8, 8, 2), (10,), 4)


def test_the_documented_example():
    model = SNN(
        *SHAPES,
        neuron={
            "kind": "IFNode",
            "params": {"v_threshold": 1.0, "v_reset": False, "step_mode": "m"},
        },
    )
    assert model.is_snn
    assert (model.step_mode, model.timesteps) == ("m", 4)
    assert (model.input_shape, model.output_shape) == ((4, 8, 8, 2), (10,))
    node = model.create_neuron()
    assert type(node) is neuron.IFNode
    assert (node.v_reset, node.v_threshold, node.step_mode) == (None, 1.0, "m")
    assert node is not model.create_neuron()


def test_kinds_that_only_spikingjelly_has():
    params = {"init_tau": 3.0, "v_reset": False, "step_mode": "m"}
    model = SNN(*SHAPES, neuron={"kind": "ParametricLIFNode", "params": params})
    node = model.create_neuron()
    assert type(node) is neuron.ParametricLIFNode
    assert (node.v_reset, model.step_mode) == (None, "m")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (None, ValueError, "needs a neuron"),
        ({}, ValueError, "needs a neuron"),
        ({"params": {}}, ValueError, "no 'kind'"),
        ({"kind": 3}, TypeError, "'kind' must be a string"),
        ({"kind": "IFNode", "params": [1]}, TypeError, "'params' must be a table"),
        ({"kind": "IFNode", "params": {"step_mode": 1}}, TypeError, "step_mode must be a string"),
        ({"kind": "LIFNodes"}, AttributeError, r"no neuron 'LIFNodes'.*did you mean 'LIFNode'\?"),
        ({"kind": "Optional"}, AttributeError, "no neuron 'Optional'"),
    ],
)
def test_wrong_neurons_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        SNN(*SHAPES, neuron=given)


def test_wrong_params_of_an_installed_kind_are_named():
    pytest.importorskip("snn_neurons_lif")
    with pytest.raises(ConfigError, match=r"v_treshold.*did you mean 'v_threshold'"):
        SNN(*SHAPES, neuron={"kind": "IFNode", "params": {"v_treshold": 1.0}})


def test_a_lent_context_hears_each_warning_once():
    if torch.cuda.is_available():
        pytest.skip("CUDA is here: the request can be met")
    warnings: list[str] = []
    given = {"kind": "IFNode", "params": {"backend": "cupy"}}
    with lending(Context(0, Path(), warn=warnings.append)):
        model = SNN(*SHAPES, neuron=given)
        model.create_neuron()
        model.create_neuron()
    assert len(warnings) == 1
    with pytest.warns(UserWarning, match="cupy"):
        model.create_neuron()


class Pair:
    """A law whose state is a tuple: leaky current, then integration, reset to zero."""

    def step(self, state, current, fire):
        filtered, v = state if state is not None else (current * 0, current * 0)
        filtered = filtered * 0.5 + current
        u = v + filtered
        spikes = fire(u, 1.0)
        return (filtered, u * (1 - spikes)), spikes


def test_any_law_runs_in_both_step_modes_alike_and_learns():
    x = torch.rand(6, 3, 5, requires_grad=True)
    single, multi = GenericNeuron(Pair()), GenericNeuron(Pair(), "m")
    stepped = torch.stack([single(step) for step in x])
    whole = multi(x)
    assert torch.equal(stepped, whole)
    assert 0 < whole.mean() < 1
    whole.sum().backward()
    assert x.grad.abs().sum() > 0
    functional.reset_net(single)
    assert torch.equal(torch.stack([single(step) for step in x]), stepped)


def test_a_law_equals_the_node_made_of_it():
    lif = pytest.importorskip("snn_neurons_lif.integrate_and_fire")
    x = torch.from_numpy(np.random.default_rng(0).normal(0.5, 1, (9, 4, 3)).astype(np.float32))
    law = lif.LIFNode(v_reset=-0.2, tau=3.0, step_mode="m")
    node = law.module(Context(0, Path()))
    outputs, gradients = [], []
    for module in (GenericNeuron(law, "m"), node):
        given = x.clone().requires_grad_()
        outputs.append(module(given))
        (outputs[-1] * x).sum().backward()
        gradients.append(given.grad)
    assert torch.equal(*outputs)
    assert torch.allclose(*gradients, atol=1e-6)


def test_a_law_without_module_is_run_generically():
    model = SNN(*SHAPES, neuron=Pair())
    assert isinstance(model.create_neuron(), GenericNeuron)
    assert model.step_mode == "s"
