"""The three forms of IFNode and LIFNode agree, and what a user may write is checked."""

import math
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snn_kernel import Context
from snn_neurons_lif.integrate_and_fire import IFNode, LIFNode

numbers = st.floats(0.1, 3.0)
resets = st.one_of(st.just(False), st.floats(-0.5, 0.09))
nodes = st.one_of(
    st.builds(IFNode, v_threshold=numbers, v_reset=resets),
    st.builds(
        LIFNode,
        v_threshold=numbers,
        v_reset=resets,
        tau=st.floats(1.1, 9.0),
        decay_input=st.booleans(),
    ),
)


def heaviside(u, threshold):
    return (u >= threshold) * np.float32(1)


def context(warnings=None):
    return Context(0, Path(), warn=(warnings if warnings is not None else []).append)


def document_step(neuron, v, x):
    """The Neuron layer of the network document, written from its docstring, in float32."""
    f = np.float32
    tau, rest = f(neuron.tau), f(neuron.rest)
    if neuron.charge == "lif":
        u = v + (x - (v - rest)) / tau
    elif neuron.charge == "lif_undecayed":
        u = (v - (v - rest) / tau) + x
    else:
        u = (f(neuron.decay) * v + f(neuron.gain) * x) + f(neuron.bias)
    fired = u >= f(neuron.threshold)
    after = u - f(neuron.threshold) if neuron.reset == "subtract" else f(neuron.value)
    return np.where(fired, after, u), fired * f(neuron.payload)


@settings(max_examples=60, deadline=None)
@given(nodes, st.integers(0, 2**32 - 1))
def test_law_module_and_document_agree(node, seed):
    torch = pytest.importorskip("torch")
    pytest.importorskip("spikingjelly")
    x = np.random.default_rng(seed).normal(0.6, 1.0, (7, 5)).astype(np.float32)
    module, document = node.module(context()), node.lower()
    state, v = None, np.full(5, document.start, np.float32)
    for current in x:
        state, spikes = node.step(state, current, heaviside)
        v, expected = document_step(document, v, current)
        native = module(torch.from_numpy(current))
        assert state.dtype == spikes.dtype == np.float32
        assert np.array_equal(spikes, expected)
        assert np.array_equal(state, v)
        assert np.array_equal(spikes, native.numpy())
        assert np.array_equal(state, module.v.numpy())


@given(
    st.floats(0, width=64, exclude_min=True),
    st.one_of(st.just(False), st.floats(width=64)),
    st.floats(1, exclude_min=True),
)
def test_what_is_accepted_has_a_normal_form(threshold, reset, tau):
    """Found when planning: a document takes finite float32 alone."""
    try:
        node = LIFNode(v_threshold=threshold, v_reset=reset, tau=tau)
    except ValueError:
        assume(max(threshold, abs(reset), tau) > 3e38 or threshold < 2e-45 or math.isnan(reset))
        return
    made = node.lower()
    numbers = (made.threshold, made.value, made.decay, made.gain, made.bias, made.tau)
    assert np.isfinite(np.array(numbers, np.float32)).all()
    assert np.float32(made.threshold) > 0


@given(nodes)
def test_normal_form_is_the_charge(node):
    v, x, normal = 0.3, 0.7, node.lower()
    u = normal.decay * v + normal.gain * x + normal.bias
    assert u == pytest.approx(node.charge(v, x), rel=1e-12)


def test_step_changes_no_argument():
    state, current = np.full(3, 0.9, np.float32), np.full(3, 0.5, np.float32)
    kept = state.copy(), current.copy()
    after, _ = LIFNode(v_reset=False).step(state, current, heaviside)
    assert after is not state
    assert np.array_equal(state, kept[0])
    assert np.array_equal(current, kept[1])


@pytest.mark.parametrize(("detach", "gradient"), [(True, 1.0), (False, 0.0)])
def test_detach_reset_stops_the_gradient(detach, gradient):
    torch = pytest.importorskip("torch")
    x = torch.tensor([2.0], requires_grad=True)
    node = IFNode(v_reset=False, detach_reset=detach)
    v, _ = node.step(None, x, lambda u, threshold: u - threshold)  # slope 1 wherever it is
    v.sum().backward()
    assert x.grad.item() == gradient


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        (IFNode, {"v_reset": True}, "v_reset is false for a soft reset"),
        (IFNode, {"v_reset": float("nan")}, "v_reset must be a finite number"),
        (IFNode, {"v_threshold": 0.0}, "v_threshold must be a finite number above 0"),
        (IFNode, {"v_threshold": 1e300}, "v_threshold .* above 0, also as float32, not 1e\\+300"),
        (IFNode, {"v_threshold": 10**400}, "v_threshold must be a finite number above 0"),
        (IFNode, {"v_threshold": 1e-46}, "v_threshold .* above 0, also as float32, not 1e-46"),
        (IFNode, {"v_reset": -1e39}, "v_reset must be a finite number, also as float32"),
        (LIFNode, {"tau": 1e39}, "tau .* above 1 timestep, also as float32"),
        (LIFNode, {"tau": float("nan")}, "tau must be a finite number above 1"),
        (IFNode, {"step_mode": "x"}, "step_mode"),
        (IFNode, {"backend": "tpu"}, "backend"),
        (LIFNode, {"tau": 1.0}, "tau must be a finite number above 1"),
    ],
)
def test_wrong_values_are_refused(kind, params, message):
    with pytest.raises(ValueError, match=message):
        kind(**params)


def test_backend_that_cannot_be_met_is_one_warning():
    torch = pytest.importorskip("torch")
    pytest.importorskip("spikingjelly")
    if torch.cuda.is_available():
        pytest.skip("CUDA is here: the request can be met")
    warnings: list[str] = []
    IFNode(backend="cupy").module(context(warnings))
    IFNode(backend="torch").module(context(warnings))
    assert len(warnings) == 1
    assert "cupy" in warnings[0]


def test_integers_in_toml_are_fine_numbers():
    pytest.importorskip("spikingjelly")
    module = LIFNode(v_threshold=1, v_reset=0, tau=3).module(context())
    assert (module.v_threshold, module.v_reset, module.tau) == (1.0, 0.0, 3.0)


def test_every_key_is_documented():
    for kind in (IFNode, LIFNode):
        missing = [f.name for f in attrs.fields(kind) if f"{f.name}:" not in kind.__doc__]
        assert not missing
