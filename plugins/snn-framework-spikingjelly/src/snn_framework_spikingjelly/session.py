"""An opened framework: trains, predicts, counts and lowers spiking models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import field, frozen
from numpy.typing import NDArray
from spikingjelly.activation_based import base, functional
from torch import Tensor

from snn_framework_spikingjelly import weights
from snn_framework_spikingjelly.counting import Counter, neurons
from snn_framework_spikingjelly.exact import BITS, input_format, spare_bits
from snn_framework_spikingjelly.framework import SpikingJelly
from snn_framework_spikingjelly.lowered import lowered
from snn_framework_spikingjelly.lowering import Lowered, lower
from snn_framework_spikingjelly.metrics import confusion, scores
from snn_framework_spikingjelly.observed import evaluated, observe
from snn_framework_spikingjelly.rollout import Rollout, readout
from snn_framework_spikingjelly.threads import WORK, threads
from snn_framework_spikingjelly.training import Fit, examine
from snn_kernel import (
    Activity,
    Context,
    Measure,
    NetworkError,
    Prediction,
    Samples,
    Splits,
    Trained,
    Training,
    write_atomic,
)
from snn_kernel.network import Format, Network

BATCH = 128  # samples at a time when a network is run


@frozen
class Session:
    """SpikingJelly, opened with one seed. Models are torch modules, SNN or alike.

    Models are trained on `device`, and run on the CPU, where sums are exact (see exact.py).
    """

    framework: SpikingJelly
    context: Context
    device: torch.device
    _said: set[str] = field(factory=set)
    _begun: list[Training] = field(factory=list)

    @classmethod
    def open(cls, framework: SpikingJelly, context: Context) -> Session:
        """Seed torch and make it deterministic."""
        torch.manual_seed(context.seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling new memory would cost time and change no result.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        cuda = framework.accelerator != "cpu" and torch.cuda.is_available()
        index = framework.devices[0] if isinstance(framework.devices, tuple) else 0
        return cls(framework, context, torch.device("cuda", index) if cuda else torch.device("cpu"))

    @property
    def multi_step(self) -> bool:
        """Whether models take all timesteps in one call."""
        return self.framework.multi_step

    def train(self, model: Any, splits: Splits, training: Training) -> Trained:
        """Fit on splits.train, validate on splits.valid if it is there.

        With no epochs nothing is fitted. The grid for inputs is found in the training set.
        Augmentations get x [N, …, C] and y [N] as numpy arrays, with a seed for each batch.
        Raises DataError where data and model do not fit, RunError where the loss is no number.
        """
        train = splits.samples("train")
        valid = splits.samples("valid") if splits.valid else None
        examine(model, train, "train", self.framework.timed)
        if valid:
            examine(model, valid, "valid", self.framework.timed)
        if training.epochs or getattr(model, "input_format", None) is None:
            model.input_format = self._format(model, train, training)
        self._begun.append(training)
        made_of = (model, train, valid, training, len(self._begun))
        fit = Fit(self.framework, self.context, self.device, *made_of)
        with threads(self._work(model, training.batch_size * model.timesteps)):
            history = tuple(fit.epochs())
        model.eval()
        if training.epochs or not getattr(model, "seen", None):
            observe(model, self.framework, evaluated(model, train, training, self.context))
        return Trained(model, history, tuple(_measures(model, history)))

    def predict(self, model: Any, samples: Samples) -> Prediction:
        """Logits and spikes of every neuron layer, in the order of the samples.

        The model computes with the numbers of its network document, if it can be lowered.
        """
        try:
            found = lower(model, self.framework.timed)
        except NetworkError:
            found = None
        names = list(neurons(found.network)) if found else list(_spiking(model))
        logits, packed, counts = [], {name: list[NDArray[np.uint8]]() for name in names}, {}
        with _listening(model, names) as heard, lowered(model, found) if found else nullcontext():
            quantised = found is not None and found.network.quantised
            for outputs in self._run(model, samples, _layout(model, found)):
                logits.append(readout(outputs, quantised).numpy())
                for name in names:
                    spikes = _spikes(heard[name], self.multi_step)
                    counts[name] = spikes.shape[2]
                    packed[name].append(np.packbits(spikes, axis=2))
                    heard[name].clear()
        return Prediction(
            np.concatenate(logits), {n: np.concatenate(p) for n, p in packed.items()}, counts
        )

    def score(self, prediction: Prediction, y: NDArray[np.int64]) -> tuple[Measure, ...]:
        """The framework's metrics on the test set, accuracy aside; confusion.csv if asked for."""
        if self.framework.enable_confusion_matrix:
            rows = confusion(prediction.logits, y)
            text = "label," + ",".join(f"predicted_{k}" for k in range(rows.shape[1])) + "\n"
            text += "".join(f"{k},{','.join(map(str, row))}\n" for k, row in enumerate(rows))
            write_atomic(self.context.folder / "confusion.csv", text)
        names = [name for name in self.framework.metrics if name != "acc"]
        found = scores(names, prediction.logits, y)
        return tuple(Measure(k, v, "", "counted", "run", "test") for k, v in found.items())

    def activity(self, model: Any, samples: Samples) -> tuple[Activity, ...]:
        """What went in and out of every layer of the lowered network, counted over `samples`."""
        found = lower(model, self.framework.timed)
        counter = Counter(found)
        with lowered(model, found):
            for _ in self._run(model, samples, _layout(model, found), counter):
                pass
        return counter.activities(len(samples))

    def lower(self, model: Any) -> Network:
        """The model as a document; NetworkError names what cannot be expressed."""
        return lower(model, self.framework.timed).network

    def save(self, model: Any, path: Path) -> None:
        """Weights as safetensors, atomically."""
        weights.save(model, path)

    def load(self, model: Any, path: Path) -> None:
        """Weights from `save`; DataError names every key and shape that does not fit."""
        weights.load(model, path)

    def _format(self, model: Any, train: Samples, training: Training) -> Format:
        """The grid of `train` as the model is evaluated on it."""
        model.input_format = None
        try:
            spare = spare_bits(lower(model, self.framework.timed).network)
        except NetworkError:
            spare = 0
        x = evaluated(model, train, training, self.context)
        return input_format(x, BITS["float32"] - spare)

    def _run(
        self,
        model: Any,
        samples: Samples,
        layout: Format | None,
        call: Callable[..., Tensor] | None = None,
    ) -> Iterator[Tensor]:
        """Outputs [T, n, K] batch by batch, inputs on the grid `layout`, neurons left reset."""
        examine(model, samples, "test", self.framework.timed)
        rollout = Rollout(self.multi_step, self.framework.timed)
        x = self._gridded(samples.channels_first(), layout)
        model.eval()
        work = self._work(model, BATCH * (model.timesteps if self.multi_step else 1))
        try:
            for start in range(0, len(x), BATCH):
                with torch.inference_mode(), threads(work):
                    part = torch.from_numpy(x[start : start + BATCH])
                    outputs = rollout(model, part, model.timesteps, call)
                yield outputs
        finally:
            functional.reset_net(model)

    def _work(self, model: Any, batch: int) -> int:
        """How many numbers the largest tensor of a batch holds, going by the document."""
        try:
            network = lower(model, self.framework.timed).network
        except NetworkError:
            return WORK
        return batch * max(map(math.prod, network.shapes.values()))

    def _gridded(self, x: NDArray[np.float32], layout: Format | None) -> NDArray[np.float32]:
        if layout is None:
            return x
        reach = 2.0 ** (layout.bits - 1 - layout.fraction)
        if beyond := int(np.count_nonzero((x < -reach) | (x >= reach))):
            text = (
                f"{beyond} inputs lie beyond ±{reach:g}, the training set's range, and are clipped"
            )
            if text not in self._said:
                self._said.add(text)
                self.context.warn(text)
        return layout.apply(x)


def _layout(model: Any, found: Lowered | None) -> Format | None:
    """The grid that inputs are put on when a model is run."""
    return found.network.input_format if found else getattr(model, "input_format", None)


def _measures(model: Any, history: Any) -> Iterator[Measure]:
    count = sum(p.numel() for p in model.parameters())
    yield Measure("parameters", count, "", "counted", "run", "model")
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    yield Measure("parameters_trainable", trainable, "", "counted", "run", "model")
    seconds = sum(epoch.seconds for epoch in history)
    yield Measure("train_time", seconds, "s", "measured", "run", "train")


def _spiking(model: Any) -> Iterator[str]:
    for name, module in model.named_modules():
        if isinstance(module, base.MemoryModule) and hasattr(module, "surrogate_function"):
            yield name


@contextmanager
def _listening(model: Any, names: list[str]) -> Iterator[dict[str, list[Tensor]]]:
    """What the modules `names` put out, call by call."""
    heard: dict[str, list[Tensor]] = {name: [] for name in names}
    hooks = [
        model.get_submodule(name).register_forward_hook(
            lambda _module, _args, out, name=name: heard[name].append(out)
        )
        for name in names
    ]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _spikes(outputs: list[Tensor], multi_step: bool) -> NDArray[np.bool_]:
    """Whether each neuron fired, [n, T, neurons], from outputs [T, n, …] or T times [n, …]."""
    steps = outputs[0] if multi_step else torch.stack(outputs)
    fired: NDArray[np.bool_] = (steps != 0).flatten(2).transpose(0, 1).numpy()
    return fired
