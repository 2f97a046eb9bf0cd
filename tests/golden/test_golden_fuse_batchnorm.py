"""Fused batch normalisation against recorded weights and outputs."""

import json

import numpy as np
import pytest
from golden_records import GOLDEN, arrays, built

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")

from spikingjelly.activation_based import functional  # noqa: E402

from snn_fuse_batchnorm.fusion import fused  # noqa: E402


def cases():
    record = GOLDEN / "fuse_batchnorm.json"
    for case in json.loads(record.read_text()) if record.exists() else ():
        yield pytest.param(case, id=case["case"])


def recorded(case, prefix):
    return arrays("fuse_batchnorm", f"{case['case']}__{prefix}")


def unfused(case):
    """The model of a case with the weights it had before it was fused."""
    model = built(case).eval()
    state = {k: torch.from_numpy(v) for k, v in recorded(case, "before__").items()}
    assert [[k, list(v.shape)] for k, v in model.state_dict().items()] == case["before"]
    model.load_state_dict(state)
    return model


def run(model, x):
    functional.reset_net(model)
    with torch.inference_mode():
        out = model(x) if model.step_mode == "m" else torch.stack([model(step) for step in x])
    return out.numpy()


def test_records_are_there():
    found = len(list(cases()))
    if not found:
        pytest.skip(f"no recorded fusions in {GOLDEN}")
    print(f"{found} recorded cases compared, 0 excused")


@pytest.mark.parametrize("case", list(cases()))
def test_weights(case):
    made = fused(unfused(case))
    assert made.left == ()
    state = made.model.state_dict()
    assert sorted([k, list(v.shape)] for k, v in state.items()) == sorted(case["after"])
    for name, array in recorded(case, "after__").items():
        np.testing.assert_allclose(state[name].numpy(), array, rtol=1e-5, atol=1e-6)
    assert sum(p.numel() for p in made.model.parameters()) == case["n_params_after"]


@pytest.mark.parametrize("case", list(cases()))
def test_attributes(case):
    model = fused(unfused(case)).model
    assert hasattr(model, "is_snn") == case["has_is_snn"]
    assert (model.timesteps, model.step_mode) == (case["timesteps"], case["step_mode"])
    kept = {name: type(module).__name__ for name, module in model.named_modules()}
    leaves = [[name, kind] for name, kind, _ in case["modules_after"] if ".functional" not in name]
    assert [[name, kept[name]] for name, _ in leaves] == leaves


@pytest.mark.parametrize("case", list(cases()))
def test_outputs(case):
    model = unfused(case)
    x = torch.from_numpy(recorded(case, "x")[""])
    before, after = (recorded(case, name)[""] for name in ("out_before", "out_after"))
    np.testing.assert_allclose(run(model, x), before, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(run(fused(model).model, x), after, rtol=1e-5, atol=1e-5)
