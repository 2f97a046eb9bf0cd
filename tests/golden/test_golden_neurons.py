"""IFNode and LIFNode against recorded spikes, potentials and gradients."""

import json
from pathlib import Path

import numpy as np
import pytest
from golden_records import GOLDEN

from snn_kernel import Context
from snn_neurons_lif.integrate_and_fire import IFNode, LIFNode

KINDS = {"IFNode": IFNode, "LIFNode": LIFNode}


def cases():
    for name, kind in KINDS.items():
        record = GOLDEN / f"neuron_{name}.json"
        for case in json.loads(record.read_text()) if record.exists() else ():
            yield pytest.param(kind, name, case, id=f"{name}-{case['case']}")


def arrays(name, case):
    with np.load(GOLDEN / f"neuron_{name}.npz") as file:
        return {key: file[f"{case['case']}__{key}"] for key in ("x", "w", "spikes", "v", "grad_x")}


def config(kind, case, **more):
    params = dict(case["params"])
    params["v_reset"] = False if params["v_reset"] is None else params["v_reset"]
    return kind(**params, **more)


def test_records_are_there():
    found = sum(1 for _ in cases())
    if not found:
        pytest.skip(f"no recorded neurons in {GOLDEN}")
    print(f"{found} recorded cases compared, 0 excused")


@pytest.mark.parametrize(("kind", "name", "case"), list(cases()))
def test_law_is_bit_identical(kind, name, case):
    record, node, state = arrays(name, case), config(kind, case), None
    for x, spikes, v in zip(record["x"], record["spikes"], record["v"], strict=True):
        state, fired = node.step(state, x, lambda u, th: (u >= th).astype(np.float32))
        assert np.array_equal(fired, spikes)
        assert np.array_equal(state, v)


@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize(("kind", "name", "case"), list(cases()))
def test_module_is_bit_identical(kind, name, case, step_mode):
    torch = pytest.importorskip("torch")
    pytest.importorskip("spikingjelly")
    record = arrays(name, case)
    node = config(kind, case, step_mode=step_mode)
    module = node.module(Context(0, Path()))
    module.store_v_seq = True
    x = torch.from_numpy(record["x"]).requires_grad_()
    spikes = module(x) if step_mode == "m" else torch.stack([module(step) for step in x])
    assert np.array_equal(spikes.detach().numpy(), record["spikes"])
    assert np.array_equal(module.v_seq.detach().numpy(), record["v"])
    (spikes * torch.from_numpy(record["w"])).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), record["grad_x"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "name", "case"), list(cases()))
def test_gradient_of_the_law(kind, name, case):
    torch = pytest.importorskip("torch")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate").Sigmoid(alpha=4.0)
    record, node, state, loss = arrays(name, case), config(kind, case), None, 0.0
    x = torch.from_numpy(record["x"]).requires_grad_()
    for current, w in zip(x, torch.from_numpy(record["w"]), strict=True):
        state, spikes = node.step(state, current, lambda u, th: surrogate(u - th))
        loss = loss + (spikes * w).sum()
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), record["grad_x"], rtol=1e-5, atol=1e-6)
