"""Event execution by the letter: one event, one synapse, one comparison at a time.

Floats are float32. The integers of a quantised network are the numbers that they stand for, in
float64, in which all of them are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_kernel.network import Conv, Flatten, Linear, Network, Neuron, Pool
from snn_kernel.signals import EVENT


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


def number(array: Any, format: Any, kind: Any) -> Any:
    """What the integers of `format` stand for; floats as they are."""
    return array if format is None else np.ldexp(array.astype(kind), -format.fraction)


class Population:
    """Synapses and the neurons behind them."""

    def __init__(
        self, synapses: Any, neuron: Neuron, source: Any, shape: Any, spike: Any, how: Any
    ) -> None:
        self.synapses, self.neuron, self.source, self.how = synapses, neuron, source, how
        self.shape = shape
        kind = self.kind = np.float32 if neuron.state_format is None else np.float64
        worth, count = spike
        weight = number(synapses.weight, synapses.weight_format, kind) * kind(worth)
        weight = weight / kind(count)
        self.timed = neuron.charge != "normal" or neuron.decay != 1 or neuron.bias != 0
        self.timed = self.timed or synapses.bias is not None
        if neuron.charge == "normal":
            weight = weight * kind(neuron.gain)
        elif neuron.charge == "lif":
            weight = weight / kind(neuron.tau) if kind is np.float32 else weight * neuron.leak
        self.weight, self.threshold = weight, kind(neuron.threshold)
        self.v = np.full(shape, neuron.start, kind)
        self.bias = np.zeros(shape, kind)
        if synapses.bias is not None:
            format = synapses.bias_format or synapses.weight_format
            values = number(synapses.bias, format, kind)
            self.bias += values.reshape(-1, *(1,) * (len(shape) - 1))
        self.low, self.high = kind(-np.inf if how.floor is None else how.floor), kind(np.inf)
        if (state := neuron.state_format) is not None:
            most = np.ldexp(2.0 ** (state.bits - 1), -state.fraction)
            self.low, self.high = max(self.low, -most), most - np.ldexp(1.0, -state.fraction)
        self.over = self.events = self.operations = self.steps = 0

    def silent(self) -> None:
        """One timestep without an event."""
        neuron, v, x, kind = self.neuron, self.v, self.bias, self.kind
        rest = kind(neuron.rest)
        if neuron.charge == "normal":
            u = (kind(neuron.decay) * v + kind(neuron.gain) * x) + kind(neuron.bias)
        elif neuron.state_format is not None:
            gain = neuron.leak if neuron.charge == "lif" else 1
            u = v - (v - rest) * neuron.leak + x * gain
        elif neuron.charge == "lif":
            u = v + (x - (v - rest)) / kind(neuron.tau)
        else:
            u = (v - (v - rest) / kind(neuron.tau)) + x
        if (state := neuron.state_format) is not None:
            u = np.ldexp(state.quantise(u), -state.fraction)
        self.v = np.maximum(u, self.low)

    def until(self, step: int) -> None:
        for _ in range(step - self.over if self.timed else 0):
            self.silent()
            self.steps += self.v.size
        self.over = max(self.over, step)

    def take(self, event: Any, step: int) -> list[Any]:
        """What the event (c, y, x) makes the neurons emit."""
        self.until(step)
        self.events += 1
        c, y, x = event
        if isinstance(self.synapses, Linear):
            index = np.ravel_multi_index((c, y, x), self.source)
            pairs = [((o,), (o, index)) for o in range(len(self.weight))]
        else:
            pairs = list(reached(self.synapses, self.shape, y, x, c))
        self.operations += len(pairs)
        emitted = []
        for place, weight in pairs:
            v = min(max(self.v[place] + self.weight[weight], self.low), self.high)
            if v >= self.threshold:
                emitted.append(place)
                if self.neuron.reset == "value":
                    v = self.kind(self.neuron.value)
                else:
                    v -= self.threshold
                    again = not self.how.single_spike
                    while again and v >= self.threshold and v - self.threshold != v:
                        emitted.append(place)
                        v -= self.threshold
            self.v[place] = v
        full = [(*place, 0, 0)[:3] for place in emitted]
        return sorted(full, key=lambda i: (i[1:], i[0]) if self.how.order == "hwc" else i)


def reference(network: Network, events: Any, how: Any) -> Any:
    """Per Neuron layer the emitted records, and the population as it is in the end."""
    shapes, stages = network.shapes, []
    grid = network.input_format if network.quantised else None
    worth = 1.0 if grid is None else float(np.ldexp(grid.quantise(np.ones(1)), -grid.fraction)[0])
    inside, count, size, synapses = (*network.input_shape, 1, 1)[:3], 1, (1, 1), None
    for layer in network.layers:
        match layer:
            case Pool():
                size = tuple(a * b for a, b in zip(size, layer.size, strict=True))
                count *= int(np.prod(layer.size)) if layer.how == "avg" else 1
                inside = shapes[layer.name]
            case Conv() | Linear():
                synapses = layer
            case Neuron():
                shape = shapes[layer.name]
                made = Population(synapses, layer, inside, shape, (worth, count), how)
                stages.append((layer.name, size, inside, made))
                inside, count, size, worth = (*shape, 1, 1)[:3], 1, (1, 1), layer.payload
            case Flatten():
                pass
    emitted: dict[str, list[Any]] = {name: [] for name, *_ in stages}
    steps = [int(t) // how.dt_us if how.dt_us else 0 for t in events["t"]]
    for event, step in zip(events, steps, strict=True):
        queue = [(int(event["p"]), int(event["y"]), int(event["x"]))]
        for name, size, inside, population in stages:
            out: list[Any] = []
            for c, y, x in queue:
                here = (c, y // size[0], x // size[1])
                if all(a < b for a, b in zip(here, inside, strict=True)):
                    out += population.take(here, step)
            queue = out
            emitted[name] += [(x, y, int(event["t"]), c) for c, y, x in queue]
    return {name: (np.array(emitted[name], EVENT), made) for name, _, _, made in stages}
