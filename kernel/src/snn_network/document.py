"""The document: layers, edges, and how the network is shown its input."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal, TypeVar

from attrs import frozen

from snn_network import codec
from snn_network.bounds import Bound, bounds
from snn_network.errors import NetworkError
from snn_network.format import Format
from snn_network.layers import INPUT, Add, Layer, Shape, shape

L = TypeVar("L")

GEOMETRY = ("weight", "bias", "scale", "shift", "size", "stride", "padding", "groups")


@frozen(slots=False)
class Network:
    """Layers in an order in which each comes after its inputs; edges from name to name.

    `mode` "static": one input [C, …] is shown at every one of `timesteps`; "sequence": the input is
    [T, C, …]. `input_format` is the grid on which the host puts inputs. The one layer that feeds no
    other is the readout: logits = sum over the timesteps, in order, divided by their number.

    Raises NetworkError where names, edges or shapes contradict each other.
    """

    layers: tuple[Layer, ...]
    edges: tuple[tuple[str, str], ...]
    input_shape: Shape
    timesteps: int
    mode: Literal["static", "sequence"] = "static"
    input_format: Format | None = None

    def __attrs_post_init__(self) -> None:
        if self.timesteps < 1 or not self.layers or min(self.input_shape, default=0) < 1:
            raise NetworkError("a network needs timesteps, layers and a shape of its input")
        names = [layer.name for layer in self.layers]
        if len({*names, INPUT}) != len(names) + 1:
            raise NetworkError(f"layer names are not unique, or one is '{INPUT}': {names}")
        if unknown := {n for edge in self.edges for n in edge} - {*names, INPUT}:
            raise NetworkError(f"edges name layers that are not there: {sorted(unknown)}")
        if (ends := set(names) - {a for a, _ in self.edges}) != {names[-1]}:
            raise NetworkError(f"one layer, the last, must be the readout; found {sorted(ends)}")
        self.shapes  # noqa: B018  computing them is the check
        if self.quantised:
            self.bounds  # noqa: B018  likewise

    def inputs(self, name: str) -> tuple[str, ...]:
        """The names of what feeds layer `name`, in order."""
        return tuple(a for a, b in self.edges if b == name)

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of what each layer (and the input) puts out per timestep, channels first."""
        shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for layer in self.layers:
            sources = self.inputs(layer.name)
            if missing := [s for s in sources if s not in shapes]:
                raise NetworkError(f"layer '{layer.name}' comes before its input {missing}")
            if not sources or (len(sources) > 1 and not isinstance(layer, Add)):
                raise NetworkError(f"layer '{layer.name}' has {len(sources)} inputs")
            inputs = [shapes[s] for s in sources]
            if not (made := shape(layer, *inputs)):
                what, fed = _geometry(layer), ", ".join(map(str, inputs))
                raise NetworkError(f"layer '{layer.name}' does not fit its input {fed}: {what}")
            shapes[layer.name] = made
        return shapes

    @property
    def quantised(self) -> bool:
        """Whether it computes by the integer law: its arrays are integers."""
        kinds = ("weight_format", "state_format")
        return any(getattr(layer, kind, None) for layer in self.layers for kind in kinds)

    @cached_property
    def bounds(self) -> Mapping[str, Bound]:
        """How large the integers of each layer (and of the input) can become, if quantised."""
        return bounds(self)

    def only(self, kind: type[L]) -> tuple[L, ...]:
        """The layers of one type, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, kind))

    def pack(self) -> bytes:
        """The document as msgpack."""
        return codec.pack(self)

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Network:
        """The document in `data`; NetworkError whatever else it may hold."""
        return codec.unpack(data, cls)


def _geometry(layer: Layer) -> str:
    """What decides which inputs a layer takes: "Conv with weight (8, 1, 3, 3), stride (1, 1)"."""
    values = {name: getattr(layer, name, None) for name in GEOMETRY}
    shown = {name: getattr(value, "shape", value) for name, value in values.items()}
    told = ", ".join(f"{name} {value}" for name, value in shown.items() if value is not None)
    return f"{type(layer).__name__} with {told}" if told else type(layer).__name__
