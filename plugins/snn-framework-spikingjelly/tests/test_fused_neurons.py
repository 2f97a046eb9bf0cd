"""IF and LIF in one function against SpikingJelly's own nodes and torch's automatic gradients."""

import itertools

import pytest
import torch
from spikingjelly.activation_based import neuron, surrogate

from snn_framework_spikingjelly import fused

torch.set_num_threads(1)
LAWS = [
    {"kind": kind, "v_reset": reset, "detach_reset": detached, **leak}
    for reset, detached in itertools.product([None, 0.0, -0.3], [True, False])
    for kind, leak in [
        (neuron.IFNode, {}),
        (neuron.LIFNode, {"tau": 2.7, "decay_input": True}),
        (neuron.LIFNode, {"tau": 2.7, "decay_input": False}),
    ]
]


def node(kind, **params):
    return kind(v_threshold=0.7, step_mode="m", **params)


@pytest.mark.parametrize("params", LAWS, ids=str)
def test_spikes_are_spikingjellys_and_gradients_are_torchs(params):
    generator = torch.Generator().manual_seed(1)
    x = 3 * torch.rand(7, 5, 4, 3, generator=generator) - 0.4
    weights = torch.randn(x.shape, generator=generator)
    theirs, ours = x.clone().requires_grad_(), x.clone().requires_grad_()
    module = node(**params)
    expected = module(theirs)
    potential = module.v.detach().clone()
    (expected * weights).sum().backward()
    law = fused.Law.of(module)
    assert law is not None
    found = fused.fire(module, law, ours)
    (found * weights).sum().backward()
    assert 0.05 < expected.mean().item() < 0.95
    assert torch.equal(found, expected)
    assert torch.equal(module.v, potential)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)


def test_an_input_shown_at_every_timestep_gets_the_sum_of_its_gradients():
    module = node(neuron.LIFNode, v_reset=None)
    law = fused.Law.of(module)
    x = torch.linspace(-1, 3, 12).requires_grad_()
    fused.fire(module, law, x.expand(6, 12)).sum().backward()
    found, x.grad = x.grad, None
    module.reset()
    module(x.expand(6, 12)).sum().backward()
    torch.testing.assert_close(found, x.grad, rtol=1e-5, atol=1e-6)


class Other(neuron.IFNode):
    """A node of somebody's own, which may compute anything."""


@pytest.mark.parametrize(
    "module",
    [
        Other(step_mode="m"),
        neuron.ParametricLIFNode(step_mode="m"),
        neuron.IFNode(step_mode="m", store_v_seq=True),
        neuron.IFNode(step_mode="m", surrogate_function=surrogate.ATan()),
        neuron.LIFNode(step_mode="m", surrogate_function=surrogate.Sigmoid(spiking=False)),
        torch.nn.Identity(),
    ],
    ids=lambda m: type(m).__name__,
)
def test_whatever_is_not_just_that_law_is_left_to_itself(module):
    assert fused.Law.of(module) is None
