"""The adaptive-threshold integrate-and-fire neuron, whose threshold θ is learnt.

With potential v and input x a step is: charge u = v + x, fire s = (u ≥ θ), reset v' = u - s·θ; the
output is s·θ. A. Castagnetti, A. Pegatoquet, B. Miramond, "Trainable quantization for Speedy
Spiking Neural Networks", Frontiers in Neuroscience 17 (2023).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

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


def _soft(_: Any, attribute: Any, value: float | bool) -> None:
    if value is not False:
        shown = "true" if value is True else value
        raise ValueError(
            f"v_reset must be false, not {shown}: ATIF has a soft reset only (the threshold is "
            "subtracted after a spike)"
        )


@frozen
class ATIF:
    """Integrate-and-fire with one threshold θ per layer, which is learnt with the weights.

    u = v + x, a spike s = 1 where u ≥ θ, then v = u - s·θ; the output is s·θ. θ is drawn uniformly
    from vth_init_l·v_threshold to vth_init_h·v_threshold.

    v_threshold: factor of both bounds that θ is drawn between, above 0 (default 1.0).
    vth_init_l: lower bound of θ in units of v_threshold, above 0 (default 0.8).
    vth_init_h: upper bound of θ in units of v_threshold, at least vth_init_l (default 1.0).
    alpha: slope of the surrogate gradient, a sigmoid's derivative, above 0 (default 1.0).
    v_reset: false, the threshold is subtracted after a spike; there is no hard reset
        (default false).
    detach_reset: whether gradients stop at the spike in the reset; θ's own gradient from the reset
        stays (default false).
    step_mode: "s" one timestep per call, "m" all at once; must fit the framework (default "s").
    backend: "torch", "cupy", "triton", "cuda" or "inductor"; a request: every one of them runs as
        "torch", after one warning (default "torch").
    """

    # No room to draw a threshold from: one module is like another.
    example: ClassVar[Mapping[str, Any]] = {"vth_init_l": 1.0}

    v_threshold: float = field(default=1.0, validator=_positive)
    vth_init_l: float = field(default=0.8, validator=_positive)
    vth_init_h: float = field(default=1.0, validator=_positive)
    alpha: float = field(default=1.0, validator=_positive)
    v_reset: float | bool = field(default=False, validator=_soft)
    detach_reset: bool = False
    step_mode: Literal["s", "m"] = field(default="s", validator=in_(("s", "m")))
    backend: str = field(default="torch", validator=in_(BACKENDS))

    def __attrs_post_init__(self) -> None:
        if self.vth_init_h < self.vth_init_l:
            raise ValueError(
                f"vth_init_h, {self.vth_init_h}, is below vth_init_l, {self.vth_init_l}"
            )
        low, high = self.bounds
        if not 0 < _single(low) <= _single(high) < math.inf:
            raise ValueError(
                f"v_threshold times vth_init_l and vth_init_h, {low} and {high}, must be finite "
                "numbers above 0, also as float32"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """Between what θ is drawn."""
        return self.vth_init_l * self.v_threshold, self.vth_init_h * self.v_threshold

    def step(
        self,
        state: Any,
        current: Any,
        fire: Callable[[Any, Any], Any],
        threshold: Any = None,
    ) -> tuple[Any, Any]:
        """One timestep: the new potential and the output s·θ, both of the shape of `current`.

        `state` is the potential (None before the first step), `current` a numpy array or torch
        tensor, `fire(u, threshold)` is 1 where u ≥ threshold, `threshold` is θ, a number or an
        array of one (None: v_threshold). Arguments are never changed.
        """
        theta = self.v_threshold if threshold is None else threshold
        u = current if state is None else state + current
        spikes = fire(u, theta)
        held = self.detach_reset and hasattr(spikes, "detach")
        reset = spikes.detach() if held else spikes
        return u - reset * theta, spikes * theta

    def module(self, context: Context) -> Any:
        """A torch module, SpikingJelly's kind, with a threshold drawn by torch's generator."""
        from snn_neurons_atif.node import AdaptiveThresholdNode

        if self.backend != "torch":
            context.warn(f"ATIF has no backend '{self.backend}': 'torch' is used")
        return AdaptiveThresholdNode(self)

    def lower(self, threshold: float | None = None) -> Neuron:
        """The normal form, without a name, for θ = `threshold` (None: v_threshold)."""
        from snn_kernel.network import Neuron

        theta = float(self.v_threshold if threshold is None else threshold)
        return Neuron(name="", threshold=theta, payload=theta, reset="subtract")
