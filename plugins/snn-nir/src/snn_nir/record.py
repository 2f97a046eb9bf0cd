"""What a document says of a layer and NIR cannot, kept in the metadata of the node."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from snn_kernel.network import Conv, Flatten, GlobalSum, Layer, Linear, Neuron, Pool
from snn_nir.grids import meant, told

KEY = "snn_kernel"  # of the metadata
LAYER = "layer"  # the type of a layer
PART = "part_of"  # a node that is not the first of those that a layer became
GRID = "grid"  # of what a layer puts out
BIASED = "biased"  # whether a convolution has one: NIR's always do
ACCUMULATORS = ("float32", "float64")

FLOATS = ("threshold", "decay", "gain", "bias", "value", "start", "payload", "tau", "rest", "leak")
WORDS: Mapping[str, tuple[str, ...]] = {
    "accumulator": ACCUMULATORS,
    "charge": ("normal", "lif", "lif_undecayed"),
    "reset": ("subtract", "value"),
}
KEPT: Mapping[type, tuple[str, ...]] = {
    Conv: ("accumulator", BIASED),
    Linear: ("accumulator",),
    Pool: ("accumulator", GRID),
    GlobalSum: ("accumulator", GRID),
    Flatten: (),
    Neuron: ("charge", "reset", *FLOATS),
}


def kept(layer: Layer) -> Mapping[str, Any]:
    """The record of a layer."""
    names = KEPT[type(layer)]
    values = {name: getattr(layer, name) for name in names if name not in (BIASED, GRID)}
    if isinstance(layer, Conv):
        values[BIASED] = layer.bias is not None
    if isinstance(layer, Pool | GlobalSum):
        values[GRID] = told(layer.format)
    return {LAYER: type(layer).__name__} | values


def found(metadata: Any) -> Mapping[str, Any] | None:
    """The record in the metadata of a node, if one of ours is there."""
    own = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    return own if isinstance(own, Mapping) else None


def restored(layer: Layer, record: Mapping[str, Any]) -> Layer:
    """The layer as its record has it; ValueError, with all that is wrong, for what is no record of
    such a layer."""
    if LAYER not in record:
        owner = record.get(PART)
        raise ValueError(f"it is the rest of '{owner}', which does not feed it alone")
    kind = next((k for k in KEPT if k.__name__ == record.get(LAYER)), None)
    if kind is GlobalSum and isinstance(layer, Pool):
        layer = GlobalSum(layer.name)
    if kind is not type(layer):
        raise ValueError(f"they are of a layer '{record.get(LAYER)}'")
    values = {name: value for name, value in record.items() if name != LAYER}
    if unlike := set(values) ^ set(KEPT[kind]):
        raise ValueError(f"they have, or lack, {', '.join(sorted(unlike))}")
    if faults := list(_faults(values)):
        raise ValueError(", ".join(faults))
    if isinstance(layer, Conv) and not values.pop(BIASED) and not np.any(layer.bias):
        values["bias"] = None
    if GRID in values:
        values["format"] = meant(values.pop(GRID))
    return attrs.evolve(layer, **{n: _plain(v) for n, v in values.items()})


def _faults(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if name == BIASED:
            sound = isinstance(value, bool | np.bool_)
        elif name == GRID:
            sound = isinstance(value, str)
        elif name in FLOATS:
            sound = isinstance(value, int | float | np.number) and math.isfinite(value)
        else:
            sound = isinstance(value, str) and value in WORDS[name]
        if not sound:
            yield f"their {name} is {value!r:.40}"


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int | float | np.number) else value
