"""What a kind is, who offers it, and what its verbs are lent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from snn_kernel.network import Network
    from snn_kernel.results import Activity, Prediction, Trained
    from snn_kernel.signals import Samples, Splits


@frozen
class Kind:
    """A name in the TOML file and the attrs class that answers to it.

    The class's fields are the keys of its `params` table, its validators check them, its docstring
    documents it, its verb (see hookspecs) is its behaviour. An optional `check(plan, place)` yields
    what of the whole plan it cannot live with. `needs` are modules it imports when it acts.
    """

    name: str
    config: type
    needs: tuple[str, ...] = ()


@frozen
class Offer:
    """A kind as one installed plugin offers it for one slot."""

    slot: str
    kind: Kind
    plugin: str
    version: str

    def __str__(self) -> str:
        return f"{self.slot} '{self.kind.name}' from {self.plugin} {self.version}"


@frozen
class Shapes:
    """What a model is built for: channels-last shape of one sample at one timestep, and classes."""

    input: tuple[int, ...]
    output: tuple[int, ...]
    timesteps: int | None = None  # how many are in the data, None if none are


def _silent(*_: Any) -> None:
    return None


@frozen
class Context:
    """What a verb is lent: its seed, its folder for files, where downloads are kept, its voice."""

    seed: int
    folder: Path
    cache: Path
    progress: Callable[[str, int, int, Mapping[str, float]], None] = _silent
    warn: Callable[[str], None] = _silent


@frozen
class Training:
    """How to train one model: what stands beside `params` in its section, and the augmentations."""

    epochs: int
    batch_size: int
    optimizer: Any = None  # plan.Optimizer or None
    augmentations: tuple[Any, ...] = ()


class Session(Protocol):
    """An opened framework. Models are opaque to everybody else; it alone looks inside."""

    def train(self, model: Any, splits: Splits, training: Training) -> Trained:
        """Fit on splits.train (not at all if epochs is 0); validate on splits.valid if there."""

    def predict(self, model: Any, samples: Samples) -> Prediction:
        """Logits and spikes of every neuron layer, in the order of the samples."""

    def activity(self, model: Any, samples: Samples) -> tuple[Activity, ...]:
        """What went in and out of every layer of the lowered network, counted."""

    def lower(self, model: Any) -> Network:
        """The model as a document; NetworkError names what cannot be expressed."""

    def save(self, model: Any, path: Path) -> None:
        """Weights as safetensors, atomically."""

    def load(self, model: Any, path: Path) -> None:
        """Weights from `save`; DataError names keys or shapes that do not fit."""


class NeuronLaw(Protocol):
    """A neuron's config object: the law, and optionally `module(context)` and `lower()`."""

    def step(self, state: Any, current: Any, fire: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
        """One timestep: (state, spikes). `state` is None before the first; `fire(u, threshold)` is
        1 where u ≥ threshold, with a surrogate gradient in training. Never changes its arguments."""


def chosen(slot: str, **options: Any) -> Any:
    """A config field holding a table {kind, params} of another slot; its value is that kind's
    config object, checked as if it stood in a section of its own."""
    return field(metadata={"slot": slot}, **options)


