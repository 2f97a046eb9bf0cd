"""Fitting a model to a training set."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import numpy as np
import torch
from attrs import define, evolve
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from snn_framework_spikingjelly import optimizers
from snn_framework_spikingjelly.framework import SpikingJelly
from snn_framework_spikingjelly.metrics import scores
from snn_framework_spikingjelly.rollout import Rollout, readout
from snn_kernel import Context, DataError, Epoch, RunError, Samples, Shapes, Splits, Training

BATCH_VALID = 256  # samples of the validation set at a time


@define
class _Sum:
    """Loss and logits gathered over one pass through a set."""

    loss: float
    logits: list[Tensor]
    labels: list[NDArray[np.int64]]

    def measures(self, prefix: str, names: tuple[str, ...]) -> dict[str, float]:
        y = np.concatenate(self.labels)
        found = scores(names, torch.cat(self.logits).numpy(), y)
        return {f"{prefix}_{k}": v for k, v in {"loss": self.loss / len(y), **found}.items()}


@define
class Fit:
    """One model being fitted; batches are drawn by a generator of its own, seeded by `context`."""

    framework: SpikingJelly
    context: Context
    device: torch.device
    model: Any

    def run(self, splits: Splits, training: Training) -> tuple[Epoch, ...]:
        """All epochs; RunError, naming epoch and batch, where the loss is no number any more."""
        train = splits.samples("train")
        valid = splits.valid and splits.samples("valid")
        model = self.model.to(self.device)
        torch.manual_seed(self.context.seed)
        optimizer, scheduler = optimizers.build(training.optimizer, model.parameters())
        shuffle = np.random.default_rng(self.context.seed)
        names = self._metrics()
        history: list[Epoch] = []
        best: tuple[float, dict[str, Tensor]] | None = None
        for number in range(1, training.epochs + 1):
            start = time.perf_counter()
            order = shuffle.permutation(len(train))
            passed = self._pass(train, order, training, optimizer, number)
            measures = passed.measures("train", names)
            if valid:
                measures |= self._validate(valid).measures("valid", names)
            _advance(scheduler, measures)
            history.append(Epoch(number, time.perf_counter() - start, measures))
            value = self._worth(measures)
            if self.framework.use_best_epoch and (best is None or value > best[0]):
                best = value, copy.deepcopy(model.state_dict())
        if best is not None:
            model.load_state_dict(best[1])
        model.to("cpu")
        return tuple(history)

    def _pass(
        self,
        samples: Samples,
        order: NDArray[np.int64],
        training: Training,
        optimizer: torch.optim.Optimizer,
        epoch: int,
    ) -> _Sum:
        self.model.train()
        batches = math.ceil(len(order) / training.batch_size)
        passed = _Sum(0.0, [], [])
        for batch in range(batches):
            chosen = order[batch * training.batch_size : (batch + 1) * training.batch_size]
            x, y = self._batch(samples, chosen, training, epoch * batches + batch)
            optimizer.zero_grad(set_to_none=True)
            logits = self._logits(x)
            loss = self._loss(logits, y)
            if not math.isfinite(value := loss.item()):
                raise RunError(
                    f"the loss is {value} in epoch {epoch}, batch {batch + 1} of {batches}: lower "
                    "the learning rate, or look for values far out of range in the data"
                )
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            passed.loss += value * len(y)
            passed.logits.append(logits.detach().cpu())
            passed.labels.append(y.argmax(1).numpy() if y.ndim > 1 else y.numpy())
            self._tell(epoch, training.epochs, batch + 1, batches, value)
        return passed

    def _batch(
        self, samples: Samples, index: NDArray[np.int64], training: Training, number: int
    ) -> tuple[Tensor, Tensor]:
        """Augmented samples, channels first, and labels [N] (or [N, K] if they were mixed)."""
        x, y = samples.x[index], samples.y[index]
        known = shapes(samples, self.model)
        for position, augmentation in enumerate(training.augmentations):
            entropy = (self.context.seed, number, position)
            seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
            x, y = augmentation.apply(x, y, evolve(self.context, seed=seed), known)
        x = np.moveaxis(np.asarray(x, np.float32), -1, 2 if samples.timed else 1)
        return torch.from_numpy(np.ascontiguousarray(x)), torch.as_tensor(y)

    @torch.inference_mode()
    def _validate(self, samples: Samples) -> _Sum:
        self.model.eval()
        passed = _Sum(0.0, [], [samples.y])
        x = torch.from_numpy(samples.channels_first())
        for start in range(0, len(samples), BATCH_VALID):
            chosen = slice(start, start + BATCH_VALID)
            y = torch.from_numpy(samples.y[chosen])
            logits = self._logits(x[chosen])
            passed.loss += self._loss(logits, y).item() * len(y)
            passed.logits.append(logits.cpu())
        return passed

    def _logits(self, x: Tensor) -> Tensor:
        rollout = Rollout(self.framework.multi_step, self.framework.timed)
        return readout(rollout(self.model, x.to(self.device), self.model.timesteps))

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        y = y.to(self.device)
        if self.framework.loss == "crossentropy":
            return functional.cross_entropy(logits, y)
        targets = y if y.ndim > 1 else functional.one_hot(y, logits.shape[1])
        return functional.mse_loss(logits, targets.to(logits.dtype))

    def _metrics(self) -> tuple[str, ...]:
        """The metrics asked for, accuracy, and what the best epoch is judged by."""
        judge = self.framework.checkpoint_metric.name.partition("_")[2]
        asked = ("acc", *self.framework.metrics, *([] if judge == "loss" else [judge]))
        return tuple(dict.fromkeys(asked))

    def _worth(self, measures: dict[str, float]) -> float:
        """The checkpoint metric, larger is better; of the training set if there is no other."""
        prefix, _, metric = self.framework.checkpoint_metric.name.partition("_")
        prefix = "train" if prefix == "train" or "valid_loss" not in measures else "valid"
        value = measures[f"{prefix}_{metric}"]
        return value if self.framework.checkpoint_metric.mode == "max" else -value

    def _tell(self, epoch: int, epochs: int, batch: int, batches: int, loss: float) -> None:
        due = batch % self.framework.progress_bar_refresh_rate == 0 or batch == batches
        if self.framework.enable_progress_bar and due:
            done = (epoch - 1) * batches + batch
            self.context.progress("train", done, epochs * batches, {"epoch": epoch, "loss": loss})


def shapes(samples: Samples, model: Any) -> Shapes:
    """What augmentations of `samples` are told of them."""
    timesteps = samples.x.shape[1] if samples.timed else None
    shape = samples.x.shape[2 if samples.timed else 1 :]
    return Shapes(shape, tuple(model.output_shape), timesteps)


def _advance(scheduler: Any, measures: dict[str, float]) -> None:
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(measures.get("valid_loss", measures["train_loss"]))
    elif scheduler is not None:
        scheduler.step()


def examine(model: Any, samples: Samples, name: str, timed: bool) -> None:
    """DataError where `samples` are not what `model` takes: timesteps, shape, labels."""
    faults = []
    if samples.timed != timed:
        have, want = ("timesteps", "none") if samples.timed else ("no timesteps", "some")
        faults.append(f"the {name} set has {have}, the framework wants {want}")
    else:
        found = samples.x.shape[2 if timed else 1 :]
        if tuple(model.input_shape[1:]) != found:
            faults.append(
                f"samples of the {name} set are {found}, the model takes {model.input_shape[1:]}"
            )
        if timed and samples.x.shape[1] != model.timesteps:
            faults.append(
                f"samples of the {name} set have {samples.x.shape[1]} timesteps, the model takes "
                f"{model.timesteps}"
            )
    (classes,) = model.output_shape
    low, high = samples.y.min(initial=0), samples.y.max(initial=0)
    if low < 0 or high >= classes:
        faults.append(
            f"labels of the {name} set are {low} to {high}, the model has {classes} classes"
        )
    elif name == "train" and len(absent := np.setdiff1d(np.arange(classes), samples.y)):
        faults.append(f"no training sample of class {', '.join(map(str, absent))}")
    if faults:
        raise DataError(*faults)
