"""From a torch module to a network document, by symbolic tracing."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from attrs import define, evolve, field, frozen
from spikingjelly.activation_based import base
from torch import fx, nn

from snn_framework_spikingjelly.exact import Grid, settle
from snn_framework_spikingjelly.readers import READERS, VANISHING, affine
from snn_kernel import NetworkError, RunError
from snn_kernel.network import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Flatten,
    Format,
    GlobalSum,
    Layer,
    Linear,
    Network,
    Neuron,
    Pool,
    Relu,
)

ADDITIONS = (operator.add, operator.iadd, torch.add)
RECTIFIERS = (torch.relu, F.relu, "relu")


@frozen
class Lowered:
    """A document and how it hangs together with the module that it was made of.

    `folded` are the batch normalisations that went into a convolution or linear layer, `nodes` the
    node of `graph` that computes each layer, `functional` those that no module computes.
    """

    network: Network
    graph: fx.GraphModule
    folded: tuple[str, ...]
    nodes: Mapping[str, str]
    functional: frozenset[str]


class Tracer(fx.Tracer):
    """Steps into modules that only combine others."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        ours = hasattr(m, "lower") or isinstance(m, base.MemoryModule)
        ours = ours or hasattr(type(m), "input_format")
        library = type(m).__module__.startswith("spikingjelly.")
        leaf: bool = super().is_leaf_module(m, module_qualified_name)
        return ours or library or leaf


def lower(model: Any, timed: bool, exact: bool = True) -> Lowered:
    """The document of `model`; NetworkError names the layer that cannot be expressed.

    Layers are named by their module paths. `timed`: the input has timesteps. `exact`: all sums of
    the document are, else its numbers are those of the model. `model` has
    `timesteps` and, timesteps first and channels last, `input_shape`, as every SNN.
    """
    if missing := [n for n in ("timesteps", "input_shape") if not hasattr(model, n)]:
        raise NetworkError(f"{type(model).__name__} has no {' and no '.join(missing)}")
    try:
        graph = Tracer().trace(model)
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        raise NetworkError(
            f"{type(model).__name__}.forward cannot be traced: {error} (its control flow must not "
            "depend on values)"
        ) from None
    draft = _Draft(model)
    for node in graph.nodes:
        draft.read(node)
    *_, channels = model.input_shape
    shape = (channels, *model.input_shape[1:-1])
    network = Network(
        layers=tuple(draft.layers.values()),
        edges=tuple((a, b) for b, sources in draft.sources.items() for a in sources),
        input_shape=shape,
        timesteps=int(model.timesteps),
        mode="sequence" if timed else "static",
        input_format=draft.layout(),
    )
    if network.quantised:
        network = evolve(network, layers=tuple(_bounded(network)))
    elif exact:
        network = evolve(network, layers=_exact(network, draft.own, getattr(model, "seen", {})))
    module = fx.GraphModule(model, graph)
    return Lowered(network, module, tuple(draft.folded), draft.nodes, frozenset(draft.functional))


def _bounded(network: Network) -> Iterator[Layer]:
    """The layers of a quantised network, with the accumulators that its bounds ask for."""
    for layer in network.layers:
        if hasattr(layer, "accumulator"):
            yield evolve(layer, accumulator=network.bounds[layer.name].accumulator)
        else:
            yield layer


def _exact(network: Network, own: set[str], seen: Mapping[str, float]) -> tuple[Layer, ...]:
    """The layers, those in `own` such that all sums are exact; `seen` are the largest magnitudes
    that layers are known to put out."""
    layout = network.input_format
    made: list[Layer] = []
    grids: dict[str, Grid | None] = {INPUT: None}
    if layout is not None:
        grids[INPUT] = Grid.of(layout)
    rectifiers = {layer.name for layer in network.only(Relu)}
    summed = {a for a, b in network.edges if b not in rectifiers}
    for layer in network.layers:
        sources = network.inputs(layer.name)
        if layer.name in own:
            inputs, shape = [grids[s] for s in sources], network.shapes[sources[0]]
            known = (seen.get(layer.name), layer.name in summed)
            settled, grids[layer.name] = settle(layer, inputs, shape, *known)
            made.append(settled)
        else:
            grids[layer.name] = None
            made.append(layer)
    return tuple(made)


@define
class _Draft:
    """What has been read of a graph so far, in the order of the graph.

    `values` says which layer's output a node holds; `own` are the layers that may still be changed:
    those that a module did not lower by itself, or that have no arrays.
    """

    model: Any
    layers: dict[str, Layer] = field(factory=dict)
    sources: dict[str, tuple[str, ...]] = field(factory=dict)
    values: dict[fx.Node, str] = field(factory=dict)
    nodes: dict[str, str] = field(factory=dict)
    folded: list[str] = field(factory=list)
    own: set[str] = field(factory=set)
    functional: set[str] = field(factory=set)
    shown: Format | None = None  # what a module puts the input into

    def layout(self) -> Format | None:
        """The format of the input: what a module says, or all layers that see the input alike; or
        else the grid of the model."""
        seen, formats = {INPUT}, set()
        for name, sources in self.sources.items():
            own = getattr(self.layers[name], "input_formats", ()) or (None,) * len(sources)
            if isinstance(self.layers[name], Flatten) and sources[0] in seen:
                seen.add(name)
            else:
                formats |= {f for s, f in zip(sources, own, strict=False) if s in seen}
        alike = formats.pop() if len(formats) == 1 else None
        return self.shown or alike or getattr(self.model, "input_format", None)

    def read(self, node: fx.Node) -> None:
        """Take one node in; NetworkError if it cannot be expressed."""
        match node.op:
            case "placeholder":
                if self.values:
                    raise NetworkError(f"input '{node.name}': a network has one input")
                self.values[node] = INPUT
            case "call_module":
                self._module(node)
            case "call_function" if node.target in ADDITIONS:
                self._add(node, Add(self._function(node)))
            case "call_function" | "call_method" if node.target in RECTIFIERS:
                inplace = node.args[1] if len(node.args) > 1 else node.kwargs.get("inplace")
                self._rectify(node, self._function(node), inplace)
            case "call_function" | "call_method" if node.target in (torch.flatten, "flatten"):
                self._flatten(node)
            case "output":
                if not isinstance(node.args[0], fx.Node):
                    raise NetworkError("a network has one output")
            case _:
                target = getattr(node.target, "__name__", node.target)
                raise NetworkError(
                    f"'{node.name}' ({target}) is no layer; use modules of torch.nn, SpikingJelly "
                    "or modules with 'lower'"
                )

    def _function(self, node: fx.Node) -> str:
        """A name for what `node` computes without a module: its own, unless a module has it."""
        name, modules = node.name, {path for path, _ in self.model.named_modules()}
        while name in modules:
            name += "_"
        self.functional.add(name)
        return name

    def _module(self, node: fx.Node) -> None:
        name = str(node.target)
        module = self.model.get_submodule(name)
        law: Any = getattr(module, "law", None)
        if isinstance(module, VANISHING):
            self.values[node] = self.values[_first(node)]
            return
        if (shown := _ready(name, lambda: getattr(module, "input_format", None))) is not None:
            if self.values[_first(node)] != INPUT:
                raise NetworkError(f"layer '{name}': the input's format, but not behind the input")
            self.shown, self.values[node] = shown, INPUT
            return
        if name in self.layers or name in self.folded:
            raise NetworkError(f"layer '{name}' is called twice; make it two modules")
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and type(module) in READERS:
            self._normalise(node, name, module)
        elif type(module) is nn.ReLU:
            self._rectify(node, name, module.inplace)
        elif hasattr(module, "lower"):
            layers = _ready(name, lambda: module.lower(name))
            free = _BARE if len(layers) == 1 else (Flatten, Neuron)  # parts have no module
            for layer in layers:
                self._add(node, layer, own=isinstance(layer, free))
        elif hasattr(law, "lower"):
            self._add(node, evolve(law.lower(), name=name))
        elif read := READERS.get(type(module)):
            self._add(node, read(name, module))
        else:
            raise NetworkError(
                f"layer '{name}': {type(module).__name__} cannot be expressed; give it a method "
                "lower(name) that returns layers of a network"
            )

    def _add(self, node: fx.Node, layer: Layer, own: bool = True) -> None:
        """Append `layer`; where a node makes several layers, each feeds the next."""
        made = node in self.values
        inputs = (self.values[node],) if made else tuple(self._inputs(node))
        self.layers[layer.name], self.sources[layer.name] = layer, inputs
        self.values[node], self.nodes[layer.name] = layer.name, node.name
        if own:
            self.own.add(layer.name)

    def _inputs(self, node: fx.Node) -> list[str]:
        stray = [a for a in node.args if not isinstance(a, fx.Node)] + list(node.kwargs)
        if stray:
            raise NetworkError(f"'{node.name}' combines a layer with {stray[0]!r}")
        return [self.values[a] for a in node.args]  # type: ignore[index]

    def _rectify(self, node: fx.Node, name: str, inplace: object) -> None:
        source = _first(node)
        if inplace and len(source.users) > 1:
            what = f"layer '{name}': inplace = True changes what other layers read, too"
            raise NetworkError(what)
        self.layers[name], self.sources[name] = Relu(name), (self.values[source],)
        self.values[node], self.nodes[name] = name, node.name
        self.own.add(name)

    def _flatten(self, node: fx.Node) -> None:
        if node.args[1:] not in ((1,), (1, -1)) and node.kwargs != {"start_dim": 1}:
            raise NetworkError(f"'{node.name}': flatten from axis 1, or use SpikingJelly's Flatten")
        name = node.name
        self.layers[name], self.sources[name] = Flatten(name), (self.values[_first(node)],)
        self.values[node], self.nodes[name] = name, name
        self.own.add(name)

    def _normalise(self, node: fx.Node, name: str, module: nn.Module) -> None:
        scale, shift = affine(name, module)
        before = self._only_source(node)
        layer = self.layers.get(before or "")
        if not isinstance(layer, Conv | Linear) or layer.name not in self.own:
            self._add(node, BatchNorm(name, scale, shift))
            return
        weight = layer.weight * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
        bias = shift if layer.bias is None else layer.bias * scale + shift
        self.layers[layer.name] = evolve(layer, weight=weight, bias=bias)
        self.values[node], self.nodes[layer.name] = layer.name, node.name
        self.folded.append(name)

    def _only_source(self, node: fx.Node) -> str | None:
        """The layer that feeds `node` and, through modules that vanish, nothing else."""
        source = _first(node)
        name = self.values[source]
        while name != INPUT and source.name != self.nodes[name] and len(source.users) == 1:
            source = _first(source)
        return name if len(source.users) == 1 else None


def _ready(name: str, read: Callable[[], Any]) -> Any:
    """What `read` returns; a module that has no numbers yet cannot be expressed."""
    try:
        return read()
    except RunError as error:
        raise NetworkError(f"layer '{name}': {error}") from None


def _first(node: fx.Node) -> fx.Node:
    source = node.args[0] if node.args else None
    if not isinstance(source, fx.Node):
        raise NetworkError(f"'{node.name}' acts on {source!r}, not on a layer's output")
    return source


_BARE = (Pool, GlobalSum, Flatten, Add, Relu, Neuron)  # layers without arrays
