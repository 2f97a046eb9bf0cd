"""`compat = "qualia-2.6"`: the figures of Qualia 2.6, what is wrong with them included.

Everything that differs from the documented equations stands here, so that published figures can be
reproduced; docs/energy.md says what differs and why. The rows are that system's as well: neurons
that do not follow their layer at once have one, and names are joined as it joins them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import attrs
from attrs import frozen

from snn_energy.counts import Counts, count
from snn_energy.elementary import ESTIMATIONS, NARROW, Estimation, Operation
from snn_energy.layers import Described, Graph, Signal, describe
from snn_energy.ledger import Ledger
from snn_energy.tables import Cell, activity_cells
from snn_kernel.network import INPUT, Add, BatchNorm, Conv, Linear, Neuron, Pool, Relu

if TYPE_CHECKING:
    from snn_kernel import Activity, Processed, Tally
    from snn_kernel.network import Layer, Shape


def omitted(bits: int) -> Estimation:
    """How operations are costed where it is not said: at 8 bits as at 8, else as at 32."""
    return "saturation" if bits == NARROW else "ICONIP"


def unchecked_pj(operation: Operation, estimation: Estimation, bits: int) -> float:
    """Energy of one operation, which "linear" lets go negative."""
    return ESTIMATIONS[estimation](operation, bits)


def recorded(processed: Processed, multi_step: bool) -> Ledger:
    """The ledger of Qualia 2.6; RunError as `describe`.

    That system takes modules that hold others for called on samples × timesteps, even where
    `multi_step` calls them once per batch: what they count grows with processed.training's batch.
    """
    describe(processed)  # its checks hold here as well
    assert processed.network is not None
    graph = Graph(processed.network, {a.layer: a for a in processed.activity})
    samples = processed.activity[0].samples
    batch = processed.training.batch_size if processed.training else 1
    per_batch = samples / math.ceil(samples / batch) if multi_step else 1.0
    spiking = bool(graph.network.only(Neuron))
    rows = _Rows(graph, per_batch)
    shown = [layer for layer in graph.network.layers if rows.shows(layer, spiking)]
    layers = tuple(rows.described(layer) for layer in shown)
    shapes = [graph.network.shapes[graph.network.inputs(layer.name)[0]] for layer in shown]
    costed = tuple(_costed(lay, shape) for lay, shape in zip(layers, shapes, strict=True))
    operations = tuple(_shown(lay, c) for lay, c in zip(layers, costed, strict=True))
    return Ledger(layers, costed, operations, rows.total if spiking else lambda _: _FORMAL)


_FORMAL: tuple[Cell, ...] = (None, None, None, None, False, False, False)


def _costed(layer: Described, shape: Shape) -> Counts:
    """The counts of `layer`, fed with elements of `shape` (channels first)."""
    counts, s = count(layer), layer.synapses
    if s is None:
        return _addition(layer, shape) if counts != Counts() else counts
    if not layer.spiking:
        return counts
    if s.kind == "conv":  # lacks Cout of (16.3)
        return attrs.evolve(counts, addr_accs=counts.input_reads * s.positions)
    return attrs.evolve(counts, addr_accs=counts.addr_accs / s.cin)  # a rate for θ in (17.2)


def _addition(layer: Described, shape: Shape) -> Counts:
    """Dimensions summed where they should be multiplied, and only the channels written."""
    size = sum(shape)
    return Counts(
        input_reads=layer.summands * size,
        output_writes=shape[0],
        accs=(layer.summands - 1) * size,
        addr_accs=size,
    )


def _shown(layer: Described, counts: Counts) -> Counts:
    """What OperationCounter makes of them: numbers are weighted at every timestep, and formal
    layers read biases that they do not have."""
    if layer.hybrid:
        return attrs.evolve(counts, weight_reads=layer.timesteps * counts.weight_reads)
    if layer.synapses and not layer.spiking:
        return attrs.evolve(counts, bias_reads=layer.elements_out)
    return counts


@frozen
class _Module:
    """What a module of the model saw; its counts are shown `times` as large as they are."""

    input: Signal
    output: Signal
    times: float = 1.0


@frozen
class _Rows:
    """Rows of a network, and the modules that its model must have had; `per_batch` samples share
    one call of a module that holds others."""

    graph: Graph
    per_batch: float

    def shows(self, layer: Layer, spiking: bool) -> bool:
        """Whether `layer` has a row: no ReLU, no neuron that follows its synapses at once, and of
        formal networks no pooling and no batch norm."""
        if isinstance(layer, Neuron):
            (source,) = self.graph.network.inputs(layer.name)
            return not isinstance(self.graph.layer(source), Conv | Linear)
        return not isinstance(layer, Relu | (Relu if spiking else Pool | BatchNorm))

    def described(self, layer: Layer) -> Described:
        """`layer` with the neuron that follows it at once, if one does, and its joint name."""
        neuron = self.follower(layer)
        own = self.graph.described(layer)
        synaptic = neuron is not None and own.synapses is not None
        return attrs.evolve(
            own,
            name=_joined(layer.name, neuron.name if neuron else ""),
            output=self.graph.outgoing(neuron.name if neuron else layer.name),
            neuron=synaptic,
            leak=synaptic and own.leak,
        )

    def follower(self, layer: Layer) -> Neuron | None:
        """The neuron that `layer` feeds directly."""
        fed = (a for a in self.graph.network.only(Neuron))
        inputs = self.graph.network.inputs
        return next((n for n in fed if inputs(n.name) == (layer.name,)), None)

    def total(self, excluded: bool) -> tuple[Cell, ...]:
        """Rates and counts over all modules, those of joint name twice, as those of the model."""
        modules = [*self.leaves(), *self.holders()]
        cells: list[Cell] = []
        counts: list[Cell] = []
        for side in ("input", "output"):
            seen = [(getattr(m, side), m.times) for m in modules]
            kept = [(s, times) for s, times in seen if s.binary or not excluded]
            places = sum(s.elements * s.timesteps for s, _ in kept)
            cells.append(sum(s.count for s, _ in kept) / places if places else None)
            counts.append(sum(s.count * times for s, times in kept))
        own = activity_cells(self.described(self.graph.network.layers[-1]))
        binary_in = self.raw(self.graph.tally(INPUT)).binary
        network = self.graph.network
        foreign = network.quantised or network.only(Add) or _blocks(self.graph.activity)
        return (*cells, *counts, binary_in, own[5], "Hybrid" if foreign else True)

    def leaves(self) -> Iterator[_Module]:
        """Layers, with the neuron that follows a second time, and what an addition holds."""
        for layer in self.graph.network.layers:
            if isinstance(layer, Relu):
                continue
            own = self.graph.described(layer)
            yield _Module(own.input, self.graph.outgoing(layer.name))
            if neuron := self.follower(layer):
                yield _Module(own.input, self.graph.outgoing(neuron.name))
            if isinstance(layer, Add):
                made = self.raw(self.graph.tally(layer.name))
                yield _Module(made, made)

    def holders(self) -> Iterator[_Module]:
        """The model, the blocks that dotted names tell of, and what quantises the input."""
        network = self.graph.network
        activity = self.graph.activity
        come = self.raw(self.graph.tally(INPUT))
        yield _Module(come, self.raw(self.graph.tally(network.layers[-1].name)))
        if network.quantised:
            yield _Module(come, come, self.per_batch)
        for block in _blocks(activity):
            inside = [a for n, a in activity.items() if n.startswith(f"{block}.")]
            signals = self.raw(inside[0].input), self.raw(inside[-1].output)
            yield _Module(*signals, self.per_batch)

    def raw(self, tally: Tally) -> Signal:
        """A tensor as it is: sums of spikes are numbers."""
        each: Activity = next(iter(self.graph.activity.values()))
        count = tally.nonzeros / each.samples
        return Signal(count, tally.elements, each.timesteps, tally.binary)


def _blocks(names: Iterable[str]) -> tuple[str, ...]:
    """The modules that hold others and are called: elements of lists, such as layers.0.1."""
    found: dict[str, None] = {}
    for name in names:
        *parts, _ = name.split(".")
        for i, part in enumerate(parts, 1):
            if part.isdecimal():
                found.setdefault(".".join(parts[:i]))
    return tuple(found)


def _joined(layer: str, neuron: str) -> str:
    return (layer + neuron).replace(".", "_")
