"""ATIF against recorded outputs, potentials and gradients."""

import json
from pathlib import Path

import numpy as np
import pytest
from golden_records import GOLDEN

from snn_kernel import Context
from snn_neurons_atif.adaptive_threshold import ATIF

ARRAYS = ("x", "w", "out", "v", "grad_x", "grad_v_threshold", "v_threshold")
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def cases():
    record = GOLDEN / "neuron_ATIF.json"
    for case in json.loads(record.read_text()) if record.exists() else ():
        yield pytest.param(case, id=case["case"])


def arrays(case):
    with np.load(GOLDEN / "neuron_ATIF.npz") as file:
        return {key: file[f"{case['case']}__{key}"] for key in ARRAYS}


def test_records_are_there():
    found = sum(1 for _ in cases())
    if not found:
        pytest.skip(f"no recorded ATIF in {GOLDEN}")
    print(f"{found} recorded cases compared, 0 excused")


@pytest.mark.parametrize("case", list(cases()))
def test_recorded_threshold_is_within_the_bounds(case):
    low, high = ATIF(**case["params"]).bounds
    assert np.float32(low) <= case["drawn_threshold"] <= np.float32(high)


@pytest.mark.parametrize("case", list(cases()))
def test_law_is_bit_identical(case):
    record, node, state = arrays(case), ATIF(**case["params"]), None
    for x, out, v in zip(record["x"], record["out"], record["v"], strict=True):
        state, found = node.step(
            state, x, lambda u, th: (u >= th).astype(np.float32), record["v_threshold"]
        )
        assert np.array_equal(found, out)
        assert np.array_equal(state, v)


def module(case, record, step_mode):
    """The recorded neuron as a torch module, its threshold loaded from a state dict."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("spikingjelly")
    made = ATIF(**case["params"], step_mode=step_mode).module(Context(0, Path()))
    assert list(made.state_dict()) == case["state_dict_keys"]
    made.load_state_dict({"v_threshold": torch.from_numpy(record["v_threshold"])})
    return made, torch.from_numpy(record["x"]).requires_grad_()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", list(cases()))
def test_single_step_potentials(case, training):
    record = arrays(case)
    made, xs = module(case, record, "s")
    made.train(training)
    for x, out, v in zip(xs, record["out"], record["v"], strict=True):
        assert np.array_equal(made(x).detach().numpy(), out)
        assert np.array_equal(made.v.detach().numpy(), v)


@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize("case", list(cases()))
def test_outputs_and_gradients(case, step_mode):
    torch = pytest.importorskip("torch")
    record = arrays(case)
    made, x = module(case, record, step_mode)
    out = made(x) if step_mode == "m" else torch.stack([made(step) for step in x])
    assert np.array_equal(out.detach().numpy(), record["out"])
    assert np.array_equal(made.v.detach().numpy(), record["v"][-1])
    (out * torch.from_numpy(record["w"])).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), record["grad_x"], **CLOSE)
    found = made.v_threshold.grad.numpy()
    np.testing.assert_allclose(found, record["grad_v_threshold"], **CLOSE)
