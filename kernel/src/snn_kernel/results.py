"""What a run makes: measures, activity, predictions and all that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from snn_kernel.network import Network

_array_eq = attrs.cmp_using(eq=np.array_equal)


@frozen
class Measure:
    """One number with its unit and its provenance."""

    name: str
    value: float
    unit: str
    how: Literal["counted", "estimated", "measured"]
    per: Literal["sample", "step", "run"]
    source: str


@frozen
class Table:
    """Named columns and rows of text and numbers; written as CSV beside the run's other files.

    `unit` is that of every number in it that has no unit in its column's name.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    unit: str = ""
    source: str = ""


@frozen
class Tally:
    """One tensor, counted over a data set: `elements` per sample and timestep, the rest in all."""

    elements: int
    nonzeros: int
    total: float  # the sum of its values: the number of spikes where they are small integers
    binary: bool


@frozen
class Activity:
    """What went into and came out of one layer of a network over a data set."""

    layer: str
    input: Tally
    output: Tally
    samples: int
    timesteps: int

    @property
    def input_rate(self) -> float:
        """Non-zero inputs per element and timestep."""
        return self.input.nonzeros / (self.input.elements * self.samples * self.timesteps)

    @property
    def output_rate(self) -> float:
        """Non-zero outputs (spikes, for a neuron) per element and timestep."""
        return self.output.nonzeros / (self.output.elements * self.samples * self.timesteps)


@frozen
class Prediction:
    """Logits float32 [N, K]; spikes per neuron layer, bits packed as numpy.packbits does along the
    neurons (channel, y, x): uint8 [N, T, ceil(neurons/8)]; `neurons` tells how many bits count."""

    logits: NDArray[np.float32] = field(eq=_array_eq)
    spikes: Mapping[str, NDArray[np.uint8]] = field(factory=dict, eq=False)
    neurons: Mapping[str, int] = field(factory=dict)

    def accuracy(self, y: NDArray[np.int64]) -> float:
        """The share of samples whose first largest logit is at the label."""
        return float(np.mean(self.logits.argmax(axis=1) == y))


@frozen
class Epoch:
    """One epoch of training: its number from 1, its seconds, and measures such as train_loss."""

    number: int
    seconds: float
    measures: Mapping[str, float]


@frozen
class Trained:
    """A model after training: the model itself (opaque to the kernel) and how it came about."""

    model: Any
    history: tuple[Epoch, ...] = ()
    measures: tuple[Measure, ...] = ()


@frozen
class Outcome:
    """What one postprocessing adds, and nothing else; the kernel folds it into Processed.

    A new `model` (None: unchanged) replaces the old one, its `suffix` is added to the name.
    """

    measures: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()
    model: Any = None
    suffix: str = ""


@frozen
class Processed:
    """A trained model with all that is known of it. `network`, `prediction` and `activity` are those
    of `model` on the test set; `network` is None, and `obstacle` says why, if it cannot be lowered."""

    name: str
    model: Any
    trained: Trained
    network: Network | None = None
    obstacle: str = ""
    prediction: Prediction | None = None
    activity: tuple[Activity, ...] = ()
    measures: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()

    def fold(self, outcome: Outcome) -> Processed:
        """With what `outcome` adds."""
        return evolve(
            self,
            name=self.name + outcome.suffix,
            model=self.model if outcome.model is None else outcome.model,
            measures=self.measures + outcome.measures,
            tables=self.tables + outcome.tables,
        )


@frozen
class Agreement:
    """Spikes and logits of a deployed network against the framework's, element by element.

    `first` names the first difference: layer, sample, timestep, neuron.
    """

    compared: int
    differing: int
    first: str = ""
    samples: int = 0


@frozen
class Deployed:
    """What a deployer made: files, and, if it ran the network, its prediction and measures."""

    target: str
    files: Mapping[str, Path] = field(factory=dict)
    prediction: Prediction | None = None
    measures: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()


@frozen
class ModelReport:
    """One model of one run, whole."""

    model: str
    run: int
    processed: Processed
    labels: NDArray[np.int64] = field(eq=_array_eq)
    folder: Path
    deployed: tuple[Deployed, ...] = ()
    agreement: Agreement | None = None
    files: Mapping[str, Path] = field(factory=dict)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Every measure, of training, postprocessing and deployment."""
        return self.processed.measures + tuple(m for d in self.deployed for m in d.measures)


@frozen
class Report:
    """Everything one invocation made: the plan's document and a report per model and run."""

    name: str
    folder: Path
    document: Mapping[str, Any]
    versions: Mapping[str, str]
    runs: tuple[ModelReport, ...]
    files: Mapping[str, Path] = field(factory=dict)


def agree(ours: Prediction, theirs: Prediction) -> Agreement:
    """Compare spike for spike, and logits bit for bit (a NaN agrees with nothing)."""
    differing, compared, first = 0, 0, ""
    for layer, expected in ours.spikes.items():
        bits, found = ours.neurons[layer], theirs.spikes.get(layer)
        compared += expected.shape[0] * expected.shape[1] * bits
        if found is None or found.shape != expected.shape:
            differing += expected.shape[0] * expected.shape[1] * bits
            first = first or f"layer {layer}: no spikes of shape {expected.shape}"
        elif not np.array_equal(found, expected):
            other = expected ^ found
            differing += int(np.bitwise_count(other).sum(dtype=np.int64))
            sample, step, byte = np.argwhere(other)[0]
            neuron = 8 * byte + np.unpackbits(other[sample, step, byte : byte + 1]).argmax()
            first = first or f"layer {layer}, sample {sample}, timestep {step}, neuron {neuron}"
    compared += ours.logits.size
    if ours.logits.shape != theirs.logits.shape:
        return Agreement(compared, differing + ours.logits.size, first or "logits: shapes differ")
    if len(where := np.argwhere(~(ours.logits == theirs.logits))):
        differing += len(where)
        first = first or f"logits, sample {where[0][0]}, class {where[0][1]}"
    return Agreement(compared, differing, first, len(ours.logits))
