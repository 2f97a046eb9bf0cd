"""The three forms of ATIF agree, θ is drawn and differentiated as documented, keys are checked."""

import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_kernel import ConfigError, Context, NetworkError
from snn_kernel.config import configure
from snn_neurons_atif.adaptive_threshold import ATIF

F = np.float32


def heaviside(u, threshold):
    return (u >= threshold) * F(1)


def context(warnings=None):
    return Context(0, Path(), warn=(warnings if warnings is not None else []).append)


def node(**params):
    """ATIF as a torch module."""
    pytest.importorskip("torch")
    pytest.importorskip("spikingjelly")
    return ATIF(**params).module(context())


def document_step(neuron, v, x):
    """The Neuron layer of the network document, written from its docstring, in float32."""
    assert (neuron.charge, neuron.reset, neuron.start) == ("normal", "subtract", 0.0)
    u = (F(neuron.decay) * v + F(neuron.gain) * x) + F(neuron.bias)
    fired = u >= F(neuron.threshold)
    return np.where(fired, u - F(neuron.threshold), u), fired * F(neuron.payload)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 3.0), st.booleans(), st.integers(0, 2**32 - 1))
def test_law_module_and_document_agree(threshold, training, seed):
    torch = pytest.importorskip("torch")
    config, module = ATIF(v_threshold=threshold), node(v_threshold=threshold).train(training)
    theta = module.v_threshold.item()
    (document,) = module.lower("layers.neuron1")
    assert document.name == "layers.neuron1"
    assert attrs.evolve(document, name="") == config.lower(theta)
    state, v = None, np.zeros(5, F)
    for current in np.random.default_rng(seed).normal(0.6, 1.0, (7, 5)).astype(F):
        state, out = config.step(state, current, heaviside, F(theta))
        v, expected = document_step(document, v, current)
        native = module(torch.from_numpy(current)).detach()
        assert state.dtype == out.dtype == F
        assert np.array_equal(out, expected)
        assert np.array_equal(state, v)
        assert np.array_equal(out, native.numpy())
        assert np.array_equal(state, module.v.detach().numpy())


def test_law_and_normal_form_without_a_threshold_take_v_threshold():
    config, x = ATIF(v_threshold=0.7), np.array([0.6, 0.7, 1.0], F)
    state, out = config.step(None, x, heaviside)
    assert np.array_equal(out, np.array([0, 0.7, 0.7], F))
    assert np.array_equal(state, x - out)
    assert (config.lower().threshold, config.lower().payload) == (0.7, 0.7)


def test_step_changes_no_argument():
    state, current = np.full(3, 0.9, F), np.full(3, 0.5, F)
    after, _ = ATIF().step(state, current, heaviside)
    first, _ = ATIF().step(None, current, heaviside)
    assert after is not state
    assert first is not current
    assert np.array_equal(state, np.full(3, 0.9, F))
    assert np.array_equal(current, np.full(3, 0.5, F))


def test_threshold_is_drawn_between_the_bounds_from_torchs_generator():
    torch = pytest.importorskip("torch")
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        params = {"v_threshold": 2.0, "vth_init_l": 0.5, "vth_init_h": 0.75}
        draws.append([node(**params).v_threshold.item() for _ in range(200)])
    assert draws[0] == draws[1]
    assert len(set(draws[0])) > 190
    assert 1.0 <= min(draws[0]) < 1.05
    assert 1.45 < max(draws[0]) <= 1.5
    assert node(v_threshold=0.5, vth_init_l=1, vth_init_h=1).v_threshold.item() == 0.5


def test_state_dict_holds_the_threshold_alone():
    module = node()
    module(pytest.importorskip("torch").ones(2, 3))
    assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == {"v_threshold": (1,)}


@pytest.mark.parametrize("detach", [True, False])
def test_detach_reset_stops_the_gradient_at_the_spike_only(detach):
    torch = pytest.importorskip("torch")
    module = node(vth_init_l=1, vth_init_h=1, alpha=2.0, detach_reset=detach)
    x = torch.tensor([1.5], requires_grad=True)
    out = module(x)
    sigmoid = 1 / (1 + np.exp(-2.0 * 0.5))
    slope = 2.0 * sigmoid * (1 - sigmoid)  # ds/du, and -ds/dθ
    gradients = torch.autograd.grad(module.v.sum(), (x, module.v_threshold), retain_graph=True)
    expected = (1.0, -1.0) if detach else (1.0 - slope, -1.0 + slope)
    assert [g.item() for g in gradients] == pytest.approx(expected, rel=1e-6)
    gradients = torch.autograd.grad(out.sum(), (x, module.v_threshold))
    assert [g.item() for g in gradients] == pytest.approx((slope, 1.0 - slope), rel=1e-6)


def test_step_modes_are_equal_and_reset_forgets():
    torch = pytest.importorskip("torch")
    x = torch.randn(6, 2, 3, 4, generator=torch.Generator().manual_seed(0)) + 0.5
    found = []
    module = node()
    for mode in ("s", "m", "m"):
        module.reset()
        module.zero_grad()
        module.step_mode = mode
        out = module(x) if mode == "m" else torch.stack([module(step) for step in x])
        (out * x).sum().backward()
        found.append((out.detach(), module.v.detach(), module.v_threshold.grad.clone()))
    assert found[0][0].count_nonzero() > 10
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize(("theta", "fires"), [(-0.25, True), (2.0, False)])
def test_learnt_thresholds_are_lowered_whatever_their_sign(theta, fires):
    torch = pytest.importorskip("torch")
    module = node()
    with torch.no_grad():
        module.v_threshold.fill_(theta)
    (document,) = module.lower("n")
    assert document.threshold == document.payload == theta
    assert module(torch.zeros(1)).item() == (theta if fires else 0.0)
    assert document_step(document, F(0), F(0))[1] == (theta if fires else 0.0)


@pytest.mark.parametrize("theta", ["nan", "inf", "0.0"])
def test_thresholds_that_say_nothing_are_not_lowered(theta):
    torch = pytest.importorskip("torch")
    module = node()
    with torch.no_grad():
        module.v_threshold.fill_(float(theta))
    with pytest.raises(
        NetworkError, match=rf"layer 'layers\.neuron1': the learnt threshold is {theta}"
    ):
        module.lower("layers.neuron1")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"v_reset": 0.0}, "v_reset must be false, not 0.0: ATIF has a soft reset only"),
        ({"v_reset": True}, "v_reset must be false, not true: ATIF has a soft reset only"),
        ({"v_threshold": 0.0}, "v_threshold must be a finite number above 0"),
        ({"vth_init_l": -0.1}, "vth_init_l must be a finite number above 0"),
        ({"vth_init_l": 0.9, "vth_init_h": 0.8}, r"vth_init_h, 0\.8, is below vth_init_l, 0\.9"),
        ({"vth_init_h": float("inf")}, "vth_init_h must be a finite number above 0"),
        ({"v_threshold": 1e300}, "v_threshold must be a finite number .*, also as float32"),
        ({"v_threshold": 1e-46}, "v_threshold must be a finite number .*, also as float32"),
        ({"v_threshold": 3e38, "vth_init_h": 2}, r"vth_init_h, 2\.4e\+38 and 6e\+38, must be"),
        ({"v_threshold": 1e-30, "vth_init_l": 1e-30}, ".*_h, .*e-60 and 1e-30, must"),
        ({"alpha": 1e39}, "alpha must be a finite number above 0, also as float32"),
        ({"alpha": 0.0}, "alpha must be a finite number above 0"),
        ({"step_mode": "x"}, "step_mode"),
        ({"backend": "tpu"}, "backend"),
    ],
)
def test_wrong_values_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        ATIF(**params)


def test_a_file_may_hold_every_documented_key():
    table = {
        "v_threshold": 1,
        "vth_init_l": 0.8,
        "vth_init_h": 1.0,
        "alpha": 1.0,
        "v_reset": False,
        "detach_reset": True,
        "step_mode": "m",
        "backend": "torch",
    }
    assert configure("neuron", "ATIF", table) == ATIF(detach_reset=True, step_mode="m")
    with pytest.raises(ConfigError, match=r"neuron 'ATIF' .*ATIF has a soft reset only"):
        configure("neuron", "ATIF", {"v_reset": 0.0})


def test_backend_that_cannot_be_met_is_one_warning():
    node()  # skips without torch
    warnings: list[str] = []
    ATIF(backend="cupy").module(context(warnings))
    ATIF(backend="torch").module(context(warnings))
    assert warnings == ["ATIF has no backend 'cupy': 'torch' is used"]


def test_every_key_is_documented():
    assert [f.name for f in attrs.fields(ATIF) if f"{f.name}:" not in ATIF.__doc__] == []


def test_the_law_needs_no_torch():
    code = (
        "import sys, snn_neurons_atif.plugin as p; [kind] = p.snnk_neurons(); kind.config().lower()"
        "; sys.exit(any(m in sys.modules for m in ('torch', 'spikingjelly')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
