"""A layer described once, from the network document and its activity, for every tool to read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from snn_kernel import Fault, RunError
from snn_kernel.network import INPUT, Add, BatchNorm, Conv, Flatten, Linear, Neuron, Pool, Relu

if TYPE_CHECKING:
    from snn_kernel import Activity, Processed, Tally
    from snn_kernel.network import Layer, Network, Shape


@frozen
class Signal:
    """What passes through one tensor in one inference: `count` spikes (non-zeros where they are no
    spikes) in all timesteps together, `elements` per timestep."""

    count: float
    elements: int
    timesteps: int
    binary: bool

    @property
    def rate(self) -> float:
        """Spikes per element and timestep."""
        return self.count / (self.elements * self.timesteps)

    @property
    def step(self) -> float:
        """Spikes per timestep."""
        return self.count / self.timesteps


@frozen
class Synapses:
    """What connects the input of a convolution or fully connected layer to its output."""

    kind: Literal["conv", "fc"]
    cin: int  # channels in and out; elements, where fully connected
    cout: int
    weights: int
    bias: bool
    kernel: Shape = ()
    stride: Shape = ()
    groups: int = 1

    @property
    def positions(self) -> int:
        """K: positions of the kernel."""
        return math.prod(self.kernel)

    @property
    def strided(self) -> int:
        """Π ceil(k / stride): outputs of one channel that one input reaches."""
        return math.prod(-(-k // s) for k, s in zip(self.kernel, self.stride, strict=True))


@frozen
class Described:
    """One layer of a network as the equations see it; its neuron or ReLU is part of it.

    `output` is that of its neuron if it has one. `elements_in` and `elements_out` (per timestep)
    are those of the layer itself, without what lies between it and its neuron.
    """

    name: str
    spiking: bool  # the network has neurons
    timesteps: int
    input: Signal
    output: Signal
    elements_in: int  # of one input, where the layer adds several
    elements_out: int
    synapses: Synapses | None = None
    summands: int = 0  # inputs of an addition; 0 for every other layer
    neuron: bool = False
    leak: bool = False

    @property
    def hybrid(self) -> bool:
        """A spiking layer that is fed numbers instead of spikes, so that it multiplies."""
        return self.spiking and self.synapses is not None and not self.input.binary

    @property
    def spikes_out(self) -> float:
        """θ(l): spikes of its neuron in one inference; 0 for a readout, which has none."""
        return self.output.count if self.neuron else 0.0


def describe(processed: Processed) -> tuple[Described, ...]:
    """Every layer but neurons and ReLU, in the order of the document.

    Raises RunError if the model has no network document or its activity does not fit it.
    """
    network, activity = processed.network, processed.activity
    if network is None:
        raise RunError(
            Fault(
                f"model '{processed.name}'",
                "energy and operations are estimated on its network document, which it does not "
                f"have: {processed.obstacle or 'no reason was given'}",
            )
        )
    if faults := list(_faults(network, activity)):
        raise RunError(*(Fault(f"activity of model '{processed.name}'", f) for f in faults))
    graph = Graph(network, {a.layer: a for a in activity})
    layers = [lay for lay in network.layers if not isinstance(lay, Neuron | Relu)]
    if not layers:
        what = "has no layers but neurons and ReLU"
        raise RunError(Fault(f"network of model '{processed.name}'", what))
    return tuple(graph.described(layer) for layer in layers)


def _faults(network: Network, activity: tuple[Activity, ...]) -> Iterator[str]:
    names = tuple(layer.name for layer in network.layers)
    if (found := tuple(a.layer for a in activity)) != names:
        yield f"counted on the layers {found}, but those of the network are {names}"
        return
    if len({a.samples for a in activity}) != 1 or activity[0].samples < 1:
        yield "every layer must be counted on the same samples, and on at least one"
    for each in activity:
        if each.timesteps != network.timesteps:
            ran = network.timesteps
            yield f"layer '{each.layer}': {each.timesteps} timesteps, but {ran} are run"
        elements = math.prod(network.shapes[each.layer])
        if each.output.elements != elements:
            yield f"layer '{each.layer}': {each.output.elements} outputs, but it has {elements}"
        sources = network.inputs(each.layer)
        elements = math.prod(network.shapes[sources[0]])
        if len(sources) == 1 and each.input.elements != elements:
            yield f"layer '{each.layer}': {each.input.elements} inputs, but it has {elements}"


@frozen
class Graph:
    """A network with its activity by layer name: who feeds whom, and with what."""

    network: Network
    activity: Mapping[str, Activity]

    def described(self, layer: Layer) -> Described:
        """`layer` with its signals, its synapses and its neuron."""
        sources = self.network.inputs(layer.name)
        synapses = _synapses(layer)
        neuron = self.neuron(layer) if synapses else None
        return Described(
            layer.name,
            spiking=bool(self.network.only(Neuron)),
            timesteps=self.network.timesteps,
            input=self.incoming(layer.name, sources),
            output=self.outgoing(neuron.name if neuron else layer.name),
            elements_in=math.prod(self.network.shapes[sources[0]]),
            elements_out=math.prod(self.network.shapes[layer.name]),
            synapses=synapses,
            summands=len(sources) if isinstance(layer, Add) else 0,
            neuron=neuron is not None,
            leak=neuron is not None and (neuron.decay != 1 or neuron.charge != "normal"),
        )

    def incoming(self, name: str, sources: tuple[str, ...]) -> Signal:
        """What goes into a layer: its own count, or, where it adds, those of all that it adds."""
        if len(sources) == 1:
            return self._signal(self.activity[name].input, self.adds(sources[0]))
        signals = [self.outgoing(source) for source in sources]
        return Signal(
            sum(s.count for s in signals),
            sum(s.elements for s in signals),
            self.network.timesteps,
            all(s.binary for s in signals),
        )

    def outgoing(self, source: str) -> Signal:
        """What `source` puts out."""
        return self._signal(self.tally(source), self.adds(source))

    def adds(self, source: str) -> bool:
        """Whether `source` is a sum of spikes (0, 1, 2 …), as at the end of a residual block."""
        layer = self.layer(source)
        if isinstance(layer, Flatten):
            return self.adds(*self.network.inputs(source))
        return isinstance(layer, Add) and all(
            self.tally(s).binary or self.adds(s) for s in self.network.inputs(source)
        )

    def neuron(self, layer: Layer) -> Neuron | None:
        """The next neuron on the path of `layer`, through batch norm, pools, reshaping and ReLU."""
        found: dict[str, Neuron] = {}
        open_ends = [layer.name]
        while open_ends:
            name = open_ends.pop()
            for after in self.network.layers:
                if name not in self.network.inputs(after.name):
                    continue
                if isinstance(after, Neuron):
                    found[after.name] = after
                elif isinstance(after, BatchNorm | Pool | Flatten | Relu):
                    open_ends.append(after.name)
        if len(found) > 1:
            what = f"feeds the neurons {sorted(found)}; its spikes cannot be told apart"
            raise RunError(Fault(f"layer '{layer.name}'", what))
        return next(iter(found.values()), None)

    def _signal(self, tally: Tally, added: bool) -> Signal:
        """A sum of spikes counts as that many spikes."""
        count = tally.total if added else tally.nonzeros
        samples = next(iter(self.activity.values())).samples
        return Signal(
            count / samples, tally.elements, self.network.timesteps, tally.binary or added
        )

    def layer(self, source: str) -> Layer | None:
        """The layer of that name; None for the input."""
        return next((lay for lay in self.network.layers if lay.name == source), None)

    def tally(self, source: str) -> Tally:
        """What was counted of what `source` puts out."""
        if source != INPUT:
            return self.activity[source].output
        fed = (a for a in self.activity.values() if self.network.inputs(a.layer) == (INPUT,))
        if (first := next(fed, None)) is None:
            raise RunError(Fault("network", "its input was not counted: no layer has it alone"))
        return first.input


def _synapses(layer: Layer) -> Synapses | None:
    if isinstance(layer, Conv):
        out, inner, *kernel = layer.weight.shape
        return Synapses(
            "conv",
            cin=inner * layer.groups,
            cout=out,
            weights=layer.weight.size,
            bias=layer.bias is not None,
            kernel=tuple(kernel),
            stride=layer.stride,
            groups=layer.groups,
        )
    if isinstance(layer, Linear):
        out, inner = layer.weight.shape
        return Synapses("fc", inner, out, layer.weight.size, layer.bias is not None)
    return None
