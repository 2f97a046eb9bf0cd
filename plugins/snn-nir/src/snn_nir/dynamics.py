"""One population of neurons as NIR says it, in continuous time, and as a document does, in steps.

NIR's equations are those of Pedersen et al., Neuromorphic intermediate representation, Nature
Communications 15, 8122 (2024), as the package nir documents them. A step of `dt` is one of forward
Euler, then the spike condition, then the reset.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from attrs import frozen

from snn_kernel.network import Neuron

Reset = Literal["value", "subtract"]
Fires = Literal["above", "at"]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "IF": ("r", "v_threshold", "v_reset"),
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
}


@frozen
class Dynamics:
    """The parameters of NIR's IF (`tau` None) or LIF, equal for all neurons of a population.

    IF: dv/dt = r·I. LIF: tau·dv/dt = (v_leak - v) + r·I. A neuron spikes where v > v_threshold,
    and then v = v_reset. One step of forward Euler is

    - IF: u = v + dt·r·I
    - LIF: u = v + dt/tau·((v_leak - v) + r·I)

    which is the normal form u = decay·v + gain·I + bias of a document with decay = 1 - dt/tau,
    gain = r·dt/tau, bias = v_leak·dt/tau; for an IF decay = 1, gain = r·dt, bias = 0.

    tau in seconds; all values are float32, as those of a document are in execution.
    """

    r: float
    v_threshold: float
    v_reset: float = 0.0
    tau: float | None = None
    v_leak: float = 0.0

    @classmethod
    def of(cls, neuron: Neuron, dt: float) -> Dynamics:
        """Those whose steps are the neuron's; it must have no `obstacles`.

        A document's neuron spikes where u ≥ threshold. In float32 that is where u is greater than
        the next smaller number, so this is v_threshold.
        """
        below = np.nextafter(np.float32(neuron.threshold), np.float32(-np.inf))
        reset = neuron.value if neuron.reset == "value" else 0.0
        tau, r, leak = None, neuron.gain / dt, 0.0
        match neuron.charge:
            case "lif":
                tau, r, leak = neuron.tau * dt, 1.0, neuron.rest
            case "lif_undecayed":
                tau, r, leak = neuron.tau * dt, neuron.tau, neuron.rest
            case "normal" if neuron.decay != 1:
                rate = 1 - neuron.decay
                tau, r, leak = dt / rate, neuron.gain / rate, neuron.bias / rate
        time = None if tau is None else single(tau)
        return cls(single(r), float(below), single(reset), time, single(leak))

    def neuron(self, name: str, dt: float, reset: Reset, fires: Fires) -> Neuron:
        """The neuron whose steps these are.

        `reset` "subtract": v_threshold is taken off in the place of a v_reset. `fires` "above":
        where v > v_threshold, as NIR has it; "at": where v ≥ v_threshold. It starts at v_reset, or
        at 0 if that is not used. Where r = 1 (or tau/dt) the order of operations is SpikingJelly's.
        """
        threshold = np.float32(self.v_threshold)
        if fires == "above":
            threshold = np.nextafter(threshold, np.float32(np.inf))
        value = self.v_reset if reset == "value" else 0.0
        common: dict[str, Any] = {"reset": reset, "value": value, "start": value}
        common |= {"name": name, "threshold": float(threshold)}
        if self.tau is None:
            return Neuron(gain=single(self.r * dt), **common)
        tau = single(self.tau / dt)
        if self.r in (1.0, tau):
            charge: Any = "lif" if self.r == 1 else "lif_undecayed"
            return Neuron(charge=charge, tau=tau, rest=self.v_leak, **common)
        rate = dt / self.tau
        decay, gain, bias = map(single, (1 - rate, self.r * rate, self.v_leak * rate))
        return Neuron(decay=decay, gain=gain, bias=bias, **common)

    @property
    def primitive(self) -> Literal["IF", "LIF"]:
        """The name of NIR's node."""
        return "IF" if self.tau is None else "LIF"

    def arrays(self, shape: tuple[int, ...]) -> Mapping[str, Any]:
        """The fields of NIR's node for a population of `shape`."""
        names = FIELDS[self.primitive]
        return {name: np.full(shape, getattr(self, name), np.float32) for name in names}

    def faults(self, dt: float) -> Iterator[str]:
        """Why no neuron of a document has these dynamics in steps of `dt`."""
        for name in FIELDS[self.primitive]:
            if not math.isfinite(value := getattr(self, name)):
                yield f"its {name} is {value}"
        if self.tau is not None and single(self.tau / dt) < 1:
            yield f"its tau of {self.tau:g} s is shorter than a timestep of {dt:g} s"


def obstacles(neuron: Neuron) -> Iterator[str]:
    """Why no IF and no LIF of NIR has the steps of `neuron`."""
    if neuron.charge != "normal":
        if neuron.tau < 1:
            yield f"its tau of {neuron.tau:g} timesteps is shorter than one"
    elif not 0 <= neuron.decay <= 1:
        yield f"its decay {neuron.decay:g} is that of no time constant (0 to 1)"
    elif neuron.decay == 1 and neuron.bias:
        yield f"it gains {neuron.bias:g} at every timestep, and NIR's IF has no constant current"


def single(value: float) -> float:
    """The nearest number that float32 has, infinite beyond them."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))
