"""Counts per inference of a spiking network whose events were counted one by one.

They come as a table "counts" (EventCounter makes one): what an event-driven machine does per
inference in each layer with weights and in each neuron, by the names of docs/engine_abi.md. They
take the place of rates × sizes in the equations of spiking.py; the costs stay the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import attrs
from attrs import frozen

from snn_energy.counts import Counts
from snn_energy.layers import Described, Graph, describe
from snn_energy.planned import HINT
from snn_kernel import Fault, RunError
from snn_kernel.network import INPUT, BatchNorm, Conv, Flatten, Linear, Neuron, Pool, Relu

if TYPE_CHECKING:
    from snn_kernel import Processed

TABLE = "counts"
STALE = "are they of this model? What changes it comes before EventCounter"
TOLERANCE = 1e-9  # relative, between two means of the same integers


@frozen
class Events:
    """What was counted of one layer per inference, all timesteps together."""

    events_in: float = 0
    events_out: float = 0
    synaptic_operations: float = 0
    potential_reads: float = 0
    potential_writes: float = 0
    weight_reads: float = 0
    bias_reads: float = 0
    comparisons: float = 0
    leaks: float = 0
    resets: float = 0

    def __add__(self, other: Events) -> Events:
        pairs = zip(attrs.astuple(self), attrs.astuple(other), strict=True)
        return Events(*(a + b for a, b in pairs))


def counted(processed: Processed) -> tuple[tuple[Described, ...], tuple[Counts, ...]]:
    """The rows of `processed` with the counts of each. A neuron acts in the row of the layer that
    it follows; one that follows the input or another neuron has a row of its own.

    Raises RunError as `describe` does, of formal networks, and if the events were not counted, or
    not of this network on the samples of its activity.
    """
    rows = {layer.name: layer for layer in describe(processed)}
    network = processed.network
    assert network is not None
    if not network.only(Neuron):
        what = "is a formal network: it has no events that could be counted"
        raise RunError(Fault(f"model '{processed.name}'", what))
    graph, events = Graph(network, {a.layer: a for a in processed.activity}), read(processed)
    if faults := list(_faults(events, graph)):
        where = f"counts of model '{processed.name}'"
        raise RunError(*(Fault(where, fault, hint=STALE) for fault in faults))
    owners = {neuron.name: _owner(neuron.name, graph) for neuron in network.only(Neuron)}
    rows |= {n: graph.described(lay) for lay in network.layers if (n := lay.name) == owners.get(n)}
    layers = tuple(rows[lay.name] for lay in network.layers if lay.name in rows)
    made = []
    for layer in layers:
        own = events[layer.name] if layer.synapses else Events()
        neurons = sum((events[n] for n, o in owners.items() if o == layer.name), Events())
        made.append(_counts(layer, own, neurons, _shown(layer, graph)))
    return layers, tuple(made)


def read(processed: Processed) -> Mapping[str, Events]:
    """What was counted last, by layer; RunError if nothing was."""
    names = tuple(f.name for f in attrs.fields(Events))
    for table in reversed(processed.tables):
        if table.name == TABLE and {"layer", *names} <= {*table.columns}:
            rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            return {row["layer"]: Events(*(row[name] for name in names)) for row in rows}
    what = f"its events were not counted: there is no table '{TABLE}'"
    raise RunError(Fault(f"model '{processed.name}'", what, hint=HINT))


def _counts(layer: Described, own: Events, neurons: Events, shown: int) -> Counts:
    """Numbers that are `shown` at so many timesteps alike are read, weighted and addressed once."""
    weighted, arrived = own.synaptic_operations / shown, own.events_in / shown
    updates = own.potential_reads - own.synaptic_operations + neurons.potential_reads
    return Counts(
        input_reads=arrived,
        weight_reads=own.weight_reads / shown,
        bias_reads=own.bias_reads,
        potential_reads=own.potential_reads + neurons.potential_reads,
        potential_writes=own.potential_writes + neurons.potential_writes,
        output_writes=neurons.events_out,
        macs=weighted if layer.hybrid else neurons.leaks,
        muls=neurons.leaks if layer.hybrid else 0,
        accs=(0 if layer.hybrid else weighted) + updates + neurons.resets,
        addr_macs=2 * arrived if layer.synapses and layer.synapses.kind == "conv" else 0,
        addr_accs=weighted,
    )


def _shown(layer: Described, graph: Graph) -> int:
    """At how many timesteps the same numbers come in, as far as they do not depend on a neuron."""
    if not layer.hybrid or graph.network.mode != "static":
        return 1
    above = [layer.name]
    while above:
        name = above.pop()
        if isinstance(graph.layer(name), Neuron):
            return 1
        above += [] if name == INPUT else graph.network.inputs(name)
    return layer.timesteps


def _owner(neuron: str, graph: Graph) -> str:
    """The layer in whose row a neuron acts: the first one before it that puts out sums."""
    (source,) = graph.network.inputs(neuron)
    while isinstance(graph.layer(source), BatchNorm | Pool | Flatten | Relu):
        (source,) = graph.network.inputs(source)
    return neuron if source == INPUT or isinstance(graph.layer(source), Neuron) else source


def _faults(events: Mapping[str, Events], graph: Graph) -> Iterator[str]:
    """What shows that they are none, or those of another network or of other samples."""
    for layer in graph.network.layers:
        if not isinstance(layer, Conv | Linear | Neuron):
            continue
        if (found := events.get(layer.name)) is None:
            yield f"layer '{layer.name}' is not among them"
        elif not all(_number(cell) for cell in attrs.astuple(found)):
            yield f"layer '{layer.name}': a count is negative or undefined"
        elif isinstance(layer, Neuron):
            yield from _differs(found.events_out, "out of", layer, graph)
        elif not graph.adds(graph.network.inputs(layer.name)[0]):
            yield from _differs(found.events_in, "into", layer, graph)


def _differs(found: float, way: str, layer: Conv | Linear | Neuron, graph: Graph) -> Iterator[str]:
    """That `found` is not what the framework counted at this layer on its own."""
    activity = graph.activity[layer.name]
    tally = activity.output if isinstance(layer, Neuron) else activity.input
    seen = tally.nonzeros / activity.samples
    if isinstance(layer, Neuron):
        fits = layer.payload == 0  # its spikes are not to be seen
    else:  # some may become 0 when they are put into the layer's input format
        fits = found < seen and any(layer.input_formats)
    if not fits and not math.isclose(found, seen, rel_tol=TOLERANCE):
        yield f"layer '{layer.name}': {found:g} events went {way} it, but {seen:g} in its activity"


def _number(cell: object) -> bool:
    return isinstance(cell, int | float) and math.isfinite(cell) and cell >= 0
