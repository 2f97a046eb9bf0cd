"""Graphs within a graph, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from snn_nir.sums import Edge

if TYPE_CHECKING:
    import nir

DEPTH_MAX = 16  # of graphs within graphs; those of other simulators have one or two


def inlined(graph: nir.NIRGraph, depth: int = DEPTH_MAX) -> tuple[Mapping[str, Any], list[Edge]]:
    """Nodes and edges with those of subgraphs in their place, named "subgraph.node".

    ValueError for a subgraph that has not one input and one output, or is too deep.
    """
    import nir

    nodes: dict[str, Any] = {}
    edges: list[Edge] = [(a, b) for a, b in graph.edges]
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[name] = node
            continue
        if depth == 0:
            raise ValueError(f"has graphs within graphs, more than {DEPTH_MAX} deep")
        own, inner = inlined(node, depth - 1)
        ins = [n for n, inside in own.items() if isinstance(inside, nir.Input)]
        outs = [n for n, inside in own.items() if isinstance(inside, nir.Output)]
        if len(ins) != 1 or len(outs) != 1:
            counts = f"{len(ins)} inputs and {len(outs)} outputs"
            raise ValueError(f"its subgraph '{name}' has {counts}, not one of each")
        nodes |= {f"{name}.{n}": inside for n, inside in own.items() if n not in (*ins, *outs)}
        heads = [f"{name}.{b}" for a, b in inner if a == ins[0]]
        tails = [f"{name}.{a}" for a, b in inner if b == outs[0]]
        edges = [
            edge
            for a, b in edges
            for edge in product(tails if a == name else [a], heads if b == name else [b])
        ]
        ends = {ins[0], outs[0]}
        edges += [(f"{name}.{a}", f"{name}.{b}") for a, b in inner if not ends & {a, b}]
    return nodes, edges
