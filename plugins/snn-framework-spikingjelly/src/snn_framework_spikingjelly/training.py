"""Fitting a model to a training set."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from snn_framework_spikingjelly.checkpoint import Checkpoint
from snn_framework_spikingjelly.course import Course
from snn_framework_spikingjelly.framework import SpikingJelly
from snn_framework_spikingjelly.metrics import scores
from snn_framework_spikingjelly.rollout import Rollout, readout
from snn_framework_spikingjelly.unrolled import unrolled
from snn_kernel import Context, DataError, Epoch, RunError, Samples, Shapes, Training

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


@frozen
class Fit:
    """A training about to begin: of `model`, on `train`, validated on `valid` if that is there. It
    is the `number`-th of its session.

    Batches are drawn by a generator of its own, seeded by `context`. After every epoch what it
    takes to go on is kept in the context's folder, if it has one.
    """

    framework: SpikingJelly
    context: Context
    device: torch.device
    model: Any
    train: Samples
    valid: Samples | None
    training: Training
    number: int = 1

    def epochs(self) -> Iterator[Epoch]:
        """Every epoch once it is past, those from a checkpoint too; RunError, naming epoch and
        batch, where the loss is no number any more.

        After the last the model is on the CPU, with the weights of the best epoch if so asked.
        """
        framework, training, model = self.framework, self.training, self.model
        if not training.epochs:
            return
        made_of = (training, self.number, model, self.train, self.valid)
        kept = Checkpoint.of(self.context, framework, *made_of)
        model.to(self.device)
        course = Course.begin(model, training.optimizer, self.context.seed, framework.dtype)
        if kept and (state := kept.read(self.context, self.device)):
            course.restore(state)
        yield from course.history
        with unrolled(model) as multi_step:
            passes = _Passes(self, course, Rollout(multi_step, framework.timed))
            for number in range(len(course.history) + 1, training.epochs + 1):
                course.history.append(passes.epoch(number))
                improved = course.judge(self._worth(course.history[-1]), framework.use_best_epoch)
                if kept:
                    kept.keep(course.state(), model if improved else None)
                yield course.history[-1]
        if course.best_weights is not None:
            model.load_state_dict(course.best_weights)
        model.to("cpu")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics asked for, accuracy, and what the best epoch is judged by."""
        judge = self.framework.checkpoint_metric.name.partition("_")[2]
        asked = ("acc", *self.framework.metrics, *([] if judge == "loss" else [judge]))
        return tuple(dict.fromkeys(asked))

    def _worth(self, epoch: Epoch) -> float:
        """The checkpoint metric, larger is better; of the training set if there is no other."""
        prefix, _, metric = self.framework.checkpoint_metric.name.partition("_")
        prefix = "train" if prefix == "train" or "valid_loss" not in epoch.measures else "valid"
        value = epoch.measures[f"{prefix}_{metric}"]
        return value if self.framework.checkpoint_metric.mode == "max" else -value


@define
class _Passes:
    """The passes through the sets that make an epoch of `fit`."""

    fit: Fit
    course: Course
    rollout: Rollout
    _train: Tensor | None = field(init=False)  # channels first, if batches are taken as they are
    _valid: Tensor | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        whole = None if self.fit.training.augmentations else self.fit.train
        self._train, self._valid = (
            None if s is None else torch.from_numpy(s.channels_first())
            for s in (whole, self.fit.valid)
        )

    def epoch(self, number: int) -> Epoch:
        """Through the training set once, through the validation set if there is one."""
        start, fit = time.perf_counter(), self.fit
        order = self.course.shuffle.permutation(len(fit.train))
        measures = self._pass(order, number).measures("train", fit.metrics)
        if fit.valid and self._valid is not None:
            measures |= self._validate(fit.valid, self._valid).measures("valid", fit.metrics)
        _advance(self.course.scheduler, measures)
        return Epoch(number, time.perf_counter() - start, measures)

    def _pass(self, order: NDArray[np.int64], epoch: int) -> _Sum:
        model, optimizer, scaler = self.fit.model, self.course.optimizer, self.course.scaler
        size = self.fit.training.batch_size
        model.train()
        batches = math.ceil(len(order) / size)
        passed = _Sum(0.0, [], [])
        for batch in range(batches):
            x, y = self._batch(order[batch * size :][:size], epoch * batches + batch)
            optimizer.zero_grad(set_to_none=True)
            with torch.set_grad_enabled(self.fit.training.fit):
                logits = self._logits(x)
                loss = self._loss(logits, y)
            if not math.isfinite(value := loss.item()):
                raise RunError(
                    f"the loss is {value} in epoch {epoch}, batch {batch + 1} of {batches}: lower "
                    "the learning rate, or look for values far out of range in the data"
                )
            if self.fit.training.fit:
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                scaler.step(optimizer)
                scaler.update()
            passed.loss += value * len(y)
            passed.logits.append(logits.detach().cpu())
            passed.labels.append(y.argmax(1).numpy() if y.ndim > 1 else y.numpy())
            self._tell(epoch, batch + 1, batches, value)
        return passed

    def _batch(self, index: NDArray[np.int64], number: int) -> tuple[Tensor, Tensor]:
        """Samples, augmented, channels first, and labels [N] (or [N, K] if they were mixed)."""
        samples, context = self.fit.train, self.fit.context
        if self._train is not None:
            return self._train[index], torch.from_numpy(samples.y[index])
        x, y = samples.x[index], samples.y[index]
        known = shapes(samples, self.fit.model)
        for position, augmentation in enumerate(self.fit.training.augmentations):
            entropy = (context.seed, number, position)
            seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
            x, y = augmentation.apply(x, y, evolve(context, seed=seed), known)
        x = np.moveaxis(np.asarray(x, np.float32), -1, 2 if samples.timed else 1)
        return torch.from_numpy(np.ascontiguousarray(x)), torch.as_tensor(y)

    @torch.inference_mode()
    def _validate(self, samples: Samples, x: Tensor) -> _Sum:
        self.fit.model.eval()
        passed = _Sum(0.0, [], [samples.y])
        for start in range(0, len(samples), BATCH_VALID):
            chosen = slice(start, start + BATCH_VALID)
            y = torch.from_numpy(samples.y[chosen])
            logits = self._logits(x[chosen])
            passed.loss += self._loss(logits, y).item() * len(y)
            passed.logits.append(logits.cpu())
        return passed

    def _logits(self, x: Tensor) -> Tensor:
        device, dtype, model = self.fit.device, self.fit.framework.dtype, self.fit.model
        with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
            outputs = self.rollout(model, x.to(device), model.timesteps)
        return readout(outputs.float())

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        y = y.to(self.fit.device)
        if self.fit.framework.loss == "crossentropy":
            return functional.cross_entropy(logits, y)
        targets = y if y.ndim > 1 else functional.one_hot(y, logits.shape[1])
        return functional.mse_loss(logits, targets.to(logits.dtype))

    def _tell(self, epoch: int, batch: int, batches: int, loss: float) -> None:
        framework, epochs = self.fit.framework, self.fit.training.epochs
        due = batch % framework.progress_bar_refresh_rate == 0 or batch == batches
        if framework.enable_progress_bar and due:
            done = (epoch - 1) * batches + batch
            measures = {"epoch": epoch, "loss": loss}
            self.fit.context.progress("train", done, epochs * batches, measures)


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
        if not math.prod(found):
            faults.append(f"samples of the {name} set are {found}: there is nothing in them")
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
