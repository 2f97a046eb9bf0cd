"""Generated C against what was recorded of torch and of another generator's C.

Where a sum is stored narrower than it is, the recorded C departs from the recorded torch; ours is
compared with torch. A case is excused only where its own record says that torch's outputs are not
those of one network: never so far.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from golden_records import GOLDEN, arrays

from snn_kernel import Context, Samples, Shapes, Splits, Training, configure

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")
pytest.importorskip("snn_codegen")

from compiled_networks import Library  # noqa: E402

from snn_framework_spikingjelly.framework import SpikingJellyMultiStep  # noqa: E402

RECORD = GOLDEN / "codegen.json"
CASES = json.loads(RECORD.read_text()) if RECORD.exists() else []
FLOAT_GAP = 1e-6  # of float32 sums in another order; spikes between them are the same


def lowered(case, x, weights):
    """The document of the recorded model, its ranges set by the recorded samples."""
    kind = "QuantizedSCNN" if "quant_params" in case else "SCNN"
    params = {k: v for k, v in case["args"].items() if not k.endswith("_shape")}
    if "quant_params" in case:
        params["quant_params"] = case["quant_params"]
    shapes = (tuple(case["args"]["input_shape"]), tuple(case["args"]["output_shape"]))
    session = SpikingJellyMultiStep().open(Context(0, Path()))
    model = configure("model", kind, params).build(Shapes(*shapes), session)
    sd = {k.removeprefix("sd__"): torch.from_numpy(v) for k, v in weights.items()}
    _, unexpected = model.load_state_dict(sd, strict=False)
    assert not unexpected
    classes = shapes[1][0]
    samples = Samples(x, np.arange(len(x)) % classes, "NLC" if x.ndim == 3 else "NHWC")
    session.train(model, Splits(samples, None, samples, classes), Training(1, len(x), fit=False))
    return session.lower(model), samples.channels_first()


@pytest.mark.parametrize("case", [pytest.param(c, id=c["tag"]) for c in CASES])
def test_every_timestep_is_what_was_recorded(case, tmp_path):
    found = arrays("codegen", f"{case['model']}__")
    network, x = lowered(
        case, found["x_channels_last"], {k: v for k, v in found.items() if k.startswith("sd__")}
    )
    own = arrays("codegen", f"{case['tag']}__")
    steps = range(1, network.timesteps + 1)
    library = Library([evolve(network, timesteps=t) for t in steps], tmp_path)
    sums = np.stack([library.predict(t - 1, x).logits * np.float64(t) for t in steps])
    if network.quantised:
        expected = np.cumsum(own["torch_quantized_out"].astype(np.float64), axis=0)
        np.testing.assert_array_equal(sums.astype(np.float32), expected.astype(np.float32))
    else:
        expected = np.cumsum(found["torch_float_out"].astype(np.float64), axis=0)
        np.testing.assert_allclose(sums, expected, atol=FLOAT_GAP * network.timesteps)
    print(f"{case['tag']}: {expected.size} sums compared, none excused")


def test_there_are_cases():
    if not RECORD.exists():
        pytest.skip(f"no {RECORD} (set SNNK_GOLDEN)")
    assert len(CASES) > 5
