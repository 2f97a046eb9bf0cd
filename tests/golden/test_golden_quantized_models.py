"""Quantised models against recorded ranges and outputs.

A case is excused only where its record shows hyperparameters that drifted: the recorded system
writes rounded thresholds and time constants back, step by step.
"""

import json

import numpy as np
import pytest
from golden_records import GOLDEN, arrays, built

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")

from spikingjelly.activation_based import functional, layer  # noqa: E402

from snn_framework_spikingjelly.exact import input_format  # noqa: E402
from snn_framework_spikingjelly.lowering import lower  # noqa: E402
from snn_network.reference import Reference  # noqa: E402
from snn_quantization.quantizer import Quantizer  # noqa: E402


def records():
    for record in sorted(GOLDEN.glob("model_Quantized*.json")):
        for case in json.loads(record.read_text()):
            yield case | {"file": record.stem}


def excuse(case):
    """What the record itself says against comparing outputs; empty if nothing."""
    if "error" in case:
        return "the record is an error"
    given = case["args"]["neuron"]["params"]
    for name, after in case["neuron_hyper_after"].items():
        for key in ("v_threshold", "tau"):
            if key in given and after[key] != given[key]:
                return f"{key} of {name} drifted from {given[key]} to {after[key]}"
    return ""


CASES = [pytest.param(c, id=f"{c['file']}-{c['case']}") for c in records() if "error" not in c]


def state(found, *prefixes):
    return {
        k.removeprefix(p): torch.from_numpy(found[k].copy())
        for p in prefixes
        for k in found
        if k.startswith(p)
    }


def ranged(case, found):
    """The model, its ranges set by the recorded training pass."""
    model = built(case)
    missing, unexpected = model.load_state_dict(
        state(found, "sd__") | state(found, "sd_before__"), strict=False
    )
    assert not unexpected
    quantizers = tuple(n for n, m in model.named_modules() if isinstance(m, Quantizer))
    assert all(name.startswith(quantizers) for name in missing)
    for module in model.modules():
        if isinstance(module, layer.Dropout):
            module.p = 0.0  # as it was recorded
    trained = run(model.train(), found["x_train"])
    return model, trained


def run(model, x):
    functional.reset_net(model)
    x = torch.from_numpy(x)
    with torch.no_grad():
        multi = model.step_mode == "m"
        out = model(x) if multi else torch.stack([model(step) for step in x])
    return out.numpy()


def test_records_are_there():
    found = list(records())
    if not found:
        pytest.skip(f"no recorded quantised models in {GOLDEN}")
    excuses = [e for c in found if (e := excuse(c))]
    print(f"{len(found) - len(excuses)} recorded cases compared, {len(excuses)} excused: {excuses}")
    assert len(excuses) < len(found) / 2


@pytest.mark.parametrize("case", CASES)
def test_architecture(case):
    found = arrays(case["file"], f"{case['case']}__")
    model, _ = ranged(case, found)
    own = {n: m for n, m in model.named_modules() if isinstance(m, Quantizer)}
    recorded = {n for n, kind in case["modules"] if kind == "Quantizer"}
    assert own.keys() == recorded
    # The recorded system counts the running statistics of batch normalisations as parameters.
    counted = [n for n, _ in model.named_parameters()]
    counted += [n for n, _ in model.named_buffers() if ".running_" in n or ".num_batches" in n]
    assert sum(model.state_dict()[n].numel() for n in counted) == case["n_params"]
    for name, expected in case["state_dict"] and [(k, s) for k, s, _ in case["state_dict"]]:
        assert list(model.state_dict()[name].shape) == expected


@pytest.mark.parametrize("case", CASES)
def test_outputs_and_ranges(case):
    if why := excuse(case):
        pytest.skip(why)
    found = arrays(case["file"], f"{case['case']}__")
    model, trained = ranged(case, found)
    for name, expected in case["quantizers"].items():
        if expected["quant_enable"] and expected["global_max"] > 0:  # else it saw nothing, or zeros
            quantizer = model.get_submodule(name)
            assert quantizer.format.fraction == expected["fractional_bits"], name
            np.testing.assert_allclose(quantizer.range[1].item(), expected["global_max"], rtol=1e-6)
    np.testing.assert_allclose(trained, found["train_out"], atol=1e-6)
    model.load_state_dict(state(found, "sd__"), strict=False)
    out = run(model.eval(), found["x"])
    assert np.array_equal(out, found["out"])


@pytest.mark.parametrize("case", CASES)
def test_the_integer_law_gives_what_the_recorded_models_gave(case):
    if why := excuse(case):
        pytest.skip(why)
    found = arrays(case["file"], f"{case['case']}__")
    model, _ = ranged(case, found)
    model.load_state_dict(state(found, "sd__"), strict=False)
    functional.reset_net(model.eval())
    model.input_format = input_format(found["x"])
    network = lower(model, timed=True).network
    logits, _ = Reference(network).run(found["x"].swapaxes(0, 1))
    np.testing.assert_array_equal(logits, found["mean_out"])
