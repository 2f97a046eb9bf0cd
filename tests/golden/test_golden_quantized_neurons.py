"""QuantizedIFNode and QuantizedLIFNode against recorded spikes, potentials and gradients.

The record rounds a charge before it fires while training, and only then; the law never does. With
`floor` that makes no difference, so training is compared for `floor`, evaluation for all.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from golden_records import GOLDEN

from snn_kernel import Context, configure

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")

KINDS = ("QuantizedIFNode", "QuantizedLIFNode")


def cases():
    for kind in KINDS:
        record = GOLDEN / f"neuron_{kind}.json"
        if record.exists():
            with np.load(record.with_suffix(".npz")) as file:
                arrays = {name: file[name] for name in file.files}
            for case in json.loads(record.read_text()):
                name = f"{case['case']}__"
                yield (
                    kind,
                    case,
                    {k.removeprefix(name): v for k, v in arrays.items() if k.startswith(name)},
                )


def neuron(kind, case, step_mode="s"):
    """As a file would ask for it; the recorded scale of LSQ is real."""
    params = {**case["params"], "step_mode": step_mode}
    params["v_reset"] = False if params["v_reset"] is None else params["v_reset"]
    quant_params = {k: v for k, v in case["quant_params"].items() if v is not None}
    if quant_params.get("LSQ"):
        quant_params["LSQ_scale"] = "real"
    return configure("neuron", kind, params).module(Context(0, Path()), quant_params)


def shown(module, x):
    """Outputs and potentials, one timestep per call."""
    module.reset()
    seen = [(module(current), module.v) for current in x]
    return [torch.stack(tensors) for tensors in zip(*seen, strict=True)]


def excuse(case, arrays):
    """What of the record allows a difference; empty if nothing does."""
    if "error" in case:
        return f"recorded error {case['error']}"
    if any(np.isnan(array).any() for array in arrays.values()):
        return "recorded NaN"
    hyper = np.concatenate([arrays["train_hyper"], arrays["eval_hyper"]])
    return "recorded hyperparameters change between steps" if (hyper != hyper[0]).any() else ""


def differences(kind, case, arrays):
    """What differs from the record."""
    module = neuron(kind, case).train()
    x = torch.from_numpy(arrays["x_train"]).requires_grad_()
    out, v = shown(module, x)
    floor = case["quant_params"]["roundtype"] == "floor"
    if floor:
        (out * torch.from_numpy(arrays["w"])).sum().backward()
        found = {"train_out": out.detach(), "train_v": v.detach()}
        if not np.allclose(x.grad.numpy(), arrays["train_grad_x"], rtol=1e-6, atol=1e-6):
            yield "train_grad_x"
        for name, quantizer in module.named_children():
            key = name.removeprefix("quantizer_")
            recorded = case["after_train"].get(key, {}).get("global_max")
            if recorded is not None and recorded > 0 and quantizer.range[1].item() != recorded:
                yield f"range of {name}"
    else:
        found = {}
    module.eval()
    out, v = shown(module, torch.from_numpy(arrays["x_eval"]))
    for name, array in {**found, "eval_out": out, "eval_v": v}.items():
        if not np.array_equal(array.detach().numpy(), arrays[name]):
            yield name
    if floor and (module.weights_bits, module.weights_q) != (
        case["after_train"]["weights_bits"],
        case["after_train"]["weights_q"],
    ):
        yield "weights_bits, weights_q"


def test_every_recorded_case():
    found, excused = list(cases()), []
    if not found:
        pytest.skip(f"no recorded quantised neurons in {GOLDEN}")
    trained = sum(case["quant_params"]["roundtype"] == "floor" for _, case, _ in found)
    for kind, case, arrays in found:
        if wrong := list(differences(kind, case, arrays)):
            why = excuse(case, arrays)
            assert why, f"{kind} {case['case']} {case['quant_params']}: {', '.join(wrong)}"
            excused.append(f"{kind} {case['case']} ({', '.join(wrong)}): {why}")
    equal = len(found) - len(excused)
    print(f"{len(found)} recorded neurons: {equal} equal in evaluation, {trained} of them compared")
    print("in training, where the record rounds down")
    print(*(f"excused {line}" for line in excused), sep="\n")
    assert len(excused) < len(found) / 10


def test_recorded_neurons_all_timesteps_at_once():
    for kind, case, arrays in cases():
        single, multi = neuron(kind, case), neuron(kind, case, "m")
        for mode in (True, False):
            x = torch.from_numpy(arrays["x_train" if mode else "x_eval"])
            out, v = shown(single.train(mode), x)
            multi.train(mode).reset()
            assert torch.equal(multi(x), out)
            assert torch.equal(multi.v, v[-1])
