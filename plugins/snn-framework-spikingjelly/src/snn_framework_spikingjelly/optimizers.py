"""Optimisers and learning-rate schedulers of torch by their names."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn, optim

from snn_kernel import Fault
from snn_kernel.errors import near

DEFAULT_LR = 1e-3  # of Adam, for a model without [optimizer]

# LBFGS calls the loss by itself, SparseAdam takes sparse gradients only.
OPTIMIZERS: Mapping[str, type[optim.Optimizer]] = {
    name: kind
    for name, kind in vars(optim).items()
    if inspect.isclass(kind)
    and issubclass(kind, optim.Optimizer)
    and kind is not optim.Optimizer
    and name not in ("LBFGS", "SparseAdam")
}
# The others take functions or schedulers as arguments, which a TOML file cannot hold.
SCHEDULERS: Mapping[str, type[Any]] = {
    name: kind
    for name, kind in vars(optim.lr_scheduler).items()
    if inspect.isclass(kind)
    and issubclass(kind, optim.lr_scheduler.LRScheduler)
    and not name.startswith("_")
    and name
    not in ("LRScheduler", "LambdaLR", "MultiplicativeLR", "ChainedScheduler", "SequentialLR")
}


def build(section: Any, parameters: Iterable[nn.Parameter]) -> tuple[optim.Optimizer, Any]:
    """The optimiser of an [optimizer] section and its scheduler (None if there is none)."""
    if section is None:
        return optim.Adam(parameters, lr=DEFAULT_LR), None
    optimizer = OPTIMIZERS[section.kind](parameters, **section.params)
    if section.scheduler is None:
        return optimizer, None
    return optimizer, SCHEDULERS[section.scheduler.kind](optimizer, **section.scheduler.params)


def faults(section: Any, place: str) -> Iterator[Fault]:
    """What is wrong with an [optimizer] section: names, parameters, values."""
    found = list(_misfits(section, OPTIMIZERS, "optimizer", place))
    yield from found
    dummy = [nn.Parameter(torch.zeros(1, 1))]
    if not found:
        found = list(_refusals(OPTIMIZERS[section.kind], dummy, section, place))
        yield from found
    if section.scheduler is not None:
        place = f"{place[:-1]}.scheduler]"
        misfits = list(_misfits(section.scheduler, SCHEDULERS, "scheduler", place))
        yield from misfits
        if not found and not misfits:
            optimizer, _ = build(_Alone(section), dummy)
            yield from _refusals(
                SCHEDULERS[section.scheduler.kind], optimizer, section.scheduler, place
            )


class _Alone:
    """An [optimizer] section without its scheduler."""

    scheduler = None

    def __init__(self, section: Any) -> None:
        self.kind, self.params = section.kind, section.params


def _misfits(section: Any, known: Mapping[str, type], what: str, place: str) -> Iterator[Fault]:
    if section.kind not in known:
        yield Fault(place, f"torch has no {what} '{section.kind}'", "", near(section.kind, known))
        return
    _, *own = inspect.signature(known[section.kind]).parameters.values()  # first what it acts on
    parameters, where = {p.name: p for p in own}, f"{place[:-1]}.params]"
    for key, value in section.params.items():
        if key not in parameters:
            what, hint = f"{section.kind} has no parameter '{key}'", near(key, parameters)
            yield Fault(where, what, "", hint)
        elif wanted := _wanted(parameters[key], value):
            yield Fault(where, f"'{key}' must be {wanted}, not {value!r:.40}")


def _wanted(parameter: inspect.Parameter, value: Any) -> str:
    """What a value should have been that torch would refuse in Python's words, or not at all."""
    default, annotation = parameter.default, str(parameter.annotation)
    values = value if isinstance(value, list) else [value]
    if any(isinstance(v, float) and not math.isfinite(v) for v in values):
        return "finite"
    text = isinstance(default, str) or "str" in annotation or "Literal" in annotation
    if not text and any(isinstance(v, str) for v in values):
        return "true or false" if "bool" in annotation else "a number"
    number = isinstance(default, int | float) and not isinstance(default, bool)
    return "a number" if number and isinstance(value, bool) else ""


def _refusals(kind: type, first: Any, section: Any, place: str) -> Iterator[Fault]:
    """Construct it on a stand-in: torch's own checks of the values are the ones that count."""
    try:
        kind(first, **section.params)
    except (ValueError, TypeError, AssertionError, RuntimeError, KeyError) as error:
        text = str(error) or type(error).__name__
        yield Fault(f"{place[:-1]}.params]", f"{section.kind} refuses its parameters: {text}")
