"""Whether networks can run in the engine, and on how many threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_kernel import Processed, Samples
    from snn_kernel.network import Network

TARGET = "ZigEngine"
THREADS_MAX = 256  # the engine's own limit


def within(_: Any, __: Any, value: int | None) -> None:
    """A validator of `threads`."""
    if value is not None and not 1 <= value <= THREADS_MAX:
        raise ValueError(f"threads is {value}; 1 to {THREADS_MAX}, or left out for all cores")


def threads(asked: int | None) -> int:
    """As many as were asked for, or else one per core that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return asked or min(cores, THREADS_MAX)


def obstacles(plan: Any, place: str, instead: str) -> Iterator[str]:
    """Why models of `plan`, as they are where `place` is, cannot run in the engine, which runs
    neurons in their lowered form, and quantised networks in fixed point; `instead` is what a user
    can do about it."""
    for model in plan.models:
        neuron = getattr(model.choice.config, "neuron", None)
        if neuron is not None and not hasattr(neuron, "lower"):
            yield (
                f"model '{model.name}': its neuron {type(neuron).__name__} has no lowered "
                f"form, so {TARGET} cannot run it (use IFNode, LIFNode, ATIF or another neuron "
                f"with lower(), or {instead})"
            )
    done = getattr(plan, "postprocessings", ())
    before = takewhile(lambda item: item.choice.place != place, done)
    for item in (*plan.models, *before):
        for why in _formatless(item.choice.config, plan.models):
            yield f"{item.choice.place}: {TARGET} cannot run networks quantised so: {why}"


def _formatless(config: Any, models: Iterable[Any]) -> list[str]:
    """Why what `config` quantises, a model or every model, has no fixed-point format."""
    of = getattr(config, "params_of", lambda _: None)
    return sorted({params.obstacle for model in models if (params := of(model))} - {""})


def runnable(processed: Processed, samples: Samples) -> Network:
    """The network of `processed`; RunError if it has none, DataError if the samples do not have the
    shape, and the timesteps, that it takes."""
    from snn_kernel import DataError, RunError

    if (network := processed.network) is None:
        raise RunError(f"'{processed.name}' cannot run in {TARGET}: {processed.obstacle}")
    timed = (network.timesteps,) if network.mode == "sequence" else ()
    shape = network.input_shape
    expected = (*timed, *shape[1:], shape[0])
    if samples.x.shape[1:] != expected:
        axes = samples.layout[1:]
        raise DataError(
            f"test samples are {samples.x.shape[1:]} ({axes}), the network takes {expected}"
        )
    if not len(samples):
        raise DataError("there are no test samples to run")
    return network
