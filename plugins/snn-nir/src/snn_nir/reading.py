"""A graph of NIR as a network document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from graphlib import CycleError
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from attrs import frozen

from snn_kernel import DataError, Fault
from snn_kernel.network import INPUT, Add, Layer, Network, NetworkError
from snn_nir.about import About
from snn_nir.dynamics import Fires, Reset
from snn_nir.export import DT_S, nodes_of
from snn_nir.primitives import Steps, layer, misfits
from snn_nir.record import LAYER, PART, found, restored
from snn_nir.subgraphs import inlined
from snn_nir.sums import Edge, dissolved, gathered, order

if TYPE_CHECKING:
    import nir

TIMESTEPS = 16  # of a network whose graph does not say it
PLAIN = "plain = true (--plain) reads the graph without its metadata"


@frozen(kw_only=True)
class Reading:
    """How a graph is read. What is None is as the graph says where snn-nir wrote it, and else:

    timesteps: of the network (default 16)
    mode: "static" or "sequence", how it is shown its input (default "static")
    dt: seconds of a timestep (default 1e-4)
    reset: "value", v becomes v_reset, as NIR has it; "subtract", v_threshold is taken off (default
        "value")
    fires: "above", where v > v_threshold, as NIR has it; "at", where v ≥ v_threshold (default
        "above")
    plain: what snn-nir wrote into the metadata is not looked at (default false)
    """

    timesteps: int | None = None
    mode: Literal["static", "sequence"] | None = None
    dt: float | None = None
    reset: Reset | None = None
    fires: Fires | None = None
    plain: bool = False


def network(graph: nir.NIRGraph, how: Reading | None = None, where: str = "graph") -> Network:
    """The network that computes, timestep by timestep, what `graph` does in steps of forward Euler.

    Edges that meet become a layer Add; subgraphs with one input and one output are inlined. Raises
    DataError with all that no network can be: recurrence, delays, neurons with more than a
    potential, parameters that differ within a population; `where` is what the graph is called.
    """
    how = how or Reading()
    try:
        about = None if how.plain else About.found(graph.metadata)
        nodes, edges = inlined(graph)
    except ValueError as error:
        raise DataError(Fault(where, str(error))) from None
    _fail(_asked(about, how, where))
    _fail(_shape(nodes, edges, where))
    return _Draft.of(nodes, edges, about, how, where).network()


def _asked(about: About | None, how: Reading, where: str) -> Iterator[Fault]:
    given = [name for name in ("dt", "reset", "fires") if getattr(how, name) is not None]
    if about is not None and given and (given != ["dt"] or how.dt != about.dt):
        what = f"says itself what holds for {', '.join(given)} (dt is {about.dt:g})"
        yield Fault(where, what, "", PLAIN)


def _shape(nodes: Mapping[str, Any], edges: list[Edge], where: str) -> Iterator[Fault]:
    """What of a graph is not one way from an input to an output."""
    for kind in ("Input", "Output"):
        names = [name for name, node in nodes.items() if type(node).__name__ == kind]
        if len(names) != 1:
            shown = f" ({', '.join(names)})" if names else ""
            yield Fault(where, f"has {len(names)} nodes {kind}{shown}, not one")
    if unknown := sorted({name for edge in edges for name in edge} - nodes.keys()):
        yield Fault(where, f"has edges of nodes that are not there: {', '.join(unknown)}")
    if INPUT in nodes and type(nodes[INPUT]).__name__ != "Input":
        yield Fault(where, f"has a node '{INPUT}' that is not its Input, and documents have not")
    for name, node in nodes.items():
        if type(node).__name__ == "Input" and not _sizes(node):
            yield Fault(f"{where}, node '{name}' (Input)", "its shape is no list of whole numbers")
    leading, led = {a for a, _ in edges}, {b for _, b in edges}
    for name, node in nodes.items():
        kind = type(node).__name__
        if (name in leading) == (kind == "Output") or (name in led) == (kind == "Input"):
            yield Fault(
                f"{where}, node '{name}' ({kind})", "is not on the way from input to output"
            )
    try:
        order(nodes, edges)
    except CycleError as error:
        cycle = " → ".join(error.args[1])
        yield Fault(where, f"is recurrent ({cycle}), and networks here are feed-forward")


def _sizes(node: Any) -> tuple[int, ...]:
    """The shape that an Input says it has; empty if that is none."""
    shape = np.asarray((node.input_type or {}).get("input"))
    return tuple(map(int, shape.reshape(-1))) if shape.dtype.kind in "iu" else ()


@frozen
class _Draft:
    """A graph on its way: nodes that become layers, the `rest` of those that are several nodes, and
    edges between them, from INPUT to `output`."""

    nodes: Mapping[str, Any]
    rest: Mapping[str, tuple[Any, ...]]
    edges: list[Edge]
    input_shape: tuple[int, ...]
    output: str
    about: About | None
    how: Reading
    where: str

    @classmethod
    def of(
        cls,
        nodes: Mapping[str, Any],
        edges: list[Edge],
        about: About | None,
        how: Reading,
        where: str,
    ) -> _Draft:
        names = {type(node).__name__: name for name, node in nodes.items()}
        source, output = names["Input"], names["Output"]
        into = {name: [a for a, b in edges if b == name] for name in nodes} if about else {}
        first = {name: name for name in nodes} | {source: INPUT}
        rest: dict[str, tuple[Any, ...]] = {}
        for name in order(nodes, edges):
            record = (found(nodes[name].metadata) if about else None) or {}
            owner = record.get(PART) if LAYER not in record else None
            if isinstance(owner, str) and [first[a] for a in into[name]] == [owner]:
                first[name] = owner
                rest[owner] = (*rest.get(owner, ()), nodes[name])
        ends = (source, output)
        kept = {n: node for n, node in nodes.items() if first[n] == n and n not in ends}
        ways = [(first[a], b) for a, b in edges if first[b] == b]
        return cls(kept, rest, ways, _sizes(nodes[source]), output, about, how, where)

    def network(self) -> Network:
        """The network; DataError with all that is wrong."""
        layers = self._layers()
        if self.about:
            names, edges = self._recorded(self.about)
        else:
            names, edges = gathered(self._sorted(), self.edges)
        about, how = self.about, self.how
        try:
            made = Network(
                tuple(
                    layers.get(name) or Add(name, about.grid(name) if about else None)
                    for name in names
                    if name != self.output
                ),
                tuple(edge for edge in edges if edge[1] != self.output),
                self.input_shape,
                how.timesteps or (about.timesteps if about else TIMESTEPS),
                how.mode or (about.mode if about else "static"),
                about.grid(INPUT) if about else None,
            )
        except NetworkError as error:
            raise DataError(Fault(self.where, f"is no network: {error}")) from None
        _fail(self._misfits(made))
        return made

    def _sorted(self) -> list[str]:
        names = dict.fromkeys((*self.nodes, self.output))
        return [name for name in order(names, self.edges) if name != INPUT]

    def _layers(self) -> Mapping[str, Layer]:
        dt = self.about.dt if self.about else self.how.dt or DT_S
        steps = Steps(dt, self.how.reset or "value", self.how.fires or "above")
        made: dict[str, Layer] = {}
        wrong = []
        for name, node in self.nodes.items():
            try:
                made[name] = layer(name, node, steps)
            except ValueError as error:
                wrong.append(Fault(self._at(name), str(error)))
                continue
            record = found(node.metadata) if self.about else None
            try:
                made[name] = made[name] if record is None else restored(made[name], record)
            except ValueError as error:
                what = f"its metadata are not those of such a node: {error}"
                wrong.append(Fault(self._at(name), what, "", PLAIN))
        _fail(wrong)
        return made

    def _recorded(self, about: About) -> tuple[list[str], list[Edge]]:
        """Order and edges that the metadata tell, if they are those of the graph."""
        names, edges = list(about.layers), list(about.edges)
        sums = frozenset(names) - self.nodes.keys()
        edges += [(name, self.output) for name in names[-1:]]
        try:
            same = set(dissolved([*names, self.output], edges, sums)) == set(self.edges)
        except ValueError:
            same = False
        if not same or self.nodes.keys() - set(names):
            what = "has other edges than those that its metadata tell"
            raise DataError(Fault(self.where, what, "", PLAIN))
        return names, edges

    def _misfits(self, made: Network) -> Iterator[Fault]:
        """Shapes that nodes say of themselves and do not have; metadata that say something else
        than the parameters beside them."""
        dt = self.about.dt if self.about else 0.0
        for each in made.layers:
            if (node := self.nodes.get(each.name)) is None:
                continue
            source, shape = made.shapes[made.inputs(each.name)[0]], made.shapes[each.name]
            yield from (Fault(self._at(each.name), what) for what in misfits(node, source))
            if self.about and found(node.metadata) is not None:
                own = [node, *self.rest.get(each.name, ())]
                if not _same(own, nodes_of(each, source, shape, dt)):
                    what = "its metadata say something else than its parameters"
                    yield Fault(self._at(each.name), what, "", PLAIN)

    def _at(self, name: str) -> str:
        return f"{self.where}, node '{name}' ({type(self.nodes[name]).__name__})"


def _same(found: list[Any], expected: list[Any]) -> bool:
    """Whether nodes are the same but for metadata, and for types, which are inferred."""
    if [type(node) for node in found] != [type(node) for node in expected]:
        return False
    return all(
        np.array_equal(getattr(a, field.name), getattr(b, field.name))
        for a, b in zip(found, expected, strict=True)
        for field in fields(b)
        if field.name not in ("metadata", "input_type", "output_type")
    )


def _fail(faults: Any) -> None:
    if wrong := list(faults):
        raise DataError(*wrong)
