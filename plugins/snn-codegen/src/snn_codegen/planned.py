"""What can be said of generated C when planning, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any


def faults(plan: Any, place: str, allowed: tuple[str, ...]) -> Iterator[str]:
    """Neurons without a normal form, tensors without a fixed-point format, and models that are not
    of what is `allowed` (float32, int8, …; nothing: any)."""
    from snn_codegen.sources import arithmetic

    before = _before(plan, place)
    for model in plan.models:
        neuron = getattr(model.choice.config, "neuron", None)
        if neuron is not None and not hasattr(neuron, "lower"):
            yield (
                f"model '{model.name}': its neuron {type(neuron).__name__} has no lowered form, so "
                "it cannot become C (use IFNode, LIFNode, ATIF or another neuron with lower(), "
                "or remove this)"
            )
        params = _quantised(model, before)
        made = arithmetic(params.of("w").bits) if params is not None else "float32"
        if not allowed or made in allowed:
            continue
        asked = " or ".join(allowed)
        if params is None:
            yield (
                f"model '{model.name}' is not quantised, and quantize asks for {asked} (quantise "
                "it before, with a [[postprocessing]] of kind QuantizationAwareTraining; epochs = "
                "0 does so without training)"
            )
        else:
            yield f"model '{model.name}' is quantised to {made}, and quantize asks for {asked}"
    for item in (*plan.models, *before):
        for why in _obstacles(item.choice.config, plan.models):
            yield f"{item.choice.place}: networks quantised so cannot become C: {why}"


def shown(plan: Any, mode: str | None) -> Iterator[str]:
    """A timestep_mode that the framework does not train with."""
    timed = bool(getattr(plan.framework.config, "timed", False))
    if mode is not None and (mode == "iterate") != timed:
        kind, right = plan.framework.kind, "iterate" if timed else "duplicate"
        what = "has timesteps in its data" if timed else "shows one input at every timestep"
        yield f"timestep_mode is '{mode}', but {kind} {what} (write '{right}', or leave it out)"


def _before(plan: Any, place: str) -> list[Any]:
    """The postprocessings that a model has gone through where `place` is."""
    done = getattr(plan, "postprocessings", ())
    return list(takewhile(lambda item: item.choice.place != place, done))


def _quantised(model: Any, before: list[Any]) -> Any:
    """How a model is quantised in the end, None if it is not."""
    params = None
    for item in (model, *before):
        if of := getattr(item.choice.config, "params_of", None):
            params = of(model) or params
    return params


def _obstacles(config: Any, models: Iterable[Any]) -> list[str]:
    """Why what `config` quantises, a model or every model, has no fixed-point format."""
    of = getattr(config, "params_of", lambda _: None)
    return sorted({params.obstacle for model in models if (params := of(model))} - {""})
