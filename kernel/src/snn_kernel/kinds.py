"""What a kind is, who offers it, who chose it, and what its verbs are lent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve, field, frozen, has

from snn_kernel.errors import Fault, RunError, reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from snn_kernel.results import Measure, Trained
    from snn_kernel.signals import Samples, Splits
    from snn_network import Activity, Network, Prediction


VERBS = {  # the method that makes a class a kind of each slot
    "augmentation": "apply", "catalogue": "kinds", "dataset": "load", "deployer": "deploy",
    "framework": "open", "launcher": "launch", "model": "build", "neuron": "step or module",
    "postprocessing": "apply", "preprocessing": "apply", "report": "write", "tracker": "observe",
}  # fmt: skip


def _attrs_class(kind: Kind, _: Any, value: Any) -> None:
    if not isinstance(value, str) and not (isinstance(value, type) and has(value)):
        raise TypeError(f"kind '{kind.name}' is {value!r:.60}, not an attrs class")


@frozen
class Kind:
    """A name in the TOML file and the attrs class that answers to it.

    The class's fields are the keys of its `params` table, its validators check them, its docstring
    documents it, its verb (see hookspecs) is its behaviour. An optional `check(plan, place)` yields
    what of the whole plan it cannot live with, as strings or Faults; where the file has faults,
    what is wrong is absent from that plan. Where `config` says only where the class is,
    "package.module:Class", that is imported when the kind is first used, not to list it.

    `needs` are modules it imports when it acts, with the distribution to install where that has
    another name ("sklearn:scikit-learn"); `programs` those that it runs where they are installed,
    with the package of the operating system likewise ("node:nodejs").
    """

    name: str
    _config: type | str = field(validator=_attrs_class)
    needs: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    @property
    def config(self) -> type:
        """The class; raises what importing it raises, and TypeError if it is no attrs class."""
        if isinstance(self._config, type):
            return self._config
        return evolve(self, config=resolve_name(self._config)).config


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
class Choice:
    """A kind as one table of a file chose it: where, whose, and its checked config object."""

    place: str
    offer: Offer
    config: Any

    @property
    def kind(self) -> str:
        """The name of the kind."""
        return self.offer.kind.name

    def act(self, due: type, *args: Any) -> Any:
        """What its verb makes of `args`; RunError if that is no `due`, or the program's end."""
        verb, whose = VERBS[self.offer.slot], str(self.offer)
        try:
            made = getattr(self.config, verb)(*args)
        except SystemExit as error:
            raise RunError(Fault(self.place, f"{verb} ends with {reason(error)}", whose)) from error
        if isinstance(made, due):
            return made
        what = f"{verb} returned {type(made).__name__}, not {due.__name__}"
        raise RunError(Fault(self.place, what, whose))


def chosen(slot: str, **options: Any) -> Any:
    """A config field holding a table {kind, params} of another slot; its value is that kind's
    config object, checked as if it stood in a section of its own."""
    return field(metadata={"slot": slot}, **options)


@frozen
class Shapes:
    """What a model is built for: channels-last shape of one sample at one timestep, and classes;
    `timesteps` is how many are in the data, None if none are."""

    input: tuple[int, ...]
    output: tuple[int, ...]
    timesteps: int | None = None


@frozen
class Context:
    """What a verb is lent: its seed, its folder for files, its voice.

    `progress(part, done, total, measures)` tells how far it is, `warn(text)` what users must know.
    """

    seed: int
    folder: Path
    progress: Callable[[str, int, int, Mapping[str, float]], None] = lambda *_: None
    warn: Callable[[str], None] = lambda _: None


@frozen
class Training:
    """How to train a model: what stands beside its `params`, and the augmentations' config objects.
    `optimizer` is a plan.Optimizer or None; if not `fit`, the epochs only show it the samples."""

    epochs: int
    batch_size: int
    optimizer: Any = None
    augmentations: tuple[Any, ...] = ()
    fit: bool = True


class Session(Protocol):
    """An opened framework. Models are opaque to everybody else; it alone looks inside."""

    def train(self, model: Any, splits: Splits, training: Training) -> Trained:
        """Fit on splits.train (not at all if epochs is 0); validate on splits.valid if there."""

    def predict(self, model: Any, samples: Samples) -> Prediction:
        """Logits and spikes of every neuron layer, in the order of the samples."""

    def score(self, prediction: Prediction, y: NDArray[np.int64]) -> tuple[Measure, ...]:
        """The framework's metrics of a prediction on labels `y`, source "test", accuracy aside."""

    def activity(self, model: Any, samples: Samples) -> tuple[Activity, ...]:
        """What went in and out of every layer of the lowered network, counted."""

    def lower(self, model: Any) -> Network:
        """The model as a document; NetworkError names what cannot be expressed."""

    def save(self, model: Any, path: Path) -> None:
        """Weights as safetensors, atomically."""

    def load(self, model: Any, path: Path) -> None:
        """Weights from `save`; DataError names keys or shapes that do not fit."""
