"""The quantiser: what its grid promises, what it remembers, what it refuses."""

import copy
import subprocess
import sys

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snn_kernel import ConfigError, RunError
from snn_quantization.settings import TENSORS, QuantParams, Settings, TensorParams, checked

torch = pytest.importorskip("torch")

from snn_quantization.quantizer import Quantizer, name  # noqa: E402
from snn_quantization.ranges import power  # noqa: E402

RANGES = ("minmax", "MSE_analysis", "MSE_simulation", "mse_pot")
ROUNDINGS = ("nearest", "floor", "ceil")
some = st.builds(
    Settings,
    bits=st.integers(2, 24),
    roundtype=st.sampled_from(ROUNDINGS),
    range_setting=st.sampled_from(RANGES),
    force_q=st.one_of(st.none(), st.booleans(), st.integers(-4, 12)),
    LSQ=st.booleans(),
)
# What float32 cannot divide by a scale without underflow is nothing that a network computes with.
numbers = st.floats(-100, 100, width=32).map(lambda x: x if abs(x) > 1e-15 else 0.0)
values = arrays(np.float32, 12, elements=numbers)


def tensor(array):
    return torch.from_numpy(np.array(array, np.float32))


def calibrated(config, x):
    made = Quantizer(config, "q").train()
    made(x)
    return made.eval()


@given(some, values, values)
def test_evaluation_is_the_format(config, seen, x):
    made = calibrated(config, tensor(seen))
    found = made.format
    assert (found.bits, found.rounding) == (config.bits, config.roundtype)
    expected = np.ldexp(found.quantise(x), -found.fraction)
    assert np.array_equal(made(tensor(x)).detach().numpy(), expected)


@given(some, values, values)
def test_what_is_on_the_grid_stays(config, seen, x):
    made = calibrated(config, tensor(seen))
    once = made(tensor(x))
    assert torch.equal(made(once), once)
    assert (once.detach() / made.scale).abs().max() <= 2 ** (config.bits - 1)


@given(some, values, values)
def test_order_is_kept(config, seen, x):
    made = calibrated(config, tensor(seen))
    found = made(tensor(np.sort(x)))
    assert (found[1:] >= found[:-1]).all()


@given(some, values)
def test_gradient_passes_inside_the_clamp(config, x):
    config = attrs.evolve(config, LSQ=False)
    made = calibrated(config, tensor(x / 4))
    given_ = tensor(x).requires_grad_()
    weights = torch.arange(1.0, 13.0)
    (made(given_) * weights).sum().backward()
    fraction, how = made.format.fraction, {"ceil": np.ceil, "floor": np.floor}
    steps = np.ldexp(x.astype(np.float64), fraction)
    steps = how.get(config.roundtype, lambda y: np.floor(y + 0.5))(steps)
    inside = (steps >= made.low) & (steps <= made.high)
    assert np.array_equal(given_.grad.numpy(), np.where(inside, weights.numpy(), 0))


@given(some, st.lists(values, min_size=1, max_size=4), values)
def test_a_saved_quantiser_computes_the_same(config, seen, x):
    made = Quantizer(config).train()
    for array in seen:
        made(tensor(array))
    other = Quantizer(config).eval()
    other.load_state_dict(made.eval().state_dict())
    assert torch.equal(other(tensor(x)), made(tensor(x)))
    assert other.format == made.format


@given(st.lists(values, min_size=1, max_size=4))
def test_the_range_is_that_of_all_that_was_seen(seen):
    made = Quantizer(Settings()).train()
    for array in seen:
        made(tensor(array))
    most = np.abs(np.stack(seen)).max()
    assert made.range.tolist() == [-most, most]
    made.eval()(tensor(seen[0]) * 1e3)
    assert made.range.tolist() == [-most, most]


@given(values, values)
def test_tensors_together_share_a_grid(x, other):
    made = Quantizer(Settings(bits=6)).train()
    found = made(tensor(x), tensor(other))
    assert torch.equal(
        torch.cat(found),
        calibrated(Settings(bits=6), torch.cat((tensor(x), tensor(other))))(
            torch.cat((tensor(x), tensor(other)))
        ),
    )


@given(st.integers(2, 12), st.sampled_from(ROUNDINGS), values)
def test_mse_pot_errs_no_more_than_minmax(bits, how, x):
    def error(which):
        made = calibrated(Settings(bits=bits, roundtype=how, range_setting=which), tensor(x))
        return float((made(tensor(x)) - tensor(x)).square().mean())

    assert error("mse_pot") <= error("minmax") * (1 + 1e-6)


@pytest.mark.parametrize("exponent", range(-57, 65))
def test_scales_are_exact_powers_of_2(exponent):
    assert power(torch.tensor(2.0**exponent), 8).item() == 2.0 ** (exponent - 6)
    below = np.nextafter(np.float32(2.0**exponent), np.float32(0))
    assert power(torch.tensor(below), 8).item() == 2.0 ** (exponent - 7)


def test_just_below_a_half_rounds_down():
    made = Quantizer(Settings(force_q=0)).eval()
    below = np.nextafter(np.float32(0.5), np.float32(0))
    assert made(torch.tensor([below, 0.5, -0.5, -below])).tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_learnt_power_of_2_learns():
    made = Quantizer(Settings(LSQ=True, bits=4)).train()
    optimizer = torch.optim.SGD(made.parameters(), lr=5.0)
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    made(x)
    with torch.no_grad():
        made.learnt.fill_(3.0)

    def error():
        return (made(x) - x).square().mean()

    first = error().item()
    for _ in range(200):
        optimizer.zero_grad()
        error().backward()
        optimizer.step()
    assert error().item() < first / 10
    assert made.scale.item() == 2.0**-made.format.fraction


def test_evaluation_before_calibration_names_the_quantiser():
    model = torch.nn.ModuleDict({"conv1": torch.nn.Sequential(Quantizer(Settings()))})
    name(model)
    with pytest.raises(RunError, match=r"quantizer 'conv1\.0' has no range yet: train"):
        model.eval()["conv1"](torch.ones(3))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_range_that_is_no_number_is_refused(value):
    made = Quantizer(Settings(), "q").train()
    made(torch.tensor([1.0, value]))
    with pytest.raises(RunError, match="training diverged"):
        made.eval()(torch.ones(3))


def test_switched_off_changes_nothing():
    made = Quantizer(Settings(quant_enable=False)).eval()
    x = torch.randn(5)
    assert made(x) is x


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"quantype": "fake"}, "w, v, input, act: quantype = 'fake'"),
        ({"LSQ": True, "LSQ_scale": "real"}, "w, v, input, act: LSQ_scale = 'real'"),
        ({"quant_enable": False}, "w, v, input: quant_enable = false"),
        ({"quantype": "fake", "is_asymmetric": True}, "w, v, input, act: is_asymmetric"),
        ({"act": TensorParams(quant_enable=False)}, ""),
        ({"input": TensorParams(quant_enable=False)}, ""),
        ({"v": TensorParams(quant_enable=False)}, "v: quant_enable"),
        ({"bias": TensorParams(quantype="fake")}, "bias: quantype = 'fake'"),
        ({"quantype": "fake", "force_q": 4}, ""),
        ({"LSQ": True}, ""),
        ({"force_q": True}, ""),
        ({"force_q": 60}, ""),
        ({"force_q": -61}, "w, v, input, act: force_q = -61 is beyond"),
    ],
)
def test_what_cannot_be_deployed_says_why(params, why):
    found = QuantParams(**params).obstacle
    assert found.startswith(why)
    assert bool(found) is bool(why)
    if "w," in why:
        made = Quantizer(QuantParams(**params).of("w"), "q").train()
        made(torch.randn(5))
        with pytest.raises(RunError, match="quantizer 'q' has no fixed-point format"):
            _ = made.format


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"bits": 1}, "bits must be from 2 to 32"),
        ({"bits": 33}, "bits must be from 2 to 32"),
        ({"bits": True}, "'bits' must be an integer"),
        ({"bits": "8"}, "'bits' must be an integer"),
        ({"quantype": "fxq"}, "'quantype' must be one of"),
        ({"roundtype": "even"}, "'roundtype' must be one of"),
        ({"range_setting": "mse"}, "'range_setting' must be one of"),
        ({"force_q": 65}, "force_q is a number of fraction bits"),
        ({"force_q": 1.5}, "'force_q' must be an integer or true or false"),
        ({"LSQ": "false"}, "'LSQ' must be true or false"),
        ({"is_asymmetric": True}, "input, act, w, v, bias: is_asymmetric needs quantype"),
        ({"quantype": "fake", "is_asymmetric": True, "LSQ": True}, "no asymmetric form"),
        ({"act": {"bit": 4}}, r"\[quant_params.act\]: unknown key 'bit' \(did you mean 'bits'"),
        ({"act": {"bits": 1}}, "bits must be from 2"),
        ({"act": {"is_asymmetric": True}}, "act: is_asymmetric needs quantype"),
        ({"w": 8}, "'w' must be a table"),
        ({"hyperparams_fraction": 31}, "hyperparams_fraction must be from 1 to 30"),
        ([], "must be a table"),
    ],
)
def test_wrong_settings_are_refused(table, message):
    with pytest.raises(ConfigError, match=message):
        checked(table)


def test_every_fault_at_once():
    with pytest.raises(ConfigError) as caught:
        checked({"bits": 1, "rounding": "floor", "act": {"bits": 99}, "LSQ": 1})
    assert len(caught.value.faults) == 4


def test_sub_tables_override_single_keys():
    params = checked({"bits": 6, "force_q": 3, "act": {"force_q": True, "bits": 16}})
    assert params.of("w") == Settings(bits=6, force_q=3)
    assert params.of("act") == Settings(bits=16, force_q=True)
    assert params.of("act").fraction is None
    assert checked(params) is params


def test_every_key_is_documented():
    for field in attrs.fields(QuantParams):
        assert f"    {field.name}:" in QuantParams.__doc__
    assert {a.name for a in attrs.fields(TensorParams)} == {a.name for a in attrs.fields(Settings)}
    assert set(TENSORS) <= {a.name for a in attrs.fields(QuantParams)}


def test_importing_the_plugin_imports_no_torch():
    code = (
        "import sys, snn_quantization.plugin as p; p.snnk_catalogues()[0].config().kinds('neuron');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@settings(max_examples=20)
@given(some, values)
def test_copies_are_independent(config, x):
    made = calibrated(config, tensor(x))
    other = copy.deepcopy(made).train()
    before = made.range.tolist()
    other(tensor(x) * 3 + 1)
    assert made.range.tolist() == before
