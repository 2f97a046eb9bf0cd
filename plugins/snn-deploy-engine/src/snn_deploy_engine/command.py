"""`snnk engine run | bench | serve`: networks in the engine, without an experiment around them."""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from snn_engine import Event, EventEngine
    from snn_kernel.network import Network

PART_EVENTS = 1 << 14  # between two looks at the clock; it changes no result
PATIENCE_S = 1.0  # of work, before a progress bar is shown


def parser() -> argparse.ArgumentParser:
    """The arguments behind `snnk engine`."""
    made = argparse.ArgumentParser("snnk engine", description="A network in the Zig engine.")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="take a recording of events through a network")
    bench = verbs.add_parser("bench", help="how fast a network runs here")
    serve = verbs.add_parser("serve", help="answer messages on standard input, or a socket")
    for verb in (run, bench):
        verb.add_argument("network", type=Path, help="a document, as the deployer writes it")
        verb.add_argument("--order", choices=("hwc", "chw"), default="hwc", help="(hwc)")
        verb.add_argument("--floor", type=_floor, default=-1.0, help="'none': unbounded (-1)")
        verb.add_argument("--single-spike", action="store_true", help="one per event at most")
        verb.add_argument("--dt-us", type=int, help="timestep of biases and leaks, in µs")
        verb.add_argument("--isolated", action="store_true", help="in a process of its own")
    run.add_argument("events", type=Path, help=".npy, .npz, .bin (N-MNIST) or .bs3")
    run.add_argument("--unsorted", action="store_true", help="times may decrease")
    run.add_argument("--monitor", action="append", default=[], metavar="LAYER", help="keep its too")
    run.add_argument("--counters", action="store_true", help="tell what was done, as CSV")
    run.add_argument("--out", type=_writable, metavar="PATH", help="output events: .npy or .csv")
    bench.add_argument(
        "--events", type=_several, default=100_000, help="how many random ones (100000)"
    )
    bench.add_argument("--rounds", type=_several, default=5, help="(5)")
    serve.add_argument("--socket", metavar="PATH", help="a Unix socket in place of pipes")
    return made


def main(arguments: Sequence[str]) -> int:
    """Carry out `snnk engine …`; the exit status. Raises ConfigError, DataError, EngineError."""
    given = parser().parse_args(arguments)
    verbs: dict[str, Callable[[Any], int]] = {"run": _run, "bench": _bench, "serve": _serve}
    return verbs[given.verb](given)


def _floor(text: str) -> float | None:
    if text == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number nor 'none'")
    return value


def _several(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return int(text)


def _writable(text: str) -> Path:
    from snn_deploy_engine.recording import WRITTEN

    path = Path(text)
    if path.suffix not in WRITTEN:
        raise argparse.ArgumentTypeError(f"'{text}' ends in none of {', '.join(WRITTEN)}")
    return path


def _run(given: argparse.Namespace) -> int:
    from snn_deploy_engine import recording

    network, events = _network(given.network), recording.read(given.events)
    _known(network, given.monitor)
    recording.fit(events, network.input_shape, given.events, given.unsorted)
    out: list[NDArray[Any]] = []
    monitored: dict[str, list[NDArray[Any]]] = {name: [] for name in given.monitor}
    with _loaded(network, given) as engine:
        start = time.perf_counter()
        with _told(len(events)) as tell:
            for at in range(0, len(events), PART_EVENTS):
                part = events[at : at + PART_EVENTS]
                run = engine.run(part, monitor=given.monitor, sorted=not given.unsorted)
                out.append(run.records)
                for name, parts in monitored.items():
                    parts.append(run.monitors[name])
                tell(at + len(part))
        seconds = time.perf_counter() - start
        counters = engine.counters()
    made = _joined(out)
    print(f"{len(events):,} events in, {len(made):,} out, {seconds:.3g} s")
    counts = np.bincount(made["p"])
    print("output events per channel: " + ", ".join(f"{c}: {n}" for c, n in enumerate(counts) if n))
    if given.counters:
        print(recording.table(counters), end="")
    if given.out:
        print(recording.write(given.out, made))
        for name, parts in monitored.items():
            print(recording.write(recording.beside(given.out, name), _joined(parts)))
    else:
        for name, parts in monitored.items():
            print(f"layer '{name}': {sum(map(len, parts)):,} events (--out keeps them)")
    return 0


def _bench(given: argparse.Namespace) -> int:
    network = _network(given.network)
    rng = np.random.default_rng(0)
    channels, height, width = (*network.input_shape, 1, 1)[:3]
    events = np.zeros(given.events, [(name, "<u4") for name in "xytp"])
    for name, limit in (("x", width), ("y", height), ("p", channels)):
        events[name] = rng.integers(0, limit, given.events)
    events["t"] = np.arange(given.events)
    seconds = []
    with _loaded(network, given) as engine:
        for _ in range(given.rounds):
            engine.reset()
            start = time.perf_counter()
            engine.run(events)
            seconds.append(time.perf_counter() - start)
        operations = sum(c["synaptic_operations"] for c in engine.counters().values())
    median = statistics.median(seconds)
    print(f"{given.events:,} random events, one thread, kernels {engine.cpu}")
    print(f"{given.events / median / 1e6:.3f} M events/s, median of {given.rounds}")
    print(f"{operations / median / 1e9:.3f} G synaptic operations/s")
    return 0


def _serve(given: argparse.Namespace) -> int:
    from snn_engine.process import executable

    socket = [] if given.socket is None else ["--socket", given.socket]
    command = [str(executable()), "serve", *socket]
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.call(command)


def _network(path: Path) -> Network:
    from snn_kernel import DataError, Fault
    from snn_kernel.network import Network, NetworkError

    try:
        return Network.unpack(path.read_bytes())
    except OSError as error:
        raise DataError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    except NetworkError as error:
        raise DataError(Fault(str(path), f"is no network document: {error}")) from None


def _known(network: Network, names: Sequence[str]) -> None:
    from snn_kernel import ConfigError, Fault
    from snn_kernel.errors import near
    from snn_kernel.network import Neuron

    known = [layer.name for layer in network.only(Neuron)]
    faults = [
        Fault(f"--monitor {name}", "is no layer of neurons", "", near(name, known))
        for name in names
        if name not in known
    ]
    if faults:
        raise ConfigError(*faults)


def _loaded(network: Network, given: argparse.Namespace) -> EventEngine:
    from snn_engine import EngineError, EventEngine

    try:
        return EventEngine.load(network, _execution(given), isolated=given.isolated)
    except EngineError as error:
        if "'dt_us'" not in str(error):
            raise
        raise EngineError(f"{error} (--dt-us)", error.code) from None


def _execution(given: argparse.Namespace) -> Event:
    from snn_engine import Event
    from snn_kernel import ConfigError

    try:
        return Event(
            order=given.order,
            floor=given.floor,
            single_spike=given.single_spike,
            dt_us=given.dt_us,
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error.args[0])) from None


@contextmanager
def _told(total: int) -> Iterator[Callable[[int], None]]:
    """Lends a function that is told how many events are done; a bar where it takes its time."""
    from rich.console import Console
    from rich.progress import Progress

    start = time.perf_counter()
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("events", total=total)

    def tell(done: int) -> None:
        bar.update(task, completed=done)
        if time.perf_counter() - start > PATIENCE_S:
            bar.start()

    try:
        yield tell
    finally:
        bar.stop()


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    from snn_kernel import EVENT

    return np.concatenate(parts) if parts else np.empty(0, EVENT)
