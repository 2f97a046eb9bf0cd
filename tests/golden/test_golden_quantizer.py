"""Quantizer against recorded outputs, ranges, scales and gradients."""

import json
import math

import numpy as np
import pytest
from golden_records import GOLDEN

from snn_kernel import ConfigError, RunError
from snn_kernel.config import Checker
from snn_kernel.registry import Registry
from snn_quantization.settings import QuantParams

torch = pytest.importorskip("torch")

from snn_quantization.quantizer import Quantizer  # noqa: E402

RECORD = GOLDEN / "quantizer.json"
CASES = json.loads(RECORD.read_text()) if RECORD.exists() else []


@pytest.fixture(scope="module")
def arrays():
    if not CASES:
        pytest.skip(f"no recorded quantisers in {GOLDEN}")
    with np.load(GOLDEN / "quantizer.npz") as file:
        return {key: file[key] for key in file.files}


def table(params):
    """The recorded parameters as a file would hold them; the recorded scale of LSQ is real."""
    said = {k: v for k, v in params.items() if k != "tensor_type" and v is not None}
    if params.get("LSQ"):
        said["LSQ_scale"] = "real"
    if said.get("force_q") is True:  # recorded as the number 1, which is what Python takes it for
        said["force_q"] = 1
    return said


def configured(params):
    checker = Checker(Registry.discover())
    made = checker.table(QuantParams, table(params), "[quant_params]")
    if checker.faults:
        raise ConfigError(*checker.faults)
    return made


def quantizer(params):
    """Tensors of type "w" are recorded with the range of the last call alone."""
    return Quantizer(configured(params).of("w"), "q", running=params.get("tensor_type") != "w")


def same(found, expected):
    """Equal, where the record is a number."""
    numbers = ~np.isnan(expected)
    return np.array_equal(found.detach().numpy()[numbers], expected[numbers])


def close(value, expected, digits=1e-6):
    return (
        expected is None or not math.isfinite(expected) or value == pytest.approx(expected, digits)
    )


def trained(q, case, arrays, k):
    """One recorded training call: outputs, gradients, range and scale."""
    name, call = case["case"], case["train_calls"][k]
    x = torch.from_numpy(arrays[f"{name}__train_in_{k}"]).requires_grad_()
    bias = arrays.get(f"{name}__train_bias_in_{k}")
    out = q(x) if bias is None else q(x, torch.from_numpy(bias))
    if bias is not None:
        out, quantised = out
        assert same(quantised, arrays[f"{name}__train_bias_out_{k}"])
    assert same(out, arrays[f"{name}__train_out_{k}"])
    (out * torch.from_numpy(arrays[f"{name}__grad_w_{k}"])).sum().backward()
    expected = arrays[f"{name}__grad_in_{k}"]
    numbers = ~np.isnan(expected)
    power = np.frexp(q.scale.item())[0] == 0.5  # else the record multiplies by s after dividing
    tolerance = 0 if power else 1e-6
    np.testing.assert_allclose(x.grad.numpy()[numbers], expected[numbers], tolerance, tolerance)
    if q.learnt is not None:
        assert close(q.learnt.item(), call["LSQscale"])
        assert close(q.learnt.grad.item(), call["LSQscale_grad"], 1e-4)
        q.learnt.grad = None
    elif call["global_max"]:  # the scale of a tensor of zeros is nobody's business
        assert close(q.scale.item(), call.get("scale"))
    if q.settings.range_setting == "minmax":
        assert close(q.range[1].item(), call["global_max"])


def run(case, arrays):
    """Why the case is excused, by its record; empty if all of it was compared."""
    name = case["case"]
    if "error" in case:
        return f"recorded error {case['error']}"
    q = quantizer(case["params"])
    for k in range(len(case.get("train_calls", ()))):
        trained(q, case, arrays, k)
    q.eval()
    kept = {k.removeprefix(f"{name}__"): v for k, v in arrays.items() if k.startswith(f"{name}__")}
    given, expected = (kept.get(f"eval_{key}", kept.get(key)) for key in ("in", "out"))
    if np.isnan(expected).all():
        with pytest.raises(RunError, match="quantizer 'q' has"):
            q(torch.from_numpy(given))
        return "recorded NaN: an error here"
    bias = arrays.get(f"{name}__eval_bias_in")
    x = torch.from_numpy(given)
    out, *more = (q(x),) if bias is None else q(x, torch.from_numpy(bias))
    assert same(out, expected)
    if bias is not None:
        assert same(more[0], arrays[f"{name}__eval_bias_out"])
    return ""


def test_every_recorded_case(arrays):
    excused = {}
    for case in CASES:
        try:
            reason = run(case, arrays)
        except (AssertionError, RunError, ConfigError) as error:
            raise AssertionError(f"{case['case']} {case['params']}") from error
        if reason:
            excused[case["case"]] = reason
    print(f"{len(CASES)} recorded quantisers: {len(CASES) - len(excused)} compared")
    for name, reason in excused.items():
        print(f"excused {name}: {reason}")
    assert len(excused) < len(CASES) / 4


@pytest.mark.parametrize("case", [c for c in CASES if "not implemented" in c.get("error", "")])
def test_recorded_errors_are_errors_or_defaults(case):
    """What the record could not do is refused with a reason; a quantype left out is "fxp"."""
    if case["params"]["quantype"] is None:
        assert configured(case["params"]).quantype == "fxp"
        return
    with pytest.raises(ConfigError, match=r"must be one of|exclude each other|needs quantype"):
        configured(case["params"])


def test_tables_of_tensors():
    record = GOLDEN / "quantizer_update_params.json"
    if not record.exists():
        pytest.skip(f"no recorded tables in {GOLDEN}")
    record = json.loads(record.read_text())
    params = configured(record["input"])
    for tensor, expected in record["results"].items():
        found = params.of(tensor)
        for key, value in expected.items():
            assert key == "tensor_type" or getattr(found, key) == value
