"""Counted events must be counted before they are costed: what is checked before anything runs."""

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
