"""A framework and a model in numpy alone: what others are checked with where no other is given."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar
from zipfile import BadZipFile

import numpy as np
from attrs import define, field, frozen
from attrs.validators import ge
from numpy.typing import NDArray

from snn_kernel.errors import DataError
from snn_kernel.kinds import Context, Shapes, Training
from snn_kernel.record import write_atomic
from snn_kernel.results import Epoch, Measure, Trained
from snn_kernel.signals import Samples, Splits
from snn_network import (
    INPUT,
    Activity,
    Flatten,
    Format,
    Linear,
    Network,
    Neuron,
    Prediction,
    Tally,
)

Array = NDArray[np.float32]
WEIGHTS, INPUTS = Format(8, 6), Format(8, 4)  # grids on which no sum is rounded


@define
class PlainModel:
    """Weights of a hidden layer [units, inputs] and of a readout [classes, units]."""

    shape: tuple[int, ...]
    timesteps: int
    hidden: Array
    readout: Array


@frozen
class PlainPerceptron:
    """Integrate-and-fire neurons with random weights, and a linear readout, which is learnt.

    units: neurons in the hidden layer, at least 1 (default 16).
    timesteps: how many timesteps a sample is shown, at least 1 (default 4).
    """

    units: int = field(default=16, validator=ge(1))
    timesteps: int = field(default=4, validator=ge(1))

    def build(self, shapes: Shapes, session: Any) -> PlainModel:
        """A model with random weights."""
        rng, inputs = np.random.default_rng(session.context.seed), int(np.prod(shapes.input))
        hidden = rng.normal(0, 2 / np.sqrt(inputs), (self.units, inputs))
        readout = rng.normal(0, 0.5, (*shapes.output, self.units))
        shape = (shapes.input[-1], *shapes.input[:-1])
        return PlainModel(shape, self.timesteps, WEIGHTS.apply(hidden), WEIGHTS.apply(readout))


@frozen
class PlainFramework:
    """Trains PlainPerceptron in numpy: the readout by least squares on the neurons' spikes."""

    spiking: ClassVar[bool] = True

    def open(self, context: Context) -> PlainSession:
        """A session with the seed of `context`."""
        return PlainSession(context)


@frozen
class PlainSession:
    """PlainFramework, opened."""

    context: Context

    def train(self, model: Any, splits: Splits, training: Training) -> Trained:
        """Fit the readout once in every epoch."""
        train, history = splits.samples("train"), []
        for number in range(1, training.epochs * training.fit + 1):
            rates = self._spikes(model, train).mean(axis=1)
            wanted = np.eye(splits.classes, dtype=np.float32)[train.y]
            model.readout = WEIGHTS.apply(np.linalg.lstsq(rates, wanted, rcond=0.1)[0].T)
            loss = float(np.mean((rates @ model.readout.T - wanted) ** 2))
            history.append(Epoch(number, 0.0, {"train_loss": loss}))
        return Trained(model, tuple(history))

    def predict(self, model: Any, samples: Samples) -> Prediction:
        """Logits and spikes, in the order of the samples."""
        spikes = self._spikes(model, samples)
        logits = (spikes @ model.readout.T).sum(axis=1) / np.float32(model.timesteps)
        packed = np.packbits(spikes.astype(bool), axis=2)
        return Prediction(logits, {"neuron": packed}, {"neuron": spikes.shape[2]})

    def score(self, prediction: Prediction, y: NDArray[np.int64]) -> tuple[Measure, ...]:
        """The mean squared error against one-hot labels."""
        wanted = np.eye(prediction.logits.shape[1])[y]
        error = float(np.mean((prediction.logits - wanted) ** 2))
        return (Measure("mse", error, "", "counted", "run", "test"),)

    def activity(self, model: Any, samples: Samples) -> tuple[Activity, ...]:
        """What went in and out of every layer, counted."""
        x, spikes = self._inputs(samples), self._spikes(model, samples)
        shown = np.repeat(x[:, None], model.timesteps, axis=1)
        charges, logits = shown @ model.hidden.T, spikes @ model.readout.T
        flow = (shown, shown, charges, spikes, logits)
        names = (layer.name for layer in self.lower(model).layers)
        ends = zip(names, pairwise(map(_tally, flow)), strict=True)
        steps = (len(samples), model.timesteps)
        return tuple(Activity(name, *tallies, *steps) for name, tallies in ends)

    def lower(self, model: Any) -> Network:
        """The model as a document."""
        layers = (
            Flatten("flatten"),
            Linear("hidden", model.hidden, None),
            Neuron("neuron", 1.0),
            Linear("readout", model.readout, None),
        )
        names = (INPUT, *(layer.name for layer in layers))
        edges = tuple(pairwise(names))
        return Network(layers, edges, model.shape, model.timesteps, input_format=INPUTS)

    def save(self, model: Any, path: Path) -> None:
        """Both weights."""
        buffer = io.BytesIO()
        np.savez(buffer, hidden=model.hidden, readout=model.readout)
        write_atomic(path, buffer.getvalue())

    def load(self, model: Any, path: Path) -> None:
        """Weights from `save`; DataError where they are not there or do not fit."""
        try:
            with np.load(path, allow_pickle=False) as found:
                kept = {name: found[name] for name in ("hidden", "readout")}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(f"{path} holds no weights: {error}") from None
        for name, weight in kept.items():
            if weight.shape != getattr(model, name).shape:
                raise DataError(f"{path}: {name} has shape {weight.shape}")
            setattr(model, name, weight.astype(np.float32))

    def _inputs(self, samples: Samples) -> Array:
        x = samples.channels_first()
        return INPUTS.apply(x.reshape(len(x), -1))

    def _spikes(self, model: Any, samples: Samples) -> Array:
        """[N, T, units]."""
        return np.stack(list(self._steps(model, self._inputs(samples))), axis=1)

    def _steps(self, model: Any, x: Array) -> Iterator[Array]:
        v = charge = x @ model.hidden.T
        for _ in range(model.timesteps):
            spikes = (v >= 1).astype(np.float32)
            yield spikes
            v = v - spikes + charge


def _tally(values: Array) -> Tally:
    """One tensor [N, T, …], counted."""
    elements, binary = values[0, 0].size, bool(np.isin(values, (0, 1)).all())
    return Tally(elements, int(np.count_nonzero(values)), float(values.sum()), binary)
