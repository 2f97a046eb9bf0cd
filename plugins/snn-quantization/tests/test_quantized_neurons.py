"""Quantised neurons: the integer law in evaluation, one law in both step modes, faults."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_kernel import ConfigError, Context, RunError, configure
from snn_kernel.network import Neuron
from snn_quantization.kinds import QuantizedNeurons, quantise, quantised
from snn_quantization.settings import QuantParams, TensorParams

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")

from integer_law import Neurons, first, integers, requantised  # noqa: E402

from snn_framework_spikingjelly import SNN  # noqa: E402
from snn_quantization.neurons import QuantizedNeuron  # noqa: E402

bits = st.integers(2, 16)
tensors = st.builds(
    TensorParams,
    bits=bits,
    roundtype=st.sampled_from(("nearest", "floor", "ceil")),
    range_setting=st.sampled_from(("minmax", "mse_pot", "MSE_analysis")),
    LSQ=st.booleans(),
)
params = st.builds(
    QuantParams,
    input=tensors,
    act=tensors,
    v=st.builds(
        TensorParams,
        bits=st.integers(6, 16),
        roundtype=st.sampled_from(("nearest", "floor", "ceil")),
    ),
    hyperparams=st.sampled_from(("shared", "own")),
)
numbers = st.floats(0.3, 2.0)
normals = st.one_of(
    st.builds(Neuron, name=st.just(""), threshold=numbers, payload=numbers),
    st.builds(
        Neuron,
        name=st.just(""),
        threshold=numbers,
        decay=st.floats(0.2, 1.5),
        gain=st.floats(0.2, 1.5),
        bias=st.floats(-0.5, 0.5),
        start=st.floats(-0.5, 0.5),
    ),
    st.builds(
        lambda charge, threshold, tau, value, hard: Neuron(
            "",
            threshold,
            charge=charge,
            tau=tau,
            rest=value * hard,
            start=value * hard,
            value=value * hard,
            reset="value" if hard else "subtract",
        ),
        st.sampled_from(("lif", "lif_undecayed")),
        numbers,
        st.floats(1.1, 4.0),
        st.floats(-0.5, 0.2),
        st.booleans(),
    ),
)


def sequence(seed, steps=6, shape=(2, 5)):
    return torch.from_numpy(np.random.default_rng(seed).normal(0.4, 1.0, (steps, *shape))).float()


def calibrated(normal, quant_params, x):
    """A neuron in evaluation whose ranges were set by `x`; None where a factor vanished."""
    made = QuantizedNeuron(normal, quant_params, step_mode="m")
    try:
        made.train()(x)
        made.eval().reset()
        made(x)
    except RunError as error:
        if "rounded to 0" in str(error):
            return None
        raise
    made.reset()
    return made


@settings(max_examples=120, deadline=None)
@given(normals, params, st.integers(0, 2**32 - 1))
def test_evaluation_is_integer_arithmetic(normal, quant_params, seed):
    x = sequence(seed)
    if (made := calibrated(normal, quant_params, x)) is None:
        return
    made.step_mode = "s"
    formats = [q.format for q in (made.quantizer_input, made.quantizer_v, made.quantizer_act)]
    law = made.on_grid(torch.zeros((), dtype=torch.float64))
    reference = Neurons(normal, law, *formats[:2])
    worth, fraction = (
        (1, 0) if law.payload is None else (reference.numbers["payload"], formats[1].fraction)
    )
    for current in x:
        out = made(current)
        spikes = reference.step(first(current.numpy(), formats[0]))
        expected = requantised(spikes * worth, fraction, formats[2])
        assert np.array_equal(integers(out.detach().numpy(), formats[2]), expected)
        assert np.array_equal(integers(made.v.detach().numpy(), formats[1]), reference.v)


@settings(max_examples=30, deadline=None)
@given(normals, params, st.integers(0, 2**32 - 1))
def test_a_saved_neuron_computes_the_same(normal, quant_params, seed):
    x = sequence(seed)
    if (made := calibrated(normal, quant_params, x)) is None:
        return
    other = QuantizedNeuron(normal, quant_params, step_mode="m").eval()
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(x), made(x))
    assert torch.equal(other.v, made.v)


@settings(max_examples=30, deadline=None)
@given(normals, params, st.integers(0, 2**32 - 1), st.booleans())
def test_step_modes_agree(normal, quant_params, seed, training):
    x = sequence(seed)
    if (made := calibrated(normal, quant_params, x)) is None:
        return
    made.train(training)
    single = copy.deepcopy(made)
    single.step_mode = "s"
    try:
        out = made(x)
    except RunError:
        return
    assert torch.equal(torch.stack([single(current) for current in x]), out)
    assert torch.equal(single.v, made.v)


def module(kind, quant_params=(), **more):
    return configure("neuron", kind, more).module(Context(0, Path()), dict(quant_params))


def test_float_hyperparameters_stay():
    made = module("QuantizedLIFNode", {"bits": 4}, v_threshold=0.7, tau=3.0, v_reset=-0.1)
    before = copy.deepcopy(made.normal)
    for training in (True, False):
        made.train(training)(sequence(0)[0])
    assert made.normal == before
    assert made.v_threshold == 0.7


def test_atif_learns_its_threshold():
    made = module("QuantizedATIF", {"bits": 6}, step_mode="m").train()
    made(sequence(1)).sum().backward()
    assert made.v_threshold.grad.abs().item() > 0
    made.eval().reset()
    found = set(made(sequence(1)).unique().tolist())
    theta = made.on_grid(torch.zeros((), dtype=torch.float64)).threshold
    assert found <= {0.0, made.quantizer_act(theta).item()}
    assert len(found) == 2


@pytest.mark.parametrize("detach", [True, False])
def test_detach_reset_stops_the_gradient(detach):
    x = torch.tensor([0.8], requires_grad=True)
    made = QuantizedNeuron(Neuron("", 0.5), QuantParams(bits=16), detach_reset=detach).train()
    made(x)
    made.v.sum().backward()
    assert (x.grad.item() == 1.0) is detach


def test_evaluation_before_calibration_is_refused():
    with pytest.raises(RunError, match="quantizer_input' has no range yet: train the model"):
        module("QuantizedIFNode").eval()(torch.ones(3))


@pytest.mark.parametrize("training", [True, False])
def test_a_leak_that_vanishes_is_refused(training):
    made = module("QuantizedLIFNode", {"bits": 4, "force_q": 2}, tau=20.0).train(training)
    with pytest.raises(RunError, match=r"1/tau with tau = 20 is rounded to 0 .* 4 bits"):
        made(torch.ones(3))
    own = {"bits": 4, "force_q": 2, "hyperparams": "own"}
    module("QuantizedLIFNode", own, tau=20.0)(torch.ones(3))


def test_more_bits_than_there_are_is_refused():
    made = module("QuantizedLIFNode", {"bits": 32}, tau=3.0).train()
    made(torch.rand(3))
    made.eval().reset()
    with pytest.raises(RunError, match="needs more than 53 bits"):
        made(torch.rand(3))


def test_quantised_kinds_have_the_keys_of_the_plain_ones():
    kinds = QuantizedNeurons().kinds("neuron")
    assert {"QuantizedIFNode", "QuantizedLIFNode", "QuantizedATIF"} <= set(kinds)
    assert not QuantizedNeurons().kinds("model")
    with pytest.raises(ConfigError, match="did you mean 'v_threshold'"):
        configure("neuron", "QuantizedIFNode", {"v_treshold": 1.0})
    with pytest.raises(ConfigError, match="tau must be"):
        configure("neuron", "QuantizedLIFNode", {"tau": 1.0})


@pytest.mark.parametrize("kind", ["IFNode", "LIFNode", "ATIF"])
def test_the_plain_name_means_the_same(kind):
    plain, named = (configure("neuron", p + kind, {"v_threshold": 0.5}) for p in ("", "Quantized"))
    assert quantise(plain) == named == quantise(named)
    assert pickle.loads(pickle.dumps(named)) == named
    assert type(named.module(Context(0, Path()), QuantParams())).__name__ == f"Quantized{kind}"


@frozen
class Fading:
    """A stranger's neuron: half of the potential stays."""

    def step(self, state, current, fire):
        u = current if state is None else 0.5 * state + current
        spikes = fire(u, 1.0)
        return u * (1 - spikes), spikes

    def lower(self):
        return Neuron("", 1.0, decay=0.5, reset="value")


def test_any_neuron_with_a_normal_form_is_quantised():
    config = quantise(Fading())
    assert quantised(type(config)) is type(config)
    model = SNN((3,), (2,), 4, config)
    made = model.create_neuron(QuantParams(bits=8))
    x = torch.tensor([[0.75], [0.875], [0.25]])
    made.train()
    spikes = [made(current).item() for current in x]
    assert [round(s) for s in spikes] == [0, 1, 0]
    assert made.factors == {"decay": 0.5}


def test_what_has_no_normal_form_is_refused():
    with pytest.raises(ConfigError, match="no normal form"):
        quantise(object())
    with pytest.raises(ConfigError, match="needs quant_params"):
        configure("neuron", "QuantizedIFNode", {}).module(Context(0, Path()))


def test_a_learnt_leak_is_refused():
    class Leaky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(()))

    class Config(Fading):
        def module(self, context):
            return Leaky()

    with pytest.raises(ConfigError, match="learns w; only a learnt v_threshold"):
        quantised(frozen(Config))().module(Context(0, Path()), {})
