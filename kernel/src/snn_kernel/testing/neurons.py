"""Checks of neurons: that `step` is a law, and that the other forms are the same one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_kernel.errors import SnnkError
from snn_kernel.testing.subject import SkippedError, Subject
from snn_kernel.testing.values import arrays, copied, same
from snn_kernel.testing.variants import variants
from snn_network import Neuron

# Numbers of timesteps between two looks at a neuron are prime, so that no habit of its own, every
# second or third step say, comes round in time to look like a law.
STEPS, BETWEEN, SAMPLES, NEURONS = 23, 14, 4, 12
SHAPES = ((16, 3), (4, 4, 3), (4, 2, 3, 2))  # of as many currents: [N, C], [N, C, L], [N, C, H, W]
SILENCE = 1000  # timesteps without input
GROWTH_MAX = 1e3  # of the largest state while they pass
FLIPS_MAX = 0.01  # share of spikes that may differ between float32 and float64
Array = NDArray[Any]


def heaviside(u: Any, threshold: Any) -> Any:
    """1 where u ≥ threshold, in the type of u."""
    fired = u >= threshold
    return fired.to(u.dtype) if hasattr(fired, "to") else fired.astype(u.dtype)


def currents(dtype: Any = np.float32, seed: int = 0) -> Array:
    """[T, N, C] of many sizes; every second sample is on a coarse grid, where ties are frequent."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.6, 1.0, (STEPS, SAMPLES, NEURONS)) * np.geomspace(0.25, 4.0, NEURONS)
    x[:, ::2] = np.round(x[:, ::2] * 8) / 8
    return x.astype(np.float32).astype(dtype)


def rolled(config: Any, x: Any, state: Any = None) -> tuple[list[Any], Any]:
    """The outputs at every timestep, and the last state."""
    outputs = []
    for current in x:
        state, out = config.step(state, current, heaviside)
        outputs.append(out)
    return outputs, state


def step_answers(subject: Subject) -> Iterator[str]:
    """step(state, current, fire) gives (state, spikes) for currents [N, C]."""
    x, state = currents(), None
    fired = False
    for current in x:
        made = subject.config.step(state, current, heaviside)
        if not isinstance(made, tuple) or len(made) != 2:
            yield f"step returned {type(made).__name__}. Return (state, spikes)."
            return
        state, out = made
        if np.shape(out) != current.shape:
            yield (
                f"spikes have shape {np.shape(out)} for currents {current.shape}. Return one "
                "number for each current."
            )
            return
        if not all(np.isfinite(a).all() for a in (np.asarray(out), *arrays(state))):
            yield "step made numbers that are not finite. Keep the state finite."
            return
        fired = fired or bool(np.any(out))
    if not fired:
        yield (
            f"it never fired for currents up to {x.max():.1f}. Give params (or `example`) with "
            "which it does, or the other checks would see nothing."
        )


def outputs_are_spikes(subject: Subject) -> Iterator[str]:
    """every output is 0 or what a spike is worth, one number for all neurons."""
    out = np.stack(rolled(subject.config, currents())[0])
    worths = np.unique(out[out != 0])
    if not np.allclose(worths, worths[:1], rtol=1e-6, atol=0):
        yield (
            f"its outputs are 0 and {len(worths)} other numbers, {worths[0]:.3g} to "
            f"{worths[-1]:.3g}. Return (state, spikes), in this order, and as spikes what `fire` "
            "gave, times one number if a spike is not worth 1."
        )


def any_shape(subject: Subject) -> Iterator[str]:
    """currents of any shape, images [N, C, H, W] too, give what each gives by itself."""
    x = currents()
    flat = np.stack(rolled(subject.config, x)[0])
    for shape in SHAPES:
        made = np.stack(rolled(subject.config, x.reshape(STEPS, *shape))[0])
        if not np.allclose(made.reshape(x.shape), flat, rtol=1e-6, atol=0):
            yield (
                f"the same currents give other spikes in the shape {shape} than in {x[0].shape}. "
                "Compute element by element: neither an axis nor a place on it means anything."
            )
            return


def arguments_stay(subject: Subject) -> Iterator[str]:
    """step leaves the state and the current that it is given as they are."""
    state = None
    for current in currents():
        kept, given = copied(state), current.copy()
        made, _ = subject.config.step(state, current, heaviside)
        if not np.array_equal(current, given):
            yield "step changes the current. Write `u = v + current`, not `current += v`."
            return
        if not same(state, kept):
            yield "step changes the state. Return a new one: `v + x`, not `v += x`."
            return
        state = made


def same_twice(subject: Subject) -> Iterator[str]:
    """the same currents give the same spikes, whatever was run in between."""
    x = currents()
    first, _ = rolled(subject.config, x)
    rolled(subject.config, 3 * currents(seed=1)[:BETWEEN])
    if not same(first, rolled(subject.config, x)[0]):
        yield (
            "the same currents gave other spikes the second time. Keep everything that lasts in "
            "the state, and draw no random numbers."
        )


def neurons_are_independent(subject: Subject) -> Iterator[str]:
    """what one neuron is given changes nothing for the others."""
    x = currents()
    other = x.copy()
    other[:, 0, 0] += 5
    a, b = (np.stack(rolled(subject.config, given)[0]) for given in (x, other))
    a[:, 0, 0] = b[:, 0, 0]
    if not np.array_equal(a, b):
        yield (
            "another current for one neuron changes the spikes of others. Compute element by "
            "element, without sums, means or maxima over the population."
        )


def it_is_causal(subject: Subject) -> Iterator[str]:
    """spikes do not depend on currents that come later."""
    x, half = currents(), STEPS // 2
    later = x.copy()
    later[half:] = -later[half:]
    a, b = (rolled(subject.config, given)[0][:half] for given in (x, later))
    if not same(a, b):
        yield "later currents change earlier spikes. Let only the state carry from step to step."
    if not hasattr(subject.config, "module"):
        return
    from snn_kernel.testing.torch_forms import module_outputs

    for mode, run in module_outputs(subject):
        if mode == "m" and not np.array_equal(run(x)[:half], run(later)[:half]):
            yield (
                "later currents change earlier spikes of `module` in step_mode 'm'. Go through "
                "the timesteps in order."
            )


def batches_can_be_split(subject: Subject) -> Iterator[str]:
    """two halves of a batch give what the whole gives."""
    x = currents()
    whole = np.stack(rolled(subject.config, x)[0])
    halves = [np.stack(rolled(subject.config, x[:, i : i + 2])[0]) for i in (0, 2)]
    if not np.allclose(whole, np.concatenate(halves, axis=1), rtol=1e-6, atol=0):
        yield (
            "a sample's spikes depend on the rest of the batch. Use nothing that is computed over "
            "the first axis."
        )


def silence_is_stable(subject: Subject) -> Iterator[str]:
    """without input the state stays finite and does not grow without bounds."""
    x = currents()
    _, state = rolled(subject.config, x)
    start = max((float(np.abs(a).max()) for a in arrays(state) if a.size), default=0.0)
    with np.errstate(all="ignore"):
        _, state = rolled(subject.config, np.zeros((SILENCE, *x.shape[1:]), np.float32), state)
    largest = max((float(np.abs(a).max()) for a in arrays(state) if a.size), default=0.0)
    if not largest <= GROWTH_MAX * (1 + start):
        yield (
            f"after {SILENCE} timesteps without input its state is {largest:.3g}. Let it decay: "
            "its factors must not be above 1."
        )


def precisions_agree(subject: Subject) -> Iterator[str]:
    """float32 and float64 currents give spikes of their own type, and the same ones."""
    made = {}
    for dtype in (np.float32, np.float64):
        outputs, _ = rolled(subject.config, currents(dtype))
        made[dtype] = np.stack(outputs)
        if made[dtype].dtype != dtype:
            yield (
                f"for currents of {np.dtype(dtype)} the spikes are {made[dtype].dtype}. Make the "
                "first state of the current (`0 * current`) and use Python numbers as factors."
            )
            return
    flips = float(np.mean((made[np.float32] != 0) != (made[np.float64] != 0)))
    if flips > FLIPS_MAX:
        yield (
            f"{flips:.0%} of the spikes differ between float32 and float64. Avoid differences of "
            "large numbers."
        )


def lower_is_step(subject: Subject) -> Iterator[str]:
    """the normal form that lower() gives fires as step does, spike for spike, also with another
    value of each parameter."""
    if not hasattr(subject.config, "lower"):
        raise SkippedError("it has no lower()")
    normal = subject.config.lower()
    if not isinstance(normal, Neuron):
        yield f"lower() returned {type(normal).__name__}. Return a snn_kernel.network.Neuron."
        return
    yield from _unlike(subject.config, normal, "")
    for change, config in variants(subject.config):
        try:
            other = config.lower()
        except SnnkError:  # it has a normal form for some parameters only
            continue
        yield from _unlike(config, other, f"with {change}, ")


def _unlike(config: Any, normal: Neuron, when: str) -> Iterator[str]:
    """What its normal form does otherwise than `config`."""
    x = currents()
    with np.errstate(all="ignore"):
        ours, theirs = np.stack(rolled(config, x)[0]), normal_form(normal, x)
    count = int(np.count_nonzero((ours != 0) != (theirs != 0)))
    if count or not np.allclose(ours, theirs, rtol=1e-6, atol=0):
        yield (
            f"{when}{count} of {ours.size} spikes of lower() are not those of step. Lower to the "
            "same numbers, and compute (decay·v + gain·x) + bias in this order."
        )


def normal_form(neuron: Neuron, x: Array) -> Array:
    """What a neuron in normal form puts out for currents [T, …], in float32."""
    number = {n: np.float32(getattr(neuron, n)) for n in ("decay", "gain", "bias", "tau", "rest")}
    decay, gain, bias, tau, rest = number.values()
    threshold, v = np.float32(neuron.threshold), np.full_like(x[0], neuron.start)
    outputs = []
    for current in x:
        if neuron.charge == "normal":
            u = (decay * v + gain * current) + bias
        elif neuron.charge == "lif":
            u = v + (current - (v - rest)) / tau
        else:
            u = (v - (v - rest) / tau) + current
        spikes = u >= threshold
        kept = u - spikes * threshold
        v = kept if neuron.reset == "subtract" else np.where(spikes, np.float32(neuron.value), u)
        outputs.append(spikes * np.float32(neuron.payload))
    return np.stack(outputs)
