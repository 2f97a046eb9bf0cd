"""From a trained network of ReLUs to a spiking one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from attrs import frozen

from snn_kernel import RunError

if TYPE_CHECKING:
    from torch import Tensor, nn


@frozen
class Converted:
    """The network as it was, and its spiking twin."""

    analog_model: Any
    spiking_model: Any


def from_model(
    model: nn.Sequential,
    *,
    add_spiking_output: bool = False,
    spike_threshold: float = 1.0,
    min_v: float | None = -1.0,
    batch_size: int = 1,
    samples: Tensor | None = None,
    percentile: float = 99.9,
) -> Converted:
    """Put integrate-and-fire neurons (IAF) in the place of every ReLU of a Sequential, nested or
    not, and, if `add_spiking_output`, behind the last layer if that is none; weights are kept.
    `model` stays as it is.

    The rate of an integrate-and-fire neuron that is reset by subtraction approximates a ReLU:
    Y. Cao, Y. Chen, D. Khosla, "Spiking deep convolutional neural networks for energy-efficient
    object recognition", IJCV 113 (2015); B. Rueckauer, I.-A. Lungu, Y. Hu, M. Pfeiffer, S.-C. Liu,
    "Conversion of continuous-valued deep networks to efficient event-driven networks for image
    classification", Frontiers in Neuroscience 11 (2017) 682, equations 5 and 6.

    With `samples`, inputs [N, …] of the analog network, weights are normalised to what is seen on
    them (there, "Parameter normalization", the robust one): W ← θ·W·λ(l-1)/λ(l), b ← θ·b/λ(l), λ(l)
    being the `percentile` (0 … 100) of the positive activations of layer l, λ(0) = 1, and θ the
    `spike_threshold`, in units of which currents are given there. No neuron then has to fire more
    often than once per timestep, but for the outliers above. Where no neurons follow a layer, it
    puts out, on average, what it did in the analog network.

    Raises RunError for a model that is no Sequential, and on normalising for layers with weights
    other than Conv2d and Linear, or that stand in two places, ReLUs that are behind none of their
    own, and layers that are silent on `samples`.
    """
    if "Sequential" not in {kind.__name__ for kind in type(model).__mro__}:
        raise RunError(f"the model is a {type(model).__name__}, not a torch.nn.Sequential")
    from torch import nn

    from snn_engine.iaf import IAF

    spiking = copy.deepcopy(model)
    last = _leaves(spiking)[-1][1]
    if add_spiking_output and type(last).__name__ != "ReLU":
        spiking.append(nn.ReLU())
    if samples is not None:
        _normalise(spiking, samples, percentile, spike_threshold)
    for path, module in _leaves(spiking):
        if type(module).__name__ == "ReLU":
            parent, _, name = path.rpartition(".")
            neurons = IAF(spike_threshold, min_v, batch_size)
            setattr(spiking.get_submodule(parent), name, neurons)
    return Converted(model, spiking)


def _leaves(model: Any) -> list[tuple[str, Any]]:
    """Every layer in order, under each name it has: one ReLU may stand in many places."""
    modules = list(model.named_modules(remove_duplicate=False))
    return [(name, module) for name, module in modules if not any(module.children())]


def _normalise(model: Any, samples: Tensor, percentile: float, threshold: float) -> None:
    """Scale weights and biases in place, layer by layer, while samples flow through."""
    import torch

    if not 0 < percentile <= 100:
        raise RunError(f"percentile is {percentile}, not above 0 and at most 100")
    model.eval()
    scale, weighing = 1.0, None  # λ of what flows now; the layer whose neurons are still to come
    done: set[int] = set()
    with torch.no_grad():
        x = samples
        for name, module in _leaves(model):
            x = module(x)
            if hasattr(module, "weight"):
                if weighing is not None:
                    weighing.weight *= scale
                    scale = 1.0
                weighing = _weighing(name, module, done)
            if type(module).__name__ != "ReLU":
                continue
            if weighing is None:
                raise RunError(f"layer '{name}' is behind no layer with weights of its own")
            seen = _seen(name, x, percentile)
            weighing.weight *= threshold * scale / seen
            if weighing.bias is not None:
                weighing.bias *= threshold / seen
            scale, weighing = seen, None
        if weighing is not None:
            weighing.weight *= scale


def _weighing(name: str, module: Any, done: set[int]) -> Any:
    """A layer whose weights can be scaled, once, and are then `done`."""
    kind = type(module).__name__
    if kind not in ("Conv2d", "Linear"):
        raise RunError(f"layer '{name}' is a {kind}: it cannot be normalised")
    if id(module) in done:
        raise RunError(f"layer '{name}' stands in two places: it cannot be normalised for both")
    done.add(id(module))
    return module


def _seen(name: str, x: Tensor, percentile: float) -> float:
    """The `percentile` of what is positive in the activations of layer `name`."""
    import torch

    positive = x[x > 0]
    if not len(positive):
        raise RunError(f"layer '{name}' is silent on the samples")
    return float(torch.quantile(_bounded(positive), percentile / 100))


def _bounded(values: Tensor) -> Tensor:
    """At most 2^23 of them, evenly spaced: torch.quantile takes no more than 2^24."""
    return values[:: 1 + len(values) // (1 << 23)]
