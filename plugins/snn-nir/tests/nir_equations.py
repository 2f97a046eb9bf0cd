"""The equations of NIR in steps of forward Euler, in float64: nothing of snn-nir is used here.

What NIR leaves open is asked for: how neurons reset, and where their potential starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import numpy as np


def convolved(node: Any, x: Any, axes: int) -> Any:
    size = node.weight.shape[2:]
    stride, padding = (np.broadcast_to(v, axes) for v in (node.stride, node.padding))
    view = windows(x, size, stride, padding)
    share = node.weight.shape[0] // node.groups
    made = []
    for o, kernel in enumerate(node.weight.astype(np.float64)):
        first = o // share * kernel.shape[0]
        seen = view[first : first + kernel.shape[0]]
        over = (0, *range(1 + axes, 1 + 2 * axes))
        form = kernel.reshape(kernel.shape[0], *[1] * axes, *size)
        made.append((seen * form).sum(axis=over) + node.bias[o])
    return np.stack(made)


def windows(x: Any, size: Any, stride: Any, padding: Any) -> Any:
    """[C, *n] → [C, *n', *size]."""
    padded = np.pad(x, [(0, 0), *((p, p) for p in padding)])
    view = np.lib.stride_tricks.sliding_window_view(padded, size, tuple(range(1, x.ndim)))
    return view[(slice(None), *(slice(None, None, s) for s in stride))]


def pooled(node: Any, x: Any) -> Any:
    return windows(x, tuple(node.kernel_size), node.stride, node.padding)


class Euler:
    """A graph in steps of `dt`; `resets` and `starts` of neurons by the names of their nodes."""

    def __init__(
        self, graph: Any, dt: float, resets: Mapping[str, str], starts: Mapping[str, float]
    ) -> None:
        self.graph, self.dt, self.resets, self.starts = graph, dt, resets, starts
        self.potentials: dict[str, Any] = {}
        sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(graph.nodes, ()))
        for source, target in graph.edges:
            sorter.add(target, source)
        self.order = list(sorter.static_order())

    def run(self, inputs: Any) -> Iterator[dict[str, Any]]:
        """What every node puts out at each timestep."""
        for x in inputs:
            made: dict[str, Any] = {}
            for name in self.order:
                terms = [made[a] for a, b in self.graph.edges if b == name]
                made[name] = self.step(name, sum(terms) if terms else x.astype(np.float64))
            yield made

    def step(self, name: str, x: Any) -> Any:
        node = self.graph.nodes[name]
        match type(node).__name__:
            case "Input" | "Output":
                return x
            case "Affine":
                return node.weight.astype(np.float64) @ x + node.bias
            case "Linear":
                return node.weight.astype(np.float64) @ x
            case "Conv1d":
                return convolved(node, x, 1)
            case "Conv2d":
                return convolved(node, x, 2)
            case "SumPool2d":
                return pooled(node, x).sum(axis=(-1, -2))
            case "AvgPool2d":
                return pooled(node, x).mean(axis=(-1, -2))
            case "Flatten":
                return x.reshape(-1)
            case "Scale":
                return x * node.scale
            case "IF" | "LIF":
                return self.fire(name, node, x)
        raise TypeError(node)

    def fire(self, name: str, node: Any, x: Any) -> Any:
        v = self.potentials.get(name, np.full(x.shape, self.starts.get(name, 0.0)))
        r, above = node.r.astype(np.float64), node.v_threshold.astype(np.float64)
        if type(node).__name__ == "LIF":
            tau = node.tau.astype(np.float64)
            v = v + self.dt / tau * ((node.v_leak - v) + r * x)
        else:
            v = v + self.dt * r * x
        z = v > above
        if self.resets.get(name, "value") == "value":
            v = np.where(z, node.v_reset, v)
        else:  # by the threshold of a condition v ≥ threshold in float32
            v = v - z * np.nextafter(node.v_threshold, np.float32(np.inf)).astype(np.float64)
        self.potentials[name] = v
        return z.astype(np.float64)
