"""Models against recorded architectures, weights and outputs."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from golden_records import GOLDEN

from snn_kernel import Context, Shapes

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")

from spikingjelly.activation_based import functional  # noqa: E402

from snn_models.scnn import SCNN  # noqa: E402
from snn_models.smlp import SMLP  # noqa: E402
from snn_models.sresnet import SResNet, SResNetStride  # noqa: E402
from snn_neurons_lif.integrate_and_fire import IFNode, LIFNode  # noqa: E402

MODELS = {kind.__name__: kind for kind in (SCNN, SMLP, SResNet, SResNetStride)}
NEURONS = {"IFNode": IFNode, "LIFNode": LIFNode}


def records():
    """Every case of every recorded spiking model that is not quantised."""
    for record in sorted(GOLDEN.glob("model_S*.json")):
        yield from json.loads(record.read_text())


def cases():
    """All of them but those for which the record is an error; adapted ones are as recorded."""
    for case in records():
        if "error" not in case:
            yield pytest.param(case, id=f"{case['cls']}-{case['case']}")


def built(case):
    """The model of a case with its recorded weights, and its recorded arrays."""
    args = {k: tuple(v) if isinstance(v, list) else v for k, v in case["args"].items()}
    neuron = args.pop("neuron")
    config = MODELS[case["cls"]](neuron=NEURONS[neuron["kind"]](**neuron["params"]), **args)
    session = SimpleNamespace(context=Context(0, Path()), multi_step=False)
    model = config.build(Shapes((9, 9, 9), (9,)), session).eval()
    with np.load(GOLDEN / f"model_{case['cls']}.npz") as file:
        prefix = f"{case['case']}__"
        arrays = {k.removeprefix(prefix): file[k] for k in file.files if k.startswith(prefix)}
    return model, arrays


def test_records_are_there():
    found, compared = list(records()), len(list(cases()))
    if not found:
        pytest.skip(f"no recorded models in {GOLDEN}")
    assert {case["cls"] for case in found} == set(MODELS)
    print(f"{compared} recorded cases compared, {len(found) - compared} excused")


@pytest.mark.parametrize("case", list(cases()))
def test_architecture(case):
    model, _ = built(case)
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
    model, arrays = built(case)
    state = {
        k.removeprefix("sd__"): torch.from_numpy(v)
        for k, v in arrays.items()
        if k.startswith("sd__")
    }
    model.load_state_dict(state)
    x = torch.from_numpy(arrays["x"])
    functional.reset_net(model)
    with torch.inference_mode():
        multi = model.step_mode == "m"
        out = (model(x) if multi else torch.stack([model(step) for step in x])).numpy()
    np.testing.assert_allclose(out, arrays["out"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(out.mean(axis=0), arrays["mean_out"], rtol=1e-6, atol=1e-6)
