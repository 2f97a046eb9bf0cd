"""Checks of neurons that need torch: the gradient, the native form, the integer form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from snn_kernel.errors import ConfigError
from snn_kernel.registry import Registry
from snn_kernel.testing.neurons import FLIPS_MAX, NEURONS, STEPS, currents, heaviside, rolled
from snn_kernel.testing.subject import SkippedError, Subject
from snn_network import INPUT, Network
from snn_network.reference import Reference

SLOPE = 4.0  # of the surrogate, a sigmoid
QUANT_PARAMS = {"bits": 8, "quantype": "fxp"}
Array = NDArray[Any]
Run = Callable[[Array], Array]


def gradient_reaches_the_current(subject: Subject) -> Iterator[str]:
    """a surrogate gradient handed in as `fire` comes back to the currents."""
    torch = _torch()

    def fire(u: Any, threshold: Any) -> Any:
        soft = torch.sigmoid(SLOPE * (u - threshold))
        return soft + (heaviside(u, threshold) - soft).detach()

    x = torch.from_numpy(currents()[:6]).requires_grad_()
    state, total = None, 0.0
    for current in x:
        state, out = subject.config.step(state, current, fire)
        total = total + out.sum()
    yield from _flows(x, total, "step", "Let spikes come from `fire`, and detach nothing else.")
    if hasattr(subject.config, "module"):
        for _, module in _modules(subject):
            x = torch.from_numpy(currents()[:6]).requires_grad_()
            total = _called(module, x).sum()
            yield from _flows(x, total, "module", "Fire with a surrogate gradient.")


def torch_is_numpy(subject: Subject) -> Iterator[str]:
    """step gives tensors for tensors, with the spikes that it gives for arrays."""
    torch, x = _torch(), currents()
    ours = np.stack(rolled(subject.config, x)[0])
    outputs, _ = rolled(subject.config, torch.from_numpy(x))
    if kinds := {type(out).__name__ for out in outputs if not isinstance(out, torch.Tensor)}:
        yield (
            f"for torch tensors step returned {', '.join(kinds)}. Compute with operators, which "
            "both have, not with functions of numpy."
        )
        return
    theirs = torch.stack(outputs).numpy()
    both = (ours != 0) & (theirs != 0)
    flips = float(np.mean((ours != 0) != (theirs != 0)))
    if flips > FLIPS_MAX or not np.allclose(ours[both], theirs[both], rtol=1e-6, atol=0):
        yield (
            f"{flips:.0%} of its spikes are others for torch tensors than for numpy arrays. "
            "Models train in torch: let both go through the same lines."
        )


def module_is_step(subject: Subject) -> Iterator[str]:
    """the native torch module fires as step does, spike for spike, in every step mode."""
    if not hasattr(subject.config, "module"):
        raise SkippedError("it has no module()")
    torch, x = _torch(), currents()
    ours = torch.stack(rolled(subject.config, torch.from_numpy(x))[0]).numpy()
    for mode, run in module_outputs(subject):
        theirs = run(x)
        if theirs.shape != ours.shape or not np.allclose(ours, theirs, rtol=1e-6, atol=0):
            differ = np.count_nonzero(ours != theirs) if theirs.shape == ours.shape else "all"
            yield (
                f"in step_mode '{mode}' {differ} of {ours.size} spikes of `module` are not those "
                "of step. Compute both in the same order, and let them start alike."
            )


def integers_are_fake_quantisation(subject: Subject) -> Iterator[str]:
    """quantised, it fires in torch as the integer law has it, spike for spike."""
    if not hasattr(subject.config, "lower"):
        raise SkippedError("it has no lower()")
    torch, config = _torch(), _quantised(subject)
    made, x = config.module(subject.context, QUANT_PARAMS), currents()
    made.step_mode = "m"
    with torch.no_grad():
        made.train()(torch.from_numpy(x))
        made.eval().reset()
        fired = made(torch.from_numpy(x)).numpy() != 0
        (layer,) = made.lower("n")
    (layout,) = layer.input_formats
    edges = ((INPUT, "n"),)
    network = Network((layer,), edges, (NEURONS,), STEPS, "sequence", layout)
    _, spikes = Reference(network).run(np.ascontiguousarray(x.swapaxes(0, 1)))
    if count := int(np.count_nonzero(fired.swapaxes(0, 1) != spikes["n"])):
        yield (
            f"quantised, {count} of {fired.size} spikes are not those of the integer law. Fire at "
            "u ≥ threshold in `module` too, and let lower() give the numbers that it uses."
        )


def module_outputs(subject: Subject) -> Iterator[tuple[str, Run]]:
    """What the native module puts out in each step mode that it has."""
    torch = _torch()

    def runner(module: Any) -> Run:
        def run(x: Array) -> Array:
            with torch.no_grad():
                made: Array = _called(module, torch.from_numpy(x)).numpy()
            return made

        return run

    for mode, module in _modules(subject):
        yield mode, runner(module)


def _modules(subject: Subject) -> Iterator[tuple[str, Any]]:
    """The native module in each step mode; those of a kind with a `step_mode` have one."""
    torch = _torch()
    torch.manual_seed(subject.context.seed)
    modes = [subject.config.step_mode] if hasattr(subject.config, "step_mode") else ["s", "m"]
    for mode in modes:
        module = subject.config.module(subject.context).eval()
        module.step_mode = mode
        yield mode, module


def _called(module: Any, x: Any) -> Any:
    """The module's outputs for currents [T, …], from rest."""
    for part in module.modules():
        if hasattr(part, "reset"):
            part.reset()
    if module.step_mode == "m":
        return module(x)
    return _torch().stack([module(current) for current in x])


def _flows(x: Any, total: Any, form: str, mend: str) -> Iterator[str]:
    if not getattr(total, "requires_grad", False):
        yield f"no gradient comes back through `{form}`. {mend}"
        return
    total.backward()
    if x.grad is None or not x.grad.isfinite().all() or not x.grad.any():
        yield f"the gradient through `{form}` is absent, 0 or not finite. {mend}"


def _quantised(subject: Subject) -> Any:
    """The config object in its quantised form, from whichever catalogue has it."""
    registry = Registry.discover()
    try:
        offer = registry.find("neuron", f"Quantized{subject.name}")
    except ConfigError:
        raise SkippedError(
            "no catalogue has its quantised form: install snn-quantization"
        ) from None
    if obstacle := registry.obstacle(offer):
        raise SkippedError(obstacle)
    if not issubclass(offer.kind.config, type(subject.config)):
        raise SkippedError("the kind installed under its name is another one")
    names = [(a.alias, a.name) for a in attrs.fields(type(subject.config)) if a.init]
    return offer.kind.config(**{alias: getattr(subject.config, name) for alias, name in names})


def _torch() -> Any:
    if find_spec("torch") is None:
        raise SkippedError("torch is not installed")
    return import_module("torch")
