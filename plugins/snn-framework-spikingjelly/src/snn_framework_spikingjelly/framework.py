"""The framework kinds: how models are trained, and what of a plan they cannot live with."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen
from attrs.validators import ge, in_

from snn_framework_spikingjelly.metrics import CLASSIFICATION, METRICS
from snn_framework_spikingjelly.threads import patience
from snn_kernel import Fault
from snn_kernel.errors import near

if TYPE_CHECKING:
    from snn_framework_spikingjelly.session import Session
    from snn_kernel import Context

ACCELERATORS = ("auto", "cpu", "gpu", "cuda")
PRECISIONS = ("32", "32-true", "bf16-mixed", "16-mixed")
PREFIXES = ("train_", "valid_", "val_")  # val_ is how existing files write valid_


def _metrics(_: Any, attribute: Any, value: tuple[str, ...]) -> None:
    for name in value:
        if name not in METRICS:
            raise ValueError(f"unknown metric '{name}' ({near(name, METRICS)})")


def _precision(_: Any, attribute: Any, value: int | str) -> None:
    if str(value) not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise ValueError(f"precision {value!r} is not supported; there are {known}")


def _devices(_: Any, attribute: Any, value: str | int | tuple[int, ...]) -> None:
    count = len(value) if isinstance(value, tuple) else value
    if count not in ("auto", 1, "1"):
        raise ValueError(f"devices must be 'auto', 1 or a list of one index, not {value!r}")


def _measured(_: Any, attribute: Any, value: str) -> None:
    prefix, _, metric = value.partition("_")
    if f"{prefix}_" not in PREFIXES or metric not in (*METRICS, "loss"):
        known = [f"{p}{m}" for p in ("train_", "val_") for m in (*METRICS, "loss")]
        raise ValueError(f"checkpoint_metric: unknown name '{value}' ({near(value, known)})")


@frozen
class Checkpoint:
    """Which measure names the best epoch.

    name: train_ or val_ with a metric or loss (default "val_avgclsacc"); without a validation set
        the measure of the training set is taken.
    mode: "max" or "min" (default "max").
    """

    name: str = field(default="val_avgclsacc", validator=_measured)
    mode: Literal["min", "max"] = field(default="max", validator=in_(("min", "max")))


def _spiking(step_mode: str) -> Mapping[str, Any]:
    """A small model for the conformance kit, to train neurons of this step mode with."""
    neuron = {"kind": "IFNode", "params": {"v_reset": False, "step_mode": step_mode}}
    return {"model": {"kind": "SCNN", "params": {"neuron": neuron}}}


@frozen
class SpikingJelly:
    """Trains with SpikingJelly, one timestep per call; the input is shown at every timestep.

    The output is the sum of the model's outputs over the timesteps, in order, divided by their
    number; the loss is on that. Neurons are reset before each batch. Without [optimizer] a model is
    trained with Adam, lr = 0.001. Augmentations get batches as numpy arrays, channels last.

    use_best_epoch: keep the weights of the best epoch, not the last (default false).
    enable_progress_bar: report progress (default true).
    progress_bar_refresh_rate: batches between two reports (default 1).
    accelerator: "auto", "cpu", "gpu" or "cuda", where to train (default "auto").
    devices: "auto", 1, or a list with the index of one device (default "auto").
    precision: 32, or, for training alone, "bf16-mixed" or, on CUDA, "16-mixed": layers with weights
        then compute in 16 bits, neurons in 32 (default 32).
    metrics: of prec, rec, f1, acc, avgclsacc, mse, mae, mape, corr, slope
        (default prec, rec, f1, acc, avgclsacc).
    loss: "crossentropy" or "mse", against one-hot labels (default "crossentropy").
    enable_confusion_matrix: write confusion.csv for the test set (default true).
    checkpoint_metric: {name, mode} of the best epoch (default {"val_avgclsacc", "max"}).
    """

    spiking: ClassVar[bool] = True  # whether its models are spiking ones
    multi_step: ClassVar[bool] = False
    timed: ClassVar[bool] = False  # whether timesteps are in the data
    example: ClassVar[Mapping[str, Any]] = {"enable_confusion_matrix": False}
    example_beside: ClassVar[Mapping[str, Any]] = _spiking("s")

    use_best_epoch: bool = False
    enable_progress_bar: bool = True
    progress_bar_refresh_rate: int = field(default=1, validator=ge(1))
    accelerator: str = field(default="auto", validator=in_(ACCELERATORS))
    devices: str | int | tuple[int, ...] = field(default="auto", validator=_devices)
    precision: int | str = field(default=32, validator=_precision)
    metrics: tuple[str, ...] = field(default=CLASSIFICATION, validator=_metrics)
    loss: Literal["crossentropy", "mse"] = field(
        default="crossentropy", validator=in_(("crossentropy", "mse"))
    )
    enable_confusion_matrix: bool = True
    checkpoint_metric: Checkpoint = Checkpoint()

    @property
    def step_mode(self) -> str:
        """The step mode that neurons must have: "m" all timesteps at once, "s" one."""
        return "m" if self.multi_step else "s"

    @property
    def cuda(self) -> bool:
        """Whether models are trained on CUDA."""
        patience()
        from torch import cuda

        return self.accelerator != "cpu" and cuda.is_available()

    @property
    def dtype(self) -> Any:
        """The torch dtype in which layers with weights compute while a model is trained."""
        import torch

        mixed = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
        return mixed.get(str(self.precision), torch.float32)

    def check(self, plan: Any, place: str) -> Iterator[str | Fault]:
        """What cannot be trained: no device, other step modes, optimisers that torch has not."""
        patience()
        from snn_framework_spikingjelly import optimizers

        for what, asked in (("accelerator", self.accelerator), ("precision", self.precision)):
            if asked in ("gpu", "cuda", "16-mixed") and not self.cuda:
                yield f"{what} '{asked}' needs CUDA, which is absent or not asked for"
        for model in plan.models:
            neuron = getattr(model.choice.config, "neuron", None)
            mode = getattr(neuron, "step_mode", self.step_mode)  # a law alone runs in either
            if mode != self.step_mode:
                yield Fault(
                    model.choice.place,
                    f"model '{model.name}' has a neuron of step_mode '{mode}', framework "
                    f"{type(self).__name__} needs '{self.step_mode}'",
                    hint=f"set neuron.params.step_mode = '{self.step_mode}'",
                )
            if model.optimizer is not None:
                yield from optimizers.faults(
                    model.optimizer, f"{model.choice.place[:-1]}.optimizer]"
                )

    def open(self, context: Context) -> Session:
        """A session with the seed of `context`; from here on torch is deterministic."""
        patience()
        # SpikingJelly registers kernels for Triton, and torch says at each that there is no Triton.
        logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
        from snn_framework_spikingjelly.session import Session

        return Session.open(self, context)


@frozen
class SpikingJellyMultiStep(SpikingJelly):
    __doc__ = (SpikingJelly.__doc__ or "").replace(
        "one timestep per call", "all timesteps in one call"
    )

    multi_step: ClassVar[bool] = True
    example_beside: ClassVar[Mapping[str, Any]] = _spiking("m")


_STATIC = "the input is shown at every timestep"
_TIMED = "samples have a timestep axis of their own, as many as the model's timesteps"


@frozen
class SpikingJellyTimeStepsInData(SpikingJelly):
    __doc__ = (SpikingJelly.__doc__ or "").replace(_STATIC, _TIMED)

    timed: ClassVar[bool] = True


@frozen
class SpikingJellyMultiStepTimeStepsInData(SpikingJellyMultiStep):
    __doc__ = (SpikingJellyMultiStep.__doc__ or "").replace(_STATIC, _TIMED)

    timed: ClassVar[bool] = True


_OPTIONS = (SpikingJelly.__doc__ or "").partition("use_best_epoch")[2]


@frozen
class PyTorch(SpikingJelly):
    __doc__ = f"""Trains formal models, which have neither neurons nor timesteps, with PyTorch.

    To the rest of the house such a model is one of a single timestep: it has `timesteps = 1` and
    `input_shape` (1, …). It is called once for a batch. Without [optimizer] a model is trained with
    Adam, lr = 0.001. Augmentations get batches as numpy arrays, channels last.

    use_best_epoch{_OPTIONS.replace(", neurons in 32", "")}"""

    spiking: ClassVar[bool] = False
    example_beside: ClassVar[Mapping[str, Any]] = {"model": {"kind": "CNN"}}
