"""`snnk nir read | write | show`: graphs and documents, without an experiment around them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from graphlib import CycleError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snn_nir.dynamics import FIELDS

if TYPE_CHECKING:
    from snn_kernel.network import Network

SLOW = 1e-2  # of an input, per timestep: more often a mistaken dt than a model
HIDDEN = ("metadata", "input_type", "output_type", "nodes", "edges")


def parser() -> argparse.ArgumentParser:
    """The arguments behind `snnk nir`."""
    made = argparse.ArgumentParser("snnk nir", description="Networks as graphs of NIR, and back.")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    read = verbs.add_parser("read", help="a graph as a network document, for `snnk engine`")
    read.add_argument("graph", type=Path, help="of any simulator, .nir")
    read.add_argument("network", type=Path, help="where the document goes")
    read.add_argument("--timesteps", type=_several, help="(as written by snn-nir, or 16)")
    read.add_argument("--mode", choices=("static", "sequence"), help="(as written, or static)")
    read.add_argument("--dt", type=_seconds, help="seconds of a timestep (as written, or 1e-4)")
    read.add_argument(
        "--reset", choices=("value", "subtract"), help="to v_reset, or by v_threshold (value)"
    )
    read.add_argument(
        "--fires", choices=("above", "at"), help="where v > v_threshold, or where v ≥ it (above)"
    )
    read.add_argument("--plain", action="store_true", help="without what snn-nir wrote beside")
    write = verbs.add_parser("write", help="a network document as a graph")
    write.add_argument("network", type=Path, help="a document, as deployers write it")
    write.add_argument("graph", type=Path, help="where the graph goes, .nir")
    write.add_argument("--dt", type=_seconds, default=1e-4, help="seconds of a timestep (1e-4)")
    show = verbs.add_parser("show", help="what is in a graph, whether or not it can be read")
    show.add_argument("graph", type=Path, help=".nir")
    return made


def main(arguments: Sequence[str]) -> int:
    """Carry out `snnk nir …`; the exit status. Raises DataError and RunError."""
    given = parser().parse_args(arguments)
    verbs: dict[str, Callable[[Any], int]] = {"read": _read, "write": _write, "show": _show}
    return verbs[given.verb](given)


def _several(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds above 0")
    return value


def _read(given: argparse.Namespace) -> int:
    from snn_kernel import write_atomic
    from snn_kernel.network import Neuron
    from snn_nir.graphfile import read
    from snn_nir.reading import Reading, network

    names = ("timesteps", "mode", "dt", "reset", "fires", "plain")
    how = Reading(**{name: getattr(given, name) for name in names})
    made = network(read(given.graph), how, str(given.graph))
    print(f"{write_atomic(given.network, made.pack())}: {_about(made)}")
    if slow := [n for n in made.only(Neuron) if n.charge == "normal" and 0 < n.gain < SLOW]:
        print(
            f"hint: '{slow[0].name}' integrates {slow[0].gain:g} of its input per timestep; "
            "graphs whose integrators count timesteps are read with --dt 1"
        )
    return 0


def _write(given: argparse.Namespace) -> int:
    from snn_kernel import DataError, Fault
    from snn_kernel.network import Network, NetworkError
    from snn_nir.export import graph
    from snn_nir.graphfile import write
    from snn_nir.lost import rows

    try:
        made = Network.unpack(given.network.read_bytes())
    except OSError as error:
        raise DataError(Fault(str(given.network), f"cannot be read: {error.strerror}")) from None
    except NetworkError as error:
        raise DataError(Fault(str(given.network), f"is no network document: {error}")) from None
    print(f"{write(given.graph, graph(made, given.dt))}: {_about(made)}")
    _print(("layer", "node", "shape", "beyond NIR"), rows(made))
    return 0


def _show(given: argparse.Namespace) -> int:
    from snn_kernel import DataError
    from snn_nir.graphfile import read
    from snn_nir.reading import network
    from snn_nir.subgraphs import inlined
    from snn_nir.sums import order

    graph = read(given.graph)
    try:
        nodes, edges = inlined(graph)
    except ValueError:  # told below, where it is read
        nodes, edges = graph.nodes, graph.edges
    feeds = {name: [b for a, b in edges if a == name] for name in nodes}
    with suppress(CycleError):
        nodes = {name: nodes[name] for name in order(nodes, edges) if name in nodes}
    _print(
        ("node", "type", "parameters", "feeds"),
        (
            (name, type(node).__name__, _parameters(node), ", ".join(feeds[name]))
            for name, node in nodes.items()
        ),
    )
    try:
        print(f"as a network: {_about(network(graph, where=given.graph.name))}")
    except DataError as error:
        print(f"no network here:\n{error}")
    return 0


def _about(network: Network) -> str:
    shape = " × ".join(map(str, network.input_shape))
    return (
        f"{len(network.layers)} layers, input {shape} ({network.mode}), "
        f"{network.timesteps} timesteps"
    )


def _parameters(node: Any) -> str:
    """ "tau 0.0025, weight 8 × 2 × 5 × 5": values where all are equal, or else shapes."""
    kind = type(node).__name__
    if kind in ("Input", "Output"):
        return _text(np.asarray(node.input_type["input"]))
    values = {name: value for name, value in vars(node).items() if name not in HIDDEN}
    told = ", ".join(f"{name} {_text(np.asarray(value))}" for name, value in values.items())
    population = f" ({_shape(node.r)})" if kind in FIELDS else ""
    return told + population


def _text(array: Any) -> str:
    if array.dtype.kind not in "fiub":
        return str(array)
    if array.size and array.dtype.kind == "f" and (array == array.flat[0]).all():
        return f"{array.flat[0]:g}"
    if array.size <= 4 and array.dtype.kind != "f":
        return " × ".join(map(str, array.reshape(-1)))
    return _shape(array)


def _shape(array: Any) -> str:
    return " × ".join(map(str, np.shape(array)))


def _print(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table in columns that are as wide as they need."""
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        )
