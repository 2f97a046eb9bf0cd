"""What a document says of a whole network and NIR cannot, kept in the metadata of the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from attrs import asdict, frozen

from snn_kernel.network import Network
from snn_nir.record import KEY, found
from snn_nir.sums import Edge

VERSION = 1


@frozen
class About:
    """`dt`: seconds of a timestep; `layers` and `edges` are those of the document, its sums too."""

    dt: float
    timesteps: int
    mode: Literal["static", "sequence"]
    layers: tuple[str, ...]
    edges: tuple[Edge, ...]

    @classmethod
    def of(cls, network: Network, dt: float) -> About:
        """That of a network in steps of `dt`."""
        names = tuple(layer.name for layer in network.layers)
        return cls(dt, network.timesteps, network.mode, names, network.edges)

    @classmethod
    def found(cls, metadata: Any) -> About | None:
        """That in the metadata of a graph, None if there is none; ValueError if it is damaged."""
        if (record := found(metadata)) is None:
            return None
        if record.get("version") != VERSION:
            raise ValueError(f"its metadata are of version {record.get('version')!r:.20}")
        try:
            return cls._read(record)
        except (KeyError, TypeError, ValueError):
            raise ValueError("its metadata are damaged: not what snn-nir writes") from None

    @classmethod
    def _read(cls, record: Mapping[str, Any]) -> About:
        dt, timesteps, mode = float(record["dt"]), int(record["timesteps"]), record["mode"]
        layers = tuple(map(_text, record["layers"]))
        edges = tuple((_text(a), _text(b)) for a, b in record["edges"])
        if not 0 < dt < math.inf or timesteps < 1 or mode not in ("static", "sequence"):
            raise ValueError
        return cls(dt, timesteps, mode, layers, edges)

    def metadata(self) -> dict[str, Any]:
        """As the metadata of a graph."""
        values = asdict(self) | {"version": VERSION, "layers": list(self.layers)}
        return {KEY: values | {"edges": [list(edge) for edge in self.edges]}}


def _text(value: Any) -> str:
    if isinstance(value, bytes | np.bytes_):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError
    return value
