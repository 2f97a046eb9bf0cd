"""Quantising layers: in evaluation what they give is integer arithmetic, in either step mode."""

import copy
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_kernel import RunError
from snn_kernel.network import Format
from snn_quantization.settings import QuantParams, TensorParams

torch = pytest.importorskip("torch")
sj = pytest.importorskip("spikingjelly.activation_based.layer")

from integer_law import first, integers, requantised  # noqa: E402

from snn_quantization.layers import (  # noqa: E402
    QuantizedAdd,
    QuantizedConv1d,
    QuantizedConv2d,
    QuantizedIdentity,
    QuantizedLinear,
)
from snn_quantization.normalisation import (  # noqa: E402
    QuantizedBatchNorm1d,
    QuantizedBatchNorm2d,
)
from snn_quantization.pooling import (  # noqa: E402
    QuantizedAvgPool1d,
    QuantizedAvgPool2d,
    QuantizedGlobalSumPool1d,
    QuantizedGlobalSumPool2d,
    QuantizedMaxPool1d,
    QuantizedMaxPool2d,
)

tensors = st.builds(
    TensorParams,
    bits=st.integers(2, 18),
    roundtype=st.sampled_from(("nearest", "floor", "ceil")),
    LSQ=st.booleans(),
)
params = st.builds(
    QuantParams, input=tensors, act=tensors, w=tensors, bias=st.one_of(st.none(), tensors)
)
MAKERS = {
    "linear": lambda **more: QuantizedLinear(7, 5, **more),
    "linear without bias": lambda **more: QuantizedLinear(7, 5, bias=False, **more),
    "conv1d": lambda **more: QuantizedConv1d(2, 4, 3, stride=2, padding=1, **more),
    "conv2d": lambda **more: QuantizedConv2d(4, 6, (3, 2), padding=(0, 1), groups=2, **more),
    "batch norm 1d": lambda **more: QuantizedBatchNorm1d(2, **more),
    "batch norm 2d": lambda **more: QuantizedBatchNorm2d(4, affine=False, **more),
    "max pool 1d": lambda **more: QuantizedMaxPool1d(3, 2, 1, **more),
    "max pool 2d": lambda **more: QuantizedMaxPool2d((2, 3), **more),
    "average 1d": lambda **more: QuantizedAvgPool1d(3, padding=1, **more),
    "average 2d": lambda **more: QuantizedAvgPool2d((2, 3), 1, **more),
    "average of 4": lambda **more: QuantizedAvgPool2d(2, **more),
    "sum 1d": QuantizedGlobalSumPool1d,
    "sum 2d": QuantizedGlobalSumPool2d,
}


def shape(name):
    if "linear" in name:
        return (3, 7)
    return (3, 2, 9) if "1d" in name else (3, 4, 7, 8)


def drawn(name, seed, steps=4):
    x = np.random.default_rng(seed).normal(0, 2, (steps, *shape(name)))
    return torch.from_numpy(x).float()


def calibrated(name, quant_params, seed):
    torch.manual_seed(seed)
    made = MAKERS[name](quant_params=quant_params, step_mode="m").train()
    made(drawn(name, seed))
    return made.eval()


def windows(x, size, stride, padding, fill):
    """[N, C, *n'] of lists: what each window of the integers `x` holds."""
    pads = [(0, 0), (0, 0), *((p, p) for p in padding)]
    x = np.pad(x, pads, constant_values=fill)
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], size, stride, strict=True)]
    rows = [
        x[(..., *(slice(i * s, i * s + k) for i, s, k in zip(at, stride, size, strict=True)))]
        for at in itertools.product(*map(range, counts))
    ]
    return np.stack([r.reshape(*x.shape[:2], -1) for r in rows], 2), counts


def sizes(value, dims):
    return tuple(value) if isinstance(value, tuple | list) else (value,) * dims


def convolved(x, w, stride, padding, groups):
    """ΣW·X of integers, group by group."""
    held, counts = windows(x, w.shape[2:], stride, padding, 0)
    n, channels, places, _ = held.shape
    per, out = channels // groups, w.shape[0] // groups
    made = []
    for g in range(groups):
        some = held[:, g * per : (g + 1) * per].transpose(0, 2, 1, 3).reshape(n, places, -1)
        made.append(some.dot(w[g * out : (g + 1) * out].reshape(out, -1).T).transpose(0, 2, 1))
    return np.concatenate(made, 1).reshape(n, -1, *counts)


def weighted(module, x, fx):
    """The accumulators of a layer with weights, and their fraction bits."""
    folded = hasattr(module, "running_mean")
    tensors = module.folded(torch.zeros(())) if folded else (module.weight, module.bias)
    weight, bias = module.gridded(*tensors)
    fw = module.quantizer_w.format
    w = integers(weight.detach().numpy(), fw)
    if folded:
        sums = x * w.reshape(-1, *[1] * (x.ndim - 2))
    elif w.ndim == 2:
        sums = x.dot(w.T)
    else:
        dims = w.ndim - 2
        sums = convolved(
            x, w, sizes(module.stride, dims), sizes(module.padding, dims), module.groups
        )
    fraction = fx.fraction + fw.fraction
    if bias is None:
        return sums, fraction
    fb = module.quantizer_bias.format if hasattr(module, "quantizer_bias") else fw
    fine = max(fraction, fb.fraction)
    b = integers(bias.detach().numpy(), fb) * 2 ** (fine - fb.fraction)
    b = b.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 2 else b
    return sums * 2 ** (fine - fraction) + b, fine


def pooled(module, x, fx):
    """Maxima, averages or sums of windows, and their fraction bits."""
    if not hasattr(module, "kernel_size"):
        return x.reshape(*x.shape[:2], -1).sum(-1), fx.fraction
    dims = x.ndim - 2
    size, stride, padding = (
        sizes(getattr(module, key), dims) for key in ("kernel_size", "stride", "padding")
    )
    largest = "Max" in type(module).__name__
    held, counts = windows(x, size, stride, padding, -(2**40) if largest else 0)
    if largest:
        return held.max(-1).reshape(*x.shape[:2], *counts), fx.fraction
    sums, elements = held.sum(-1).reshape(*x.shape[:2], *counts), int(np.prod(size))
    if not elements & (elements - 1):
        return sums, fx.fraction + elements.bit_length() - 1
    return sums * int(2**15 / elements + 0.5), fx.fraction + 15


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(sorted(MAKERS)), params, st.integers(0, 2**31 - 1))
def test_evaluation_is_integer_arithmetic(name, quant_params, seed):
    made = calibrated(name, quant_params, seed)
    x = drawn(name, seed + 1) * 1.5
    out = made(x)
    fx, going = made.quantizer_input.format, made.quantizer_act.format
    for step, found in zip(x, out, strict=True):
        given_ = first(step.numpy(), fx)
        sums, fraction = (weighted if hasattr(made, "quantizer_w") else pooled)(made, given_, fx)
        expected = requantised(sums, fraction, going)
        assert np.array_equal(integers(found.detach().numpy(), going), expected)
    assert out.dtype == torch.float32


@settings(max_examples=60, deadline=None)
@given(tensors, tensors, st.integers(0, 2**31 - 1))
def test_sums_of_two_are_integer_arithmetic(coming, going, seed):
    quant_params = QuantParams(input=coming, act=going)
    made, rng = QuantizedAdd(quant_params=quant_params), np.random.default_rng(seed)
    a, b = (torch.from_numpy(rng.normal(0, s, (4, 3, 5))).float() for s in (3.0, 0.2))
    made.train()(a, b)
    found = made.eval()(a, b)
    fa, fb = made.quantizer_input_a.format, made.quantizer_input_b.format
    fine = max(fa.fraction, fb.fraction)
    sums = sum(first(x.numpy(), f) * 2 ** (fine - f.fraction) for x, f in ((a, fa), (b, fb)))
    expected = requantised(sums, fine, made.quantizer_act.format)
    assert np.array_equal(integers(found.detach().numpy(), made.quantizer_act.format), expected)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(MAKERS)), params, st.integers(0, 2**31 - 1))
def test_step_modes_and_saved_layers_agree(name, quant_params, seed):
    made, x = calibrated(name, quant_params, seed), drawn(name, seed + 1)
    single = copy.deepcopy(made)
    single.step_mode = "s"
    out = made(x)
    assert torch.equal(torch.stack([single(step) for step in x]), out)
    other = MAKERS[name](quant_params=quant_params, step_mode="m").eval()
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(x), out)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_plain_layers_are_near(name):
    """With 16 bits a quantising layer computes about what the layer of SpikingJelly does."""
    torch.manual_seed(0)
    made = MAKERS[name](quant_params=QuantParams(bits=16), step_mode="m").train()
    made.momentum = None  # of a normalisation: its running statistics are those of the one batch
    x = drawn(name, 0)
    if "sum" in name:
        plain = x.flatten(3).sum(-1)
    else:
        layer = next(c for c in type(made).__mro__ if c.__module__.startswith("spikingjelly"))
        plain = layer.forward(copy.deepcopy(made), x)
    torch.testing.assert_close(made(x), plain, rtol=2e-3, atol=5e-3)
    torch.testing.assert_close(made.eval()(x), plain, rtol=2e-3, atol=5e-3)


@pytest.mark.parametrize("name", [n for n in sorted(MAKERS) if "norm" not in n])
def test_gradients_reach_input_and_weights(name):
    torch.manual_seed(0)
    made = MAKERS[name](quant_params=QuantParams(bits=16), step_mode="m").train()
    x = drawn(name, 0).requires_grad_()
    made(x)[..., 0].sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad.abs().sum() > 0 for p in made.parameters())


def test_running_statistics_are_those_of_the_batch():
    made = QuantizedBatchNorm1d(2, quant_params=QuantParams(bits=16), momentum=None).train()
    x = torch.randn(50, 2, 4, generator=torch.Generator().manual_seed(0))
    made(x)
    rounded = made.quantizer_input.quantise(x)
    torch.testing.assert_close(made.running_mean, rounded.mean((0, 2)))
    torch.testing.assert_close(made.running_var, rounded.var((0, 2), correction=0))
    assert made.num_batches_tracked == 1


def test_wide_sums_are_formed_in_float64_or_refused():
    """A sum of 300 products of 16 bits is beyond float32; of 32 bits, beyond float64."""
    sums_stay = TensorParams(quant_enable=False)
    wide = QuantizedLinear(300, 2, quant_params=QuantParams(bits=16, act=sums_stay)).train()
    x = torch.rand(4, 300, generator=torch.Generator().manual_seed(0)) + 1
    wide(x)
    fx = wide.quantizer_input.format
    sums, fraction = weighted(wide.eval(), first(x.numpy(), fx), fx)
    assert max(abs(sums).ravel()) > 2**24
    assert np.array_equal(np.ldexp(wide(x).detach().numpy(), fraction), sums)
    wider = QuantizedLinear(300, 2, quant_params=QuantParams(bits=32)).train()
    wider(x)
    with pytest.raises(RunError, match=r"quantizer_input': the layer's sums reach 2\^\d+\.\d"):
        wider.eval()(x)


def test_weights_are_quantised_as_they_are_now():
    made = QuantizedLinear(3, 2, quant_params=QuantParams()).train()
    made(torch.ones(1, 3))
    with torch.no_grad():
        made.weight.fill_(0.01)
        made.bias.zero_()
    made.eval()(torch.ones(1, 3))
    assert made.quantizer_w.format == Format(8, 13)


def test_outputs_may_stay_sums():
    quant_params = QuantParams(act=TensorParams(quant_enable=False))
    made = calibrated("linear", quant_params, 0)
    x = drawn("linear", 1)
    fx = made.quantizer_input.format
    sums, fraction = weighted(made, first(x[0].numpy(), fx), fx)
    assert np.array_equal(np.ldexp(made(x)[0].detach().numpy().astype(float), fraction), sums)


def test_the_identity_quantises_as_outputs_are():
    made = QuantizedIdentity(quant_params=QuantParams(act=TensorParams(bits=4))).train()
    x = torch.linspace(-1, 0.99, 9)
    made(x)
    found = made.eval().quantizer_act.format
    assert found == Format(4, 2)
    assert np.array_equal(integers(made(x).numpy(), found), first(x.numpy(), found))


@pytest.mark.parametrize(
    "more",
    [{"ceil_mode": True}, {"padding": 1, "count_include_pad": False}, {"divisor_override": 3}],
)
def test_averages_of_other_divisors_are_refused(more):
    with pytest.raises(ValueError, match="divides by anything but the size of its window"):
        QuantizedAvgPool2d(2, quant_params=QuantParams(), **more)


def test_a_window_too_large_for_its_factor_is_refused():
    with pytest.raises(ValueError, match="1/K is rounded to 0"):
        QuantizedAvgPool2d(300, quant_params=QuantParams())


def test_names_are_the_documented_ones():
    with_bias = QuantParams(bias=TensorParams(bits=16))
    layer = QuantizedConv2d(1, 1, 1, quant_params=with_bias)
    assert [n for n, _ in layer.named_children()] == [
        "quantizer_input",
        "quantizer_act",
        "quantizer_w",
        "quantizer_bias",
    ]
    add = QuantizedAdd(quant_params=QuantParams())
    assert [n for n, _ in add.named_children()] == [
        "quantizer_input_a",
        "quantizer_input_b",
        "quantizer_act",
    ]
