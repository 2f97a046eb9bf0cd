"""Quantised neurons: charge, fire and reset on exact integers, one rounding of the potential.

A timestep is x ← Qin(x); u = charge(v, x) exactly; s = (u ≥ θ); v ← Qv(reset(u, s)); the output is
Qact(s·payload). The potential and the hyperparameters (θ, 1/tau, v_reset) are on one grid, Qv's.
Products with 1/tau stay exact until the end of the step, so that each step rounds once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from attrs import frozen
from spikingjelly.activation_based import base, surrogate
from torch import Tensor, nn

from snn_kernel import ConfigError, Fault, RunError
from snn_kernel.network import Format, Layer, Neuron
from snn_quantization.grid import FLOAT64_BITS, holding, valued
from snn_quantization.quantizer import Quantizer
from snn_quantization.settings import FACTOR_BITS, QuantParams


@frozen
class Law:
    """What a neuron computes with, every number a tensor without a shape. None stands for a factor
    of exactly 1 and a summand of exactly 0."""

    charging: str  # as `charge` of network.Neuron
    threshold: Tensor
    rate: Tensor | None = None  # 1/tau
    decay: Tensor | None = None
    gain: Tensor | None = None
    bias: Tensor | None = None
    value: Tensor | None = None  # what a hard reset sets; None subtracts the threshold
    rest: Tensor | None = None
    start: Tensor | None = None
    payload: Tensor | None = None

    def charge(self, v: Tensor, x: Tensor) -> Tensor:
        """The charged potential."""
        if self.charging == "normal":
            u = _times(v, self.decay) + _times(x, self.gain)
            return u if self.bias is None else u + self.bias
        above = v if self.rest is None else v - self.rest
        if self.charging == "lif":
            return v + _times(x - above, self.rate)
        return v - _times(above, self.rate) + x

    def reset(self, u: Tensor, spikes: Tensor) -> Tensor:
        """The potential after the spikes."""
        if self.value is None:
            return u - spikes * self.threshold
        return spikes * self.value + (1 - spikes) * u


class QuantizedNeuron(base.MemoryModule):  # type: ignore[misc]
    """A population of neurons of any kind that has a normal form, quantised.

    Input and output [N, …] in step mode "s", [T, N, …] in "m". `v` is the potential after the last
    timestep, None after `reset`. `normal` is the normal form; its numbers are never overwritten by
    rounded ones. `threshold`, where it is learnt, takes the place of the normal form's.

    While training, the ranges follow the data, and the gradient is that of a neuron whose charge is
    rounded as well, before it fires. In evaluation the neuron is computed in float64 and is exact;
    RunError where that has too few bits, and where 1/tau or another factor is rounded to 0.
    """

    def __init__(
        self,
        normal: Neuron,
        params: QuantParams,
        *,
        threshold: nn.Parameter | None = None,
        fire: nn.Module | None = None,
        detach_reset: bool = False,
        step_mode: str = "s",
    ) -> None:
        super().__init__()
        self.normal, self.detach_reset = normal, detach_reset
        self.surrogate_function = surrogate.Sigmoid(alpha=4.0) if fire is None else fire
        self.v_threshold = float(normal.threshold) if threshold is None else threshold
        self.factors, self.summands = _factors(normal), _summands(normal)
        follows = threshold is not None or normal.payload != 1.0
        self.worth_threshold = follows and normal.payload == normal.threshold
        if self.worth_threshold:
            self.summands.pop("payload", None)
        self.own = params.hyperparams_fraction if params.hyperparams == "own" else None
        self.quantizer_input = Quantizer(params.of("input"), "quantizer_input")
        self.quantizer_v = Quantizer(params.of("v"), "quantizer_v")
        self.quantizer_act = Quantizer(params.of("act"), "quantizer_act")
        self.v: Any
        self.register_memory("v", None)
        self.step_mode = step_mode

    @property
    def weights_bits(self) -> int:
        """Bits of the potential and the hyperparameters."""
        return self.quantizer_v.settings.bits

    @property
    def weights_q(self) -> int:
        """Fraction bits of the potential and the hyperparameters; RunError where there are none."""
        return self.quantizer_v.format.fraction

    @property
    def fixed(self) -> bool:
        """Whether potential and input are fixed point, so that the neuron can be exact."""
        x = self.quantizer_input.settings
        return not self.quantizer_v.settings.obstacle and not (x.quant_enable and x.obstacle)

    def multi_step_forward(self, x_seq: Tensor, *_: Any, **__: Any) -> Tensor:
        """All timesteps, in order."""
        return torch.stack([self.single_step_forward(x) for x in x_seq])

    def single_step_forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        """One timestep."""
        exact = not self.training and self.fixed
        x = self.quantizer_input(x.double() if exact else x)
        self._observe(torch.full_like(x, self.normal.start) if self.v is None else self.v)
        law = self.on_grid(x)
        if self.v is None:
            self.check(law)
            self.v = torch.zeros_like(x) if law.start is None else law.start.expand_as(x)
        u = law.charge(self.v.to(x.dtype), x)
        if self.training:
            self._observe(u)
            spikes, law = self._trained(u)
        else:
            spikes = self.surrogate_function(u - law.threshold)
            self.v = self.quantizer_v.quantise(law.reset(u, spikes))
        out: Tensor = self.quantizer_act(_times(spikes, law.payload))
        act = self.quantizer_act.settings
        bits = act.bits if act.quant_enable else self.weights_bits
        return out.to(holding(bits)) if exact else out

    def lower(self, name: str) -> tuple[Layer, ...]:
        """The normal form, its numbers on their grid."""
        from snn_quantization.documents import document

        return document(self, name)

    def on_grid(self, like: Tensor) -> Law:
        """The numbers of the neuron on their grid as it is now, on the device of `like`."""
        names, numbers = self._shared()
        shared = self.quantizer_v.quantise(numbers.to(like)).unbind()
        found = dict(zip(names, shared, strict=True))
        if self.own is not None:
            grid = Format(FACTOR_BITS, self.own, self.quantizer_v.settings.roundtype)
            for name, factor in self.factors.items():
                found[name] = like.new_tensor(np.ldexp(grid.quantise(np.array(factor)), -self.own))
        for name in ("rest", "start"):
            if name not in found and "value" in found and getattr(self.normal, name):
                found[name] = found["value"]
        if self.worth_threshold:
            found["payload"] = found["threshold"]
        return Law(self.normal.charge, **found)

    def _trained(self, u: Tensor) -> tuple[Tensor, Law]:
        """Fire and reset, with the gradient of a neuron that rounds its charge."""
        law = self.on_grid(u)
        rounded = self.quantizer_v.quantise(u)
        spikes = self.surrogate_function(rounded - law.threshold)
        spikes = valued((u >= law.threshold).to(u), spikes)
        held = spikes.detach() if self.detach_reset else spikes
        graph = self.quantizer_v.quantise(law.reset(rounded, held))
        with torch.no_grad():
            exact = self.quantizer_v.quantise(law.reset(u, held))
        self.v = valued(exact, graph)
        return spikes, law

    def _observe(self, v: Tensor) -> None:
        if self.training:
            self.quantizer_v.observe(v, self._shared()[1].to(v.device))

    def _shared(self) -> tuple[tuple[str, ...], Tensor]:
        """What is on the grid of the potential, in float64: threshold, 1/tau, reset value, …"""
        more = self.summands if self.own is not None else self.factors | self.summands
        threshold = torch.as_tensor(self.v_threshold, dtype=torch.float64).reshape(1)
        return ("threshold", *more), torch.cat((threshold, threshold.new_tensor([*more.values()])))

    def check(self, law: Law) -> None:
        """RunError for a factor that is rounded to 0, and for more bits than float64 has."""
        name = self.quantizer_v.name
        for key, factor in self.factors.items():
            if factor and not getattr(law, key).any():
                tau = f"1/tau with tau = {self.normal.tau:g}"
                what = tau if key == "rate" else f"{key} = {factor:g}"
                bits = self.weights_bits if self.own is None else FACTOR_BITS
                raise RunError(
                    f"quantizer '{name}': {what} is rounded to 0 on the grid of {bits} bits "
                    "(set more bits for v, or hyperparams = 'own' with more hyperparams_fraction)"
                )
        if self.training or not self.fixed or not self.quantizer_input.settings.quant_enable:
            return
        x, v = self.quantizer_input.format, self.quantizer_v.format
        finer = (v.fraction if self.own is None else self.own) if self.factors else 0
        # Potential, threshold, rest and bias are all below the largest potential.
        sizes = 4 * 2.0 ** (v.bits - 1 - v.fraction) + 2.0 ** (x.bits - 1 - x.fraction)
        largest = sizes * max((1.0, *map(abs, self.factors.values())))
        if largest * 2.0 ** (max(x.fraction, v.fraction) + finer) > 2.0**FLOAT64_BITS:
            raise RunError(
                f"quantizer '{name}': a step of the neuron needs more than {FLOAT64_BITS} bits "
                f"(input {x.bits} bits, v {v.bits} bits): set fewer"
            )


class QuantizedIFNode(QuantizedNeuron):
    """The integrate-and-fire neuron, quantised."""


class QuantizedLIFNode(QuantizedNeuron):
    """The leaky integrate-and-fire neuron, quantised."""


class QuantizedATIF(QuantizedNeuron):
    """The integrate-and-fire neuron that learns its threshold, quantised."""


def _times(x: Tensor, factor: Tensor | None) -> Tensor:
    return x if factor is None else x * factor


def _factors(normal: Neuron) -> Mapping[str, float]:
    """What the potential or the input is multiplied with, unless by 1."""
    if normal.charge != "normal":
        return {"rate": 1.0 / normal.tau}
    return {n: f for n in ("decay", "gain") if (f := float(getattr(normal, n))) != 1.0}


def _summands(normal: Neuron) -> dict[str, float]:
    """What is added to the potential or taken from it, or stands for it."""
    found = {} if normal.reset == "subtract" else {"value": float(normal.value)}
    there = {0.0, *found.values()}  # needs no number of its own
    if normal.charge == "normal" and normal.bias:
        found["bias"] = float(normal.bias)
    if normal.charge != "normal" and normal.rest not in there:
        found["rest"] = float(normal.rest)
    if normal.start not in there:
        found["start"] = float(normal.start)
    if normal.payload != 1.0:
        found["payload"] = float(normal.payload)
    return found


def populated(config: Any, params: QuantParams, native: nn.Module) -> QuantizedNeuron:
    """The quantised form of `native`, the module of a neuron kind with the config object `config`.

    It keeps the threshold, if that is learnt, and the surrogate gradient; ConfigError if anything
    else is learnt, of which a normal form holds but one value.
    """
    name = type(config).__name__
    learnt = [n for n, _ in native.named_parameters() if n != "v_threshold"]
    if learnt:
        what = f"{name} learns {', '.join(learnt)}; only a learnt v_threshold can be quantised"
        raise ConfigError(Fault("[neuron]", what))
    threshold = getattr(native, "v_threshold", None)
    made = {kind.__name__: kind for kind in (QuantizedIFNode, QuantizedLIFNode, QuantizedATIF)}
    return made.get(name, QuantizedNeuron)(
        config.lower(),
        params,
        threshold=threshold if isinstance(threshold, nn.Parameter) else None,
        fire=getattr(native, "surrogate_function", None),
        detach_reset=getattr(config, "detach_reset", False),
        step_mode=getattr(config, "step_mode", "s"),
    )
