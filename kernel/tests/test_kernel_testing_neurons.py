"""Neurons that are wrong on purpose: each is caught by the check meant for it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs
import numpy as np
import pytest
from attrs import evolve, field, frozen
from attrs.validators import gt, in_, le

from snn_kernel import Kind, testing
from snn_kernel.network import Neuron
from snn_kernel.testing.neurons import SAMPLES
from snn_kernel.testing.variants import variants
from toys import Entry, plugin
from verdicts import broken, tells

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("cheap")


@frozen
class Law:
    """What the wrong neurons are but for one thing: integrate and fire with a soft reset."""

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = 0 * current if state is None else state
        u = u + current
        spikes = fire(u, 1.0)
        return u - spikes, spikes


class InPlace(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = 0 * current if state is None else state
        u += current.detach() if hasattr(current, "detach") else current
        return Law.step(self, u - current, current, fire)


class Greedy(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        made = Law.step(self, state, current, fire)
        if not hasattr(current, "detach"):
            current *= 1
            current -= 1
        return made


HABIT: list[int] = []


class Habitual(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        HABIT.append(len(current))
        return Law.step(self, state, current + 0.002 * min(len(HABIT), 1000), fire)


class Crowd(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        return Law.step(self, state, current - current.mean(-1)[..., None], fire)


class Batch(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        return Law.step(self, state, current - 0.5 * len(current), fire)


class Blunt(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        def blunt(u: Any, threshold: Any) -> Any:
            made = u >= threshold
            return made.to(u.dtype) if hasattr(made, "to") else made.astype(u.dtype)

        return Law.step(self, state, current, blunt)


class Explosive(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        return Law.step(self, None if state is None else 1.1 * state, current, fire)


class Wide(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        first = torch.zeros if hasattr(current, "detach") else np.zeros
        return Law.step(self, first(current.shape) if state is None else state, current, fire)


class Silent(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        return Law.step(self, state, current - 1000, fire)


class Other(Law):
    def lower(self) -> Neuron:
        return Neuron("", 1.0, decay=0.99)


class Node(torch.nn.Module):  # type: ignore[misc]
    """The law as a torch module, which fires at `threshold`, or strictly above it."""

    def __init__(self, threshold: float = 1.0, ahead: bool = False, above: bool = False) -> None:
        super().__init__()
        self.threshold, self.ahead, self.above, self.step_mode = threshold, ahead, above, "s"
        self.reset()

    def reset(self) -> None:
        self.v = None

    def surrogate_function(self, x: Any) -> Any:
        soft = torch.sigmoid(4 * x)
        hard = (x > 0 if self.above else x >= 0).to(x.dtype)
        return soft + (hard - soft).detach()

    def forward(self, x: Any) -> Any:
        if self.step_mode == "m":
            peek = 0.01 * x.mean(0) if self.ahead else 0
            self.step_mode = "s"
            made = torch.stack([self(current + peek) for current in x])
            self.step_mode = "m"
            return made
        law = Law()
        self.v, spikes = law.step(
            self.v, x, lambda u, _: self.surrogate_function(u - self.threshold)
        )
        return spikes


class Late(Law):
    def module(self, context: Any) -> Any:
        return Node(threshold=1.05)


class Clairvoyant(Law):
    def module(self, context: Any) -> Any:
        return Node(ahead=True)


class Swapped(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = current if state is None else state + current
        spikes = fire(u, 1.0)
        return spikes, u - spikes


class Graded(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = current if state is None else state + current
        spikes = fire(u, 1.0)
        return u - spikes, spikes * u


class Signed(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = current if state is None else state + current
        spikes = fire(u, 1.0) - fire(-u, 1.0)
        return u - spikes, spikes


class Flat(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        _samples, _channels = current.shape
        return Law.step(self, state, current, fire)


class Channelled(Law):
    """Takes the last axis for that of the channels."""

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        raised = 1 * current
        raised[..., 0] = raised[..., 0] + 0.5
        return Law.step(self, state, raised, fire)


class Full(Law):
    """Looks at the first sample, in large batches only."""

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        first = current[:1] if len(current) > SAMPLES else 0
        return Law.step(self, state, current + first, fire)


class Forked(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        decay = 0.5 if hasattr(current, "detach") else 0.9
        return Law.step(self, None if state is None else decay * state, current, fire)


class Numeric(Law):
    """Gives arrays for tensors."""

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        state, spikes = Law.step(self, state, current, fire)
        return state, np.asarray(spikes) if hasattr(spikes, "detach") else spikes


class Ending(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        raise SystemExit("bye")


class Rhythmic(Law):
    """Has a rhythm of its own, which goes on whoever asks."""

    period: ClassVar[int] = 2
    beat: ClassVar[int] = 0

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        Rhythmic.beat += 1
        first = self.beat % self.period == 0
        return Law.step(self, state, current + 0.25 * first, fire)


@frozen
class Parametric:
    """One whose normal form forgets a parameter, that of the name in `forgets`."""

    forgets: ClassVar[str] = ""

    threshold: float = field(default=1.0, validator=gt(0))
    decay: float = field(default=1.0, validator=le(1))
    bias: float = 0.0
    delay: int = field(default=0, validator=in_((0,)))
    double: bool = False
    reset: Literal["subtract", "value"] = field(
        default="subtract", validator=in_(("subtract", "value"))
    )

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        v = 0 * current if state is None else state
        u = self.decay * v + self.gain * current + self.bias
        spikes = fire(u, self.threshold)
        if self.reset == "value":
            return (1 - spikes) * u, spikes
        return u - spikes * self.threshold, spikes

    def lower(self) -> Neuron:
        kept = {self.forgets: getattr(Parametric(), self.forgets)} if self.forgets else {}
        seen = evolve(self, **kept)
        numbers = {"decay": seen.decay, "gain": seen.gain, "bias": seen.bias}
        return Neuron("", seen.threshold, reset=seen.reset, **numbers)

    @property
    def gain(self) -> float:
        """Of the input."""
        return 2.0 if self.double else 1.0


NEURONS = [
    (InPlace, "arguments stay"),
    (Greedy, "arguments stay"),
    (Habitual, "same twice"),
    (Crowd, "neurons are independent"),
    (Batch, "batches can be split"),
    (Blunt, "gradient reaches the current"),
    (Explosive, "silence is stable"),
    (Wide, "precisions agree"),
    (Silent, "step answers"),
    (Other, "lower is step"),
    (Late, "module is step"),
    (Clairvoyant, "it is causal"),
    (Swapped, "outputs are spikes"),
    (Graded, "outputs are spikes"),
    (Signed, "outputs are spikes"),
    (Flat, "any shape"),
    (Channelled, "any shape"),
    (Full, "any shape"),
    (Forked, "torch is numpy"),
    (Numeric, "torch is numpy"),
    (Ending, "step answers"),
]
# What a fault cannot help breaking as well.
ALSO = {
    "Clairvoyant": {"module is step"},
    "InPlace": {"gradient reaches the current"},
    "Numeric": {"gradient reaches the current"},
    "Crowd": {"any shape"},
    "Batch": {"any shape"},
    "Habitual": {
        *("any shape", "it is causal", "batches can be split", "neurons are independent"),
        *("torch is numpy", "precisions agree"),
    },
    "Greedy": {
        *("any shape", "same twice", "it is causal", "precisions agree", "batches can be split"),
        "torch is numpy",
    },
}


@pytest.mark.parametrize(("law", "meant"), NEURONS, ids=lambda x: getattr(x, "__name__", ""))
def test_wrong_neurons_are_caught(law: type, meant: str) -> None:
    HABIT.clear()
    found = broken(testing.check_neuron, frozen(law))
    assert meant in found
    assert found.keys() <= {meant} | ALSO.get(law.__name__, set()), found
    assert tells(found[meant]), found[meant]


@pytest.mark.parametrize("period", [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 24])
def test_no_rhythm_of_its_own_passes(period: int) -> None:
    rhythm = type("Rhythm", (Rhythmic,), {"period": period})
    assert "same twice" in broken(testing.check_neuron, frozen(rhythm))


@pytest.mark.parametrize("name", ["threshold", "decay", "bias", "double", "reset"])
def test_a_normal_form_that_forgets_a_parameter_is_caught(name: str) -> None:
    forgetful = frozen(type("Forgetful", (Parametric,), {"forgets": name}))
    found = broken(testing.check_neuron, forgetful)
    assert found.keys() == {"lower is step"}
    assert found["lower is step"].startswith(f"with {name} = ")
    assert tells(found["lower is step"])


def test_variants_are_what_validators_allow() -> None:
    testing.check_neuron(Parametric)
    made = dict(variants(attrs.resolve_types(Parametric)()))
    assert list(made) == [
        *("threshold = 1.25", "decay = 0.75", "bias = 0.25", "double = True", "reset = 'value'")
    ]
    assert made["decay = 0.75"] == Parametric(decay=0.75)


class Unbound(Law):
    """Never resets; nothing says that a neuron must."""

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = current if state is None else state + current
        return u, fire(u, 1.0)


def test_a_neuron_need_not_reset() -> None:
    testing.check_neuron(frozen(Unbound))


def test_the_right_neuron_is_not() -> None:
    testing.check_neuron(Law)
    with pytest.raises(AssertionError, match=r"(?s)raised TypeError.*step"):
        testing.check_neuron(frozen(type("Short", (), {"step": lambda self, state: None})))


@frozen
class Tied(Law):
    """Its native form fires above the threshold, its law at it."""

    def module(self, context: Any) -> Any:
        return Node(above=True)

    def lower(self) -> Neuron:
        return Neuron("", 1.0)


def test_a_neuron_that_is_another_in_integers_is_caught(install: Any) -> None:
    quantization = pytest.importorskip("snn_quantization.plugin")
    pytest.importorskip("spikingjelly")
    install(Entry("ties", plugin(neuron=[Kind("Tied", Tied)])), Entry("snn-q", quantization))
    found = broken(testing.check_neuron, Kind("Tied", Tied))
    assert found.keys() == {"module is step", "integers are fake quantisation"}
    assert tells(found["integers are fake quantisation"])
    install(Entry("right", plugin(neuron=[Kind("Tied", Law)])), Entry("snn-q", quantization))
    testing.check_neuron(Kind("Tied", Law))
