"""What a document says of a whole network and NIR cannot, kept in the metadata of the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from attrs import asdict, frozen

from snn_kernel.network import INPUT, Add, Format, Network
from snn_nir.grids import meant, told
from snn_nir.record import KEY, found
from snn_nir.sums import Edge

VERSION = 1


@frozen
class About:
    """`dt`: seconds of a timestep; `layers` and `edges` are those of the document, its sums too;
    `grids` are those that its input and its sums are put on, by name."""

    dt: float
    timesteps: int
    mode: Literal["static", "sequence"]
    layers: tuple[str, ...]
    edges: tuple[Edge, ...]
    grids: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, network: Network, dt: float) -> About:
        """That of a network in steps of `dt`."""
        names = tuple(layer.name for layer in network.layers)
        formats = {INPUT: network.input_format} | {s.name: s.format for s in network.only(Add)}
        grids = tuple((name, told(format)) for name, format in formats.items() if format)
        return cls(dt, network.timesteps, network.mode, names, network.edges, grids)

    @classmethod
    def found(cls, metadata: Any) -> About | None:
        """That in the metadata of a graph, None if there is none; ValueError if it is damaged."""
        if (record := found(metadata)) is None:
            return None
        version = record.get("version")
        if not isinstance(version, int | np.integer) or version != VERSION:
            raise ValueError(f"its metadata are of version {version!r:.20}")
        try:
            return cls._read(record)
        except (KeyError, TypeError, ValueError):
            raise ValueError("its metadata are damaged: not what snn-nir writes") from None

    @classmethod
    def _read(cls, record: Mapping[str, Any]) -> About:
        dt, timesteps, mode = float(record["dt"]), int(record["timesteps"]), record["mode"]
        layers = tuple(map(_text, record["layers"]))
        edges, grids = (
            tuple((_text(a), _text(b)) for a, b in record[name]) for name in ("edges", "grids")
        )
        for _, text in grids:
            meant(text)
        if not 0 < dt < math.inf or timesteps < 1 or mode not in ("static", "sequence"):
            raise ValueError
        return cls(dt, timesteps, mode, layers, edges, grids)

    def metadata(self) -> dict[str, Any]:
        """As the metadata of a graph."""
        values = asdict(self) | {"version": VERSION, "layers": list(self.layers)}
        pairs = {"edges": self.edges, "grids": self.grids}
        return {KEY: values | {name: [list(pair) for pair in of] for name, of in pairs.items()}}

    def grid(self, name: str) -> Format | None:
        """That of the input, or of a sum."""
        return meant(dict(self.grids).get(name, ""))


def _text(value: Any) -> str:
    if isinstance(value, bytes | np.bytes_):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError
    return value
