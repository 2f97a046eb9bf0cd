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
    not, and, if `add_spiking_output`, behind the last layer; weights are kept. `model` stays as it
    is.

    The rate of an integrate-and-fire neuron that is reset by subtraction approximates a ReLU:
    Y. Cao, Y. Chen, D. Khosla, "Spiking deep convolutional neural networks for energy-efficient
    object recognition", IJCV 113 (2015); B. Rueckauer, I.-A. Lungu, Y. Hu, M. Pfeiffer, S.-C. Liu,
    "Conversion of continuous-valued deep networks to efficient event-driven networks for image
    classification", Frontiers in Neuroscience 11 (2017) 682, equations 5 and 6.

    With `samples`, inputs [N, …] of the analog network, weights are normalised to what is seen on
    them (there, section 2.2.1, "robust" normalisation): W ← W·λ(l-1)/λ(l), b ← b/λ(l), λ(l) being
    the `percentile` (0 … 100) of the positive activations of layer l and λ(0) = 1. No neuron then
    has to fire more often than once per timestep, but for the outliers above.

    Raises RunError for a model that is no Sequential, and on normalising for layers with weights
    other than Conv2d and Linear, and layers that are silent on `samples`.
    """
    if "Sequential" not in {kind.__name__ for kind in type(model).__mro__}:
        raise RunError(f"the model is a {type(model).__name__}, not a torch.nn.Sequential")
    from torch import nn

    from snn_engine.iaf import IAF

    def neurons() -> IAF:
        return IAF(spike_threshold, min_v, batch_size)

    spiking = copy.deepcopy(model)
    if add_spiking_output:
        spiking.append(nn.ReLU())
    if samples is not None:
        _normalise(spiking, samples, percentile)
    _replace(spiking, neurons)
    return Converted(model, spiking)


def _replace(module: Any, neurons: Any) -> None:
    for name, child in module.named_children():
        if type(child).__name__ == "ReLU":
            setattr(module, name, neurons())
        else:
            _replace(child, neurons)


def _normalise(model: Any, samples: Tensor, percentile: float) -> None:
    """Scale weights and biases in place, layer by layer, while samples flow through."""
    import torch

    if not 0 < percentile <= 100:
        raise RunError(f"percentile is {percentile}, not above 0 and at most 100")
    model.eval()
    scale, last = 1.0, None
    with torch.no_grad():
        x = samples
        for name, module in model.named_modules():
            if any(module.children()):
                continue
            x = module(x)
            kind = type(module).__name__
            if hasattr(module, "weight"):
                if kind not in ("Conv2d", "Linear"):
                    raise RunError(f"layer '{name}' is a {kind}: it cannot be normalised")
                last = module
            if kind != "ReLU":
                continue
            positive = x[x > 0]
            if last is None or not len(positive):
                raise RunError(f"layer '{name}' is silent on the samples")
            seen = float(torch.quantile(_bounded(positive), percentile / 100))
            last.weight *= scale / seen
            if last.bias is not None:
                last.bias /= seen
            scale, last = seen, None


def _bounded(values: Tensor) -> Tensor:
    """At most 2^23 of them, evenly spaced: torch.quantile takes no more than 2^24."""
    return values[:: 1 + len(values) // (1 << 23)]
