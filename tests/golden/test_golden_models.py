"""Models against recorded architectures, weights and outputs."""

import json

import numpy as np
import pytest
from golden_records import GOLDEN, arrays, built

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")

from spikingjelly.activation_based import functional  # noqa: E402

MODELS = {"SCNN", "SMLP", "SResNet", "SResNetStride"}


def records():
    """Every case of every recorded spiking model that is not quantised."""
    for record in sorted(GOLDEN.glob("model_S*.json")):
        yield from json.loads(record.read_text())


def cases():
    """All of them but those for which the record is an error; adapted ones are as recorded."""
    for case in records():
        if "error" not in case:
            yield pytest.param(case, id=f"{case['cls']}-{case['case']}")


def test_records_are_there():
    found, compared = list(records()), len(list(cases()))
    if not found:
        pytest.skip(f"no recorded models in {GOLDEN}")
    assert {case["cls"] for case in found} == MODELS
    print(f"{compared} recorded cases compared, {len(found) - compared} excused")


@pytest.mark.parametrize("case", list(cases()))
def test_architecture(case):
    model = built(case)
    found = [[k, list(v.shape), str(v.dtype)] for k, v in model.state_dict().items()]
    assert found == case["state_dict"]
    assert sum(p.numel() for p in model.parameters()) == case["n_params"]
    assert list(model.input_shape) == case["model_input_shape_attr"]
    assert model.step_mode == case["step_mode"]
    modules = [[k, type(m).__name__] for k, m in model.named_modules() if k]
    additions = tuple(f"{k}." for k, kind in case["modules"] if kind == "Add")
    recorded = [[k, kind] for k, kind in case["modules"] if not k.startswith(additions)]
    assert sorted(modules) == sorted(recorded)  # parts of an addition are nobody's business


@pytest.mark.parametrize("case", list(cases()))
def test_outputs(case):
    model, record, name = built(case).eval(), f"model_{case['cls']}", f"{case['case']}__"
    state = {k: torch.from_numpy(v) for k, v in arrays(record, f"{name}sd__").items()}
    model.load_state_dict(state)
    found = arrays(record, name)
    x = torch.from_numpy(found["x"])
    functional.reset_net(model)
    with torch.inference_mode():
        multi = model.step_mode == "m"
        out = (model(x) if multi else torch.stack([model(step) for step in x])).numpy()
    np.testing.assert_allclose(out, found["out"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(out.mean(axis=0), found["mean_out"], rtol=1e-6, atol=1e-6)
