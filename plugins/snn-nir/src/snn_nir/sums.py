"""Sums as NIR has them: edges that meet at a node, where a document has a layer Add."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import TopologicalSorter
from typing import TypeAlias

Edge: TypeAlias = tuple[str, str]


def order(nodes: Iterable[str], edges: Iterable[Edge]) -> list[str]:
    """The nodes, each after those that feed it; graphlib.CycleError if that cannot be."""
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(nodes, ()))
    for source, target in edges:
        sorter.add(target, source)
    return list(sorter.static_order())


def dissolved(names: Iterable[str], edges: Iterable[Edge], sums: frozenset[str]) -> list[Edge]:
    """The edges without the layers `sums` of `names`, each of which comes after its inputs.

    What a sum is of feeds whatever the sum feeds; the order of the terms stays. ValueError, with
    all of them, where something would reach a node twice, for NIR's edges are a set.
    """
    into: dict[str, list[str]] = {}
    for source, target in edges:
        into.setdefault(target, []).append(source)
    terms: dict[str, tuple[str, ...]] = {}
    made: list[Edge] = []
    twice = []
    for name in names:
        meet = [term for source in into.get(name, ()) for term in terms.get(source, (source,))]
        if again := sorted({term for term in meet if meet.count(term) > 1}):
            twice.append(f"{', '.join(again)} into {name}")
            meet = list(dict.fromkeys(meet))
        if name in sums:
            terms[name] = tuple(meet)
        else:
            made += [(term, name) for term in meet]
    if twice:
        raise ValueError(f"its sums take the same twice: {'; '.join(twice)}")
    return made


def gathered(names: Sequence[str], edges: Iterable[Edge]) -> tuple[list[str], list[Edge]]:
    """The names, in their order, and the edges with a sum of its own wherever edges meet.

    Nodes that the same edges meet at share one, which is named after the first of them.
    """
    into: dict[str, list[str]] = {}
    for source, target in edges:
        into.setdefault(target, []).append(source)
    whole: list[str] = []
    made: list[Edge] = []
    sums: dict[tuple[str, ...], str] = {}
    for name in names:
        meet = tuple(into.get(name, ()))
        if len(meet) > 1:
            if meet not in sums:
                sums[meet] = unused(f"{name}.sum", {*names, *whole})
                whole.append(sums[meet])
                made += [(source, sums[meet]) for source in meet]
            meet = (sums[meet],)
        whole.append(name)
        made += [(source, name) for source in meet]
    return whole, made


def unused(name: str, taken: frozenset[str] | set[str]) -> str:
    """The name, or one like it that nobody has."""
    while name in taken:
        name += "_"
    return name
