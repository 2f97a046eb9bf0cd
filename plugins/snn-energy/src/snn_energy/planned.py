"""What is costed must be there: a lowered network, and counted events where these are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_energy.elementary import Compat, Source

HINT = 'put [[postprocessing]] kind = "EventCounter" of snn-deploy-engine before it'


def uncountable(source: Source, compat: Compat | None) -> None:
    """ValueError where counted figures are asked of a system that has none."""
    if source != "estimated" and compat:
        raise ValueError(f"source = '{source}': compat = '{compat}' counts no events")


def unlowered(plan: Any, kind: str) -> Iterator[str]:
    """Why models of `plan` will have no network document, which `kind` reads."""
    for model in plan.models:
        neuron = getattr(model.choice.config, "neuron", None)
        if neuron is not None and not hasattr(neuron, "lower"):
            yield (
                f"model '{model.name}': its neuron {type(neuron).__name__} has no lowered form, "
                f"on which {kind} works (use IFNode, LIFNode, ATIF or another neuron with "
                f"lower(), or remove {kind})"
            )


def uncounted(config: Any, plan: Any) -> Iterator[str]:
    """Why the events that `config`, a postprocessing, wants will not have been counted."""
    if config.source == "estimated":
        return
    what = f"source = '{config.source}'"
    if not getattr(plan.framework.config, "spiking", True):
        yield f"{what} counts events of spiking neurons; {plan.framework.kind} trains none"
    before = takewhile(lambda item: item.choice.config is not config, plan.postprocessings)
    if not any(getattr(item.choice.config, "counts_events", False) for item in before):
        yield f"{what}, but no postprocessing before it counts events ({HINT})"
