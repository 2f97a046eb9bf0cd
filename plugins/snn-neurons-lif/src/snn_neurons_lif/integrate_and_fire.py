"""The integrate-and-fire neuron and its leaky form, in SpikingJelly's order of operations.

With charge u, potential v, input x and threshold θ, a step is: charge, fire s = (u ≥ θ), reset.
Soft reset v' = u - s·θ; hard reset v' = s·v_reset + (1 - s)·u. W. Fang et al., "SpikingJelly: An
open-source machine learning infrastructure platform for spike-based intelligence", Science
Advances 9 (2023), eq. 1-3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen
from attrs.validators import in_

if TYPE_CHECKING:
    from snn_kernel import Context
    from snn_kernel.network import Neuron

BACKENDS = ("torch", "cupy", "triton", "cuda", "inductor")


def _single(value: float) -> float:
    """`value` as float32, in which networks compute; infinite where it is too large for that."""
    try:
        (made,) = struct.unpack("f", struct.pack("f", float(value)))
    except OverflowError:
        return math.inf
    return float(made)


def _positive(_: Any, attribute: Any, value: float) -> None:
    if not 0 < _single(value) < math.inf:
        what = f"{attribute.name} must be a finite number above 0"
        raise ValueError(f"{what}, also as float32, not {value}")


def _finite(_: Any, attribute: Any, value: float) -> None:
    if not math.isfinite(_single(value)):
        raise ValueError(f"{attribute.name} must be a finite number, also as float32, not {value}")


def _reset(_: Any, attribute: Any, value: float | bool) -> None:
    if value is True:
        raise ValueError(
            "v_reset is false for a soft reset (the threshold is subtracted) "
            "or the number to reset to, not true"
        )
    _finite(_, attribute, value)


def _tau(_: Any, attribute: Any, value: float) -> None:
    if value <= 1 or not math.isfinite(_single(value)):
        what = "tau must be a finite number above 1 timestep"
        raise ValueError(f"{what}, also as float32, not {value}")


@frozen
class IFNode:
    """Integrate-and-fire: u = v + x, a spike where u ≥ v_threshold.

    v_threshold: potential at which the neuron fires, above 0 (default 1.0).
    v_reset: false subtracts the threshold after a spike (soft reset); a number is the potential
        that it resets to and starts from (hard reset, default 0.0).
    detach_reset: whether gradients stop at the spike in the reset (default false).
    step_mode: "s" one timestep per call, "m" all at once; must fit the framework (default "s").
    backend: "torch", "cupy", "triton", "cuda" or "inductor"; a request: without CUDA every one of
        them runs as "torch", after one warning (default "torch").
    """

    v_threshold: float = field(default=1.0, validator=_positive)
    v_reset: float | bool = field(default=0.0, validator=_reset)
    detach_reset: bool = False
    step_mode: Literal["s", "m"] = field(default="s", validator=in_(("s", "m")))
    backend: str = field(default="torch", validator=in_(BACKENDS))

    @property
    def rest(self) -> float:
        """The potential that the neuron starts from: v_reset, or 0 with soft reset."""
        return float(self.v_reset)

    def charge(self, v: Any, x: Any) -> Any:
        """The charged potential u of potential v and input x."""
        return v + x

    def step(self, state: Any, current: Any, fire: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
        """One timestep: the new potential and the spikes, both of the shape of `current`.

        `state` is the potential (None before the first step), `current` a numpy array or torch
        tensor, `fire(u, threshold)` is 1 where u ≥ threshold. Arguments are never changed.
        """
        v = current * 0.0 + self.rest if state is None else state
        u = self.charge(v, current)
        spikes = fire(u, self.v_threshold)
        held = self.detach_reset and hasattr(spikes, "detach")
        reset = spikes.detach() if held else spikes
        if self.v_reset is False:
            return u - reset * self.v_threshold, spikes
        return reset * self.rest + (1.0 - reset) * u, spikes

    def module(self, context: Context) -> Any:
        """SpikingJelly's own node with its surrogate, a sigmoid of slope 4, as a torch module."""
        from spikingjelly.activation_based import neuron

        self._request(context)
        return neuron.IFNode(**self._arguments())

    def lower(self) -> Neuron:
        """The neuron in normal form, without a name."""
        from snn_kernel.network import Neuron

        return Neuron(name="", **self._normal())

    def _arguments(self) -> dict[str, Any]:
        return {
            "v_threshold": float(self.v_threshold),
            "v_reset": None if self.v_reset is False else self.rest,
            "detach_reset": self.detach_reset,
            "step_mode": self.step_mode,
        }

    def _normal(self) -> dict[str, Any]:
        return {
            "threshold": float(self.v_threshold),
            "reset": "subtract" if self.v_reset is False else "value",
            "value": self.rest,
            "start": self.rest,
        }

    def _request(self, context: Context) -> None:
        """Say so where `backend` cannot be had; SpikingJelly itself chooses by device."""
        if self.backend == "torch":
            return
        from torch import cuda

        if not cuda.is_available():
            context.warn(f"backend '{self.backend}' needs CUDA, which is absent: 'torch' is used")


@frozen
class LIFNode(IFNode):
    """Leaky integrate-and-fire: u = v + (x - (v - rest))/tau, a spike where u ≥ v_threshold.

    rest is v_reset, or 0 with soft reset. The keys of IFNode and:

    v_threshold: potential at which the neuron fires, above 0 (default 1.0).
    v_reset: false subtracts the threshold after a spike (soft reset); a number is the potential
        that it resets to, starts from and leaks towards (hard reset, default 0.0).
    detach_reset: whether gradients stop at the spike in the reset (default false).
    step_mode: "s" one timestep per call, "m" all at once; must fit the framework (default "s").
    backend: "torch", "cupy", "triton", "cuda" or "inductor"; a request: without CUDA every one of
        them runs as "torch", after one warning (default "torch").
    tau: membrane time constant in timesteps, above 1 (default 2.0).
    decay_input: whether the input is divided by tau as well; if not, u = v - (v - rest)/tau + x
        (default true).
    """

    tau: float = field(default=2.0, validator=_tau)
    decay_input: bool = True

    def charge(self, v: Any, x: Any) -> Any:
        """The charged potential u of potential v and input x."""
        if self.decay_input:
            return v + (x - (v - self.rest)) / self.tau
        return v - (v - self.rest) / self.tau + x

    def module(self, context: Context) -> Any:
        """SpikingJelly's own node with its surrogate, a sigmoid of slope 4, as a torch module."""
        from spikingjelly.activation_based import neuron

        self._request(context)
        return neuron.LIFNode(
            tau=float(self.tau), decay_input=self.decay_input, **self._arguments()
        )

    def lower(self) -> Neuron:
        """The neuron in normal form, without a name."""
        from snn_kernel.network import Neuron

        return Neuron(
            name="",
            charge="lif" if self.decay_input else "lif_undecayed",
            decay=1.0 - 1.0 / self.tau,
            gain=1.0 / self.tau if self.decay_input else 1.0,
            bias=self.rest / self.tau,
            tau=float(self.tau),
            rest=self.rest,
            **self._normal(),
        )
