"""What an event-driven machine would do, counted slowly, by the letter of docs/engine_abi.md."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from engine_networks import timesteps

from snn_engine.engine import COUNTERS
from snn_kernel.network import (
    INPUT,
    Add,
    Conv,
    Flatten,
    Layer,
    Linear,
    Network,
    Neuron,
    Pool,
    Relu,
)
from snn_network.fixed import Fixed
from snn_network.reference import Reference


def reach(layer: Conv | Linear, shape: tuple[int, ...], out: tuple[int, ...]) -> Any:
    """How many outputs each input reaches: every tap of every output is looked at."""
    if isinstance(layer, Linear):
        return np.full(shape, len(layer.weight))
    size, positions = layer.weight.shape[2:], np.zeros(shape[1:], int)
    for o in np.ndindex(*out[1:]):
        for tap in np.ndindex(*size):
            axes = zip(o, tap, layer.stride, layer.padding, strict=True)
            at = tuple(i * s + t - p for i, t, s, p in axes)
            if all(0 <= i < n for i, n in zip(at, shape[1:], strict=True)):
                positions[at] += 1
    return np.broadcast_to(positions * (len(layer.weight) // layer.groups), shape)


def worth(network: Network, name: str) -> float | None:
    """What every spike is worth in the output of `name`, None if it does not hold spikes."""
    if name == INPUT:
        return None
    layer = next(lay for lay in network.layers if lay.name == name)
    if isinstance(layer, Neuron):
        value = layer.payload
    elif isinstance(layer, Flatten | Relu) or (isinstance(layer, Pool) and layer.how == "max"):
        value = worth(network, network.inputs(name)[0])
    else:
        return None
    if value is None:
        return None
    if network.quantised and not isinstance(layer, Neuron):
        for put in getattr(layer, "input_formats", ()):
            value = value if put is None else float(put.apply(np.float32(value)))
    if (put := getattr(layer, "format", None)) is not None:
        if not network.quantised:
            return None
        value = float(put.apply(np.float32(value)))
    return value


def sums(network: Network, name: str) -> bool:
    """Whether `name` is an addition of spikes worth 1, or of such additions."""
    layer = next((lay for lay in network.layers if lay.name == name), None)
    if isinstance(layer, Flatten):
        return sums(network, *network.inputs(name))
    return isinstance(layer, Add) and all(
        worth(network, source) == 1 or sums(network, source) for source in network.inputs(name)
    )


def taken(network: Network, name: str) -> bool:
    """Whether a Neuron takes up the sums of `name` before another layer weighs them."""
    after = [lay for lay in network.layers if name in network.inputs(lay.name)]
    return any(
        isinstance(lay, Neuron) or (not isinstance(lay, Conv | Linear) and taken(network, lay.name))
        for lay in after
    )


def steps(network: Network, sample: Any) -> Any:
    """At each timestep, what goes into each layer with weights, and who fired."""
    synaptic = [lay for lay in network.layers if isinstance(lay, Conv | Linear)]
    if not network.quantised:
        for values, fired in timesteps(network, sample):
            yield {lay.name: values[network.inputs(lay.name)[0]] for lay in synaptic}, fired
        return
    law, layout = Reference(network), network.input_format
    for t in range(network.timesteps):
        shown = sample[None, t] if network.mode == "sequence" else sample[None]
        made = law.step(Fixed(layout.quantise(shown).astype(np.int64), layout.fraction))
        inputs = {}
        for lay in synaptic:
            (put,) = lay.input_formats or (None,)
            x = made[network.inputs(lay.name)[0]].quantised(put)
            inputs[lay.name] = np.ldexp(x.units[0].astype(float), -x.fraction)
        yield inputs, {n.name: made[n.name].units != 0 for n in network.only(Neuron)}


def counters(network: Network, sample: Any) -> dict[str, dict[str, int]]:
    """Of one sample, for each Conv, Linear and Neuron, by the names COUNTERS."""
    shapes = network.shapes
    known: dict[str, Layer] = {
        lay.name: lay for lay in network.layers if isinstance(lay, Conv | Linear | Neuron)
    }
    found = {name: dict.fromkeys(COUNTERS, 0) for name in known}
    for inputs, fired in steps(network, sample):
        for name, count in found.items():
            layer, outputs = known[name], math.prod(shapes[name])
            if isinstance(layer, Neuron):
                spikes = int(fired[name].sum())
                leaks = layer.decay != 1 or layer.charge != "normal"
                more = {"events_out": spikes, "resets": spikes, "comparisons": outputs}
                more |= {"potential_reads": outputs, "potential_writes": outputs}
                more |= {"leaks": outputs if leaks else 0}
            else:
                (source,) = network.inputs(name)
                x = inputs[name]
                events = np.rint(x).astype(int).clip(0) if sums(network, source) else x != 0
                each = reach(layer, shapes[source], shapes[name])
                operations = int((events * each).sum())
                own = operations + (0 if taken(network, name) else outputs)
                more = {"events_in": int(events.sum()), "synaptic_operations": operations}
                more |= {"weight_reads": operations, "potential_reads": own}
                more |= {"potential_writes": own, "bias_reads": (layer.bias is not None) * outputs}
            for what, n in more.items():
                count[what] += n
    return found
