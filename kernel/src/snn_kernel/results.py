"""What a run makes: measures, activity, predictions and all that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from snn_kernel.errors import DataError, Fault
from snn_network import Activity, Agreement, Network, Prediction, equal
from snn_network import agree as agree


@frozen
class Measure:
    """One number with its unit and its provenance."""

    name: str
    value: float
    unit: str
    how: Literal["counted", "estimated", "measured"]
    per: Literal["sample", "step", "run"]
    source: str

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.value, int | float):
            raise DataError(f"measure '{self.name}' is {self.value!r:.40}, no number of Python's")


@frozen
class Table:
    """Rows of text and numbers (all in `unit`), kept as CSV; a terminal shows columns `brief`."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    unit: str = ""
    source: str = ""
    brief: tuple[str, ...] = ()


@frozen
class Epoch:
    """One epoch of training: its number from 1, its seconds, and measures such as train_loss."""

    number: int
    seconds: float
    measures: Mapping[str, float]


@frozen
class Trained:
    """A model after training (opaque to the kernel), and how it came about."""

    model: Any
    history: tuple[Epoch, ...] = ()
    measures: tuple[Measure, ...] = ()


@frozen
class Outcome:
    """What one postprocessing adds, and nothing else; the kernel folds it into Processed.

    A `model` other than None replaces the old one; `suffix` is added to the name.
    """

    measures: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()
    model: Any = None
    suffix: str = ""


@frozen
class Processed:
    """A trained model with all that is known of it: `network`, and on the test set `prediction` and
    `activity`. If the model cannot be lowered, `network` is None, and `obstacle` says why;
    `section` is its [[model]], `training` how it was trained."""

    name: str
    model: Any
    trained: Trained
    section: Any = None
    training: Any = None
    network: Network | None = None
    obstacle: str = ""
    prediction: Prediction | None = None
    activity: tuple[Activity, ...] = ()
    agreement: Agreement | None = None
    measures: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()

    def fold(self, outcome: Outcome) -> Processed:
        """With what `outcome` adds."""
        model = self.model if outcome.model is None else outcome.model
        name, tables = self.name + outcome.suffix, (*self.tables, *outcome.tables)
        measures = (*self.measures, *outcome.measures)
        return evolve(self, name=name, model=model, measures=measures, tables=tables)


@frozen
class Deployed:
    """What a deployer made: files, and, if it ran the network, its prediction and measures."""

    target: str
    files: Mapping[str, Path] = field(factory=dict)
    prediction: Prediction | None = None
    measures: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()
    samples: int | None = None  # how many it ran, where no prediction tells


@frozen
class ModelReport:
    """One model of one run, whole; `labels` are those of the test set."""

    model: str
    run: int
    processed: Processed
    labels: NDArray[np.int64] = field(eq=equal)
    folder: Path
    deployed: tuple[Deployed, ...] = ()
    agreement: Agreement | None = None
    files: Mapping[str, Path] = field(factory=dict)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Every measure, of training, postprocessing and deployment."""
        return self.processed.measures + tuple(m for d in self.deployed for m in d.measures)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table, the history of the training first."""
        epochs = self.processed.trained.history
        names = tuple(dict.fromkeys(n for e in epochs for n in e.measures))
        rows = tuple((e.number, e.seconds, *(e.measures.get(n) for n in names)) for e in epochs)
        history = (Table("history", ("epoch", "seconds", *names), rows),) if rows else ()
        return (*history, *self.processed.tables, *(t for d in self.deployed for t in d.tables))


@frozen
class Report:
    """Everything one invocation made, of each model and run; `faults`: what could not show it."""

    name: str
    folder: Path
    document: Mapping[str, Any]
    versions: Mapping[str, str]
    runs: tuple[ModelReport, ...]
    files: Mapping[str, Path] = field(factory=dict)
    faults: tuple[Fault, ...] = ()
