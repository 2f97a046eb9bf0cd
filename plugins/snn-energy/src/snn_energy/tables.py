"""Columns that both tables share: what went into and came out of every layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from snn_energy.layers import Described, Signal

if TYPE_CHECKING:
    from snn_kernel import Processed

How: TypeAlias = Literal["estimated", "counted"]
Cell: TypeAlias = str | float | bool | None

TOTAL = "Total"
ACTIVITY = (
    *("input_spikerate", "output_spikerate", "input_count", "output_count"),
    *("input_is_binary", "output_is_binary", "is_sj"),
)


def activity_cells(layer: Described) -> tuple[Cell, ...]:
    """The columns ACTIVITY of one layer: rates per element and timestep, counts per inference."""
    if not layer.spiking:
        return None, None, None, None, False, False, False
    come, go = layer.input, layer.output
    is_sj = "Hybrid" if layer.hybrid else True
    return come.rate, go.rate, come.count, go.count, come.binary, go.binary, is_sj


def total_cells(layers: Sequence[Described], exclude_nonbinary: bool) -> tuple[Cell, ...]:
    """The columns ACTIVITY of all layers: every row's tensors once, those that are not binary only
    if they are not excluded; binary or not is told of the network's own input and output."""
    if not layers[0].spiking:
        return activity_cells(layers[0])
    kept_in = [s for s in (lay.input for lay in layers) if s.binary or not exclude_nonbinary]
    kept_out = [s for s in (lay.output for lay in layers) if s.binary or not exclude_nonbinary]
    (rate_in, count_in), (rate_out, count_out) = _pooled(kept_in), _pooled(kept_out)
    binary_in, binary_out = layers[0].input.binary, layers[-1].output.binary
    return rate_in, rate_out, count_in, count_out, binary_in, binary_out, True


def _pooled(signals: Iterable[Signal]) -> tuple[float | None, float]:
    """The rate over all elements of all signals (None if there are none), and their count."""
    kept = list(signals)
    places = sum(s.elements * s.timesteps for s in kept)
    counted = sum(s.count for s in kept)
    return (counted / places if places else None), counted


def source(kind: str, compat: str | None, how: How = "estimated") -> str:
    """Who found a measure, for its source."""
    more = "events" if how == "counted" else compat
    return f"{kind}, {more}" if more else kind


def found(how: How) -> str:
    """How the operations were found, for the end of the source of a table."""
    return "; operations counted event by event" if how == "counted" else ""


def counted(processed: Processed, compat: str | None) -> str:
    """What the numbers were counted on, and whose they are, for the source of a table."""
    first = processed.activity[0]
    whose = f"as {compat} reports it, " if compat else ""
    return (
        f"{whose}per inference of '{processed.name}', from its activity on {first.samples} test "
        f"samples in {first.timesteps} timesteps each"
    )
