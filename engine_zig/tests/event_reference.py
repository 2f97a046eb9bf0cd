"""Event execution by the letter: one event, one synapse, one comparison at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_kernel.network import Conv, Flatten, Linear, Network, Neuron, Pool
from snn_kernel.signals import EVENT

F = np.float32


def reached(layer: Conv, shape: Any, y: int, x: int, c: int) -> Any:
    """(output index [channel, y, x], weight index) for each synapse of an input."""
    outputs, share, high, wide = layer.weight.shape
    per_group = outputs // layer.groups
    for o in range(c // share * per_group, (c // share + 1) * per_group):
        for ky in range(high):
            for kx in range(wide):
                oy, ry = divmod(y + layer.padding[0] - ky, layer.stride[0])
                ox, rx = divmod(x + layer.padding[1] - kx, layer.stride[1])
                if not ry and not rx and 0 <= oy < shape[1] and 0 <= ox < shape[2]:
                    yield (o, oy, ox), (o, c % share, ky, kx)


def populate(
    synapses: Any, neuron: Neuron, source: Any, factor: Any, payload: float, shape: Any, how: Any
) -> Any:
    """A population as a function from an event (c, y, x) at a timestep to the events it emits."""
    v = np.full(shape, neuron.start, F)
    floor = F(-np.inf if how.floor is None else how.floor)
    threshold = F(neuron.threshold)
    bias = np.zeros(shape, F)
    if synapses.bias is not None:
        bias += synapses.bias.reshape(-1, *(1,) * (len(shape) - 1))
    weight = synapses.weight * F(payload) / F(factor)
    if neuron.charge == "normal":
        weight = weight * F(neuron.gain)
    elif neuron.charge == "lif":
        weight = weight / F(neuron.tau)
    timed = neuron.charge != "normal" or neuron.decay != 1 or neuron.bias != 0
    timed = timed or synapses.bias is not None
    over = 0

    def until(step: int) -> None:
        nonlocal v, over
        for _ in range(step - over if timed else 0):
            v = np.maximum(silent(neuron, v, bias), floor)
        over = max(over, step)

    def take(event: Any, step: int) -> list[Any]:
        until(step)
        c, y, x = event
        if isinstance(synapses, Linear):
            index = np.ravel_multi_index((c, y, x), source)
            pairs = [((o,), (o, index)) for o in range(len(weight))]
        else:
            pairs = list(reached(synapses, shape, y, x, c))
        emitted = []
        for neuron_index, weight_index in pairs:
            now = max(v[neuron_index] + weight[weight_index], floor)
            while now >= threshold:
                emitted.append(neuron_index)
                now = F(neuron.value) if neuron.reset == "value" else now - threshold
                if how.single_spike:
                    break
            v[neuron_index] = now
        if how.order == "hwc":
            emitted.sort(key=lambda i: (i[1:], i[0]))
        else:
            emitted.sort()
        return [(*i, 0, 0)[:3] if len(i) == 1 else i for i in emitted], len(pairs)

    return take, lambda step: (until(step), v)[1]


def silent(neuron: Neuron, v: Any, x: Any) -> Any:
    tau, rest = F(neuron.tau), F(neuron.rest)
    match neuron.charge:
        case "lif":
            return v + (x - (v - rest)) / tau
        case "lif_undecayed":
            return (v - (v - rest) / tau) + x
    return (F(neuron.decay) * v + F(neuron.gain) * x) + F(neuron.bias)


def reference(network: Network, events: Any, how: Any) -> Any:
    """Emitted records and final potentials per population, and synaptic operations."""
    shapes, stages = network.shapes, []
    map_, count, size, payload, synapses = network.input_shape, 1, (1, 1), 1.0, None
    for layer in network.layers:
        match layer:
            case Pool():
                size = tuple(a * b for a, b in zip(size, layer.size, strict=True))
                count *= int(np.prod(layer.size)) if layer.how == "avg" else 1
                map_ = shapes[layer.name]
            case Conv() | Linear():
                synapses = layer
            case Neuron():
                shape = shapes[layer.name]
                take = populate(synapses, layer, map_, count, payload, shape, how)
                stages.append((layer.name, size, map_, *take))
                map_, count, size, payload = shape, 1, (1, 1), layer.payload
            case Flatten():
                pass
    emitted: dict[str, list[Any]] = {name: [] for name, *_ in stages}
    operations = dict.fromkeys(emitted, 0)
    steps = [int(t) // how.dt_us if how.dt_us else 0 for t in events["t"]]
    for event, step in zip(events, steps, strict=True):
        queue = [(int(event["p"]), int(event["y"]), int(event["x"]))]
        for name, size, inside, take, _ in stages:
            out = []
            for c, y, x in queue:
                here = (c, y // size[0], x // size[1])
                bounds = (*inside, 1, 1)[:3]
                if all(a < b for a, b in zip(here, bounds, strict=True)):
                    found, pairs = take(here, step)
                    out += found
                    operations[name] += pairs
            queue = out
            emitted[name] += [(x, y, int(event["t"]), c) for c, y, x in queue]
    last = steps[-1] if steps else 0
    return (
        {name: np.array(rows, EVENT) for name, rows in emitted.items()},
        {name: state(last) for name, *_, state in stages},
        operations,
    )
