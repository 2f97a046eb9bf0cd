"""How near event execution comes to the machine's own limit, and what it costs beside computing.

    python benchmarks/events.py [--rounds 9] [--json PATH|-]

The network is the one that Specksim documents (MNIST, two convolutions of 5×5, one of 3×3, two
linear layers), with its trained weights and MNIST images as rate-coded events where SNNK_SHARED
(default ../shared) holds them, else with random ones. The limit is v[i] += w[i] on one thread, of
float32 in the first cache (limit.zig). What is compared runs in turn, in one process.
"""

from __future__ import annotations

import ctypes
import gzip
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rounds import command_line, spread, write

from snn_engine import EventEngine
from snn_kernel.network import Conv, Flatten, Format, Linear, Network, Neuron, Pool
from snn_kernel.signals import EVENT

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("SNNK_SHARED", HERE.parent / ".." / "shared")) / "data"
SHAPES = ((20, 1, 5, 5), (32, 20, 5, 5), (128, 32, 3, 3), (500, 128), (10, 500))
LENGTHS = (10**3, 10**4, 10**5, 10**6, 10**7)
STATE = Format(16, 12, "floor")  # potentials of the quantised network


def weights() -> list[Any]:
    """Of the document's network: trained, or random."""
    path = SHARED / "sinabs_weights" / "mnist_params.pt"
    if path.exists():
        import torch

        found = torch.load(path, weights_only=True, map_location="cpu").values()
        return [weight.numpy() for weight in found]
    rng = np.random.default_rng(0)
    drawn = [rng.normal(0, 2 / np.sqrt(np.prod(shape[1:])), shape) for shape in SHAPES]
    return [weight.astype(np.float32) for weight in drawn]


def network(given: list[Any], whole: bool) -> Network:
    """The document's network, in float32 or with weights of 8 bits."""
    layers: list[Any] = []
    for i, real in enumerate(given):
        weight, more = real, {}
        if whole:
            format = Format(8, 7 - int(np.frexp(np.abs(real).max())[1]))
            more = {"accumulator": "int32", "weight_format": format}
            weight = format.quantise(real).astype(np.int8)
        if weight.ndim == 4:
            layers.append(Conv(f"conv{i}", weight, None, (1, 1), (0, 0), **more))
        else:
            layers += [Flatten("flatten")] if i == 3 else []
            layers.append(Linear(f"linear{i}", weight, None, **more))
        layers.append(Neuron(f"spikes{i}", 1.0, state_format=STATE if whole else None))
        if weight.ndim == 4:
            kind = "int32" if whole else "float32"
            layers.append(Pool(f"pool{i}", "avg", (2, 2), (2, 2), (0, 0), kind))
    names = ["input", *(layer.name for layer in layers)]
    edges = tuple(pairwise(names))
    grid = Format(2, 0) if whole else None
    return Network(tuple(layers), edges, (1, 28, 28), 1, input_format=grid)


def stream() -> Any:
    """The events of a thousand images, each shown for ten timesteps of a millisecond."""
    path = SHARED / "mnist" / "t10k-images-idx3-ubyte.gz"
    rng = np.random.default_rng(0)
    if path.exists():
        data = gzip.decompress(path.read_bytes())[16 : 16 + 784_000]
        images = np.frombuffer(data, np.uint8).reshape(1000, 1, 28, 28) / np.float32(1275)
    else:
        images = np.full((1000, 1, 28, 28), np.float32(0.02))
    image, step, y, x = np.nonzero(rng.random((1000, 10, 28, 28), np.float32) < images)
    events = np.zeros(len(image), EVENT)
    events["x"], events["y"], events["t"] = x, y, 10_000 * image + 1000 * step
    return events


def limit(folder: str) -> Callable[[], float]:
    """A function that measures additions per second."""
    path = Path(folder, "limit.so")
    command = [sys.executable, "-m", "ziglang", "build-lib", str(HERE / "limit.zig"), "-dynamic"]
    caches = ("--cache-dir", folder, "--global-cache-dir", folder)
    subprocess.run(
        [*command, "-OReleaseFast", "-mcpu", "native", f"-femit-bin={path}", *caches], check=True
    )
    add = ctypes.CDLL(str(path)).add
    add.argtypes, add.restype = [ctypes.c_size_t], ctypes.c_size_t

    def measure() -> float:
        start = time.process_time()
        return float(add(10_000)) / (time.process_time() - start)

    return measure


def seconds(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    """How long `work` takes, of processor time: that of others does not count."""
    start = clock()
    work()
    return clock() - start


def fresh(engine: EventEngine, events: Any) -> float:
    """Seconds for `events` from rest."""
    engine.reset()
    return seconds(lambda: engine.run(events))


def summary(name: str, ratios: list[float], **more: Any) -> dict[str, Any]:
    """One row of what is printed."""
    return {"name": name, **spread(ratios), **more}


def speed(engines: dict[str, EventEngine], events: Any, rounds: int) -> Iterator[dict[str, Any]]:
    """Synaptic operations per second as parts of the limit; int8 beside float32."""
    operations, rates = {}, {name: [] for name in [*engines, "limit"]}
    for name, engine in engines.items():
        fresh(engine, events)
        counts = engine.counters().values()
        operations[name] = sum(count["synaptic_operations"] for count in counts)
    with tempfile.TemporaryDirectory() as folder:
        measure = limit(folder)
        for _ in range(rounds):
            rates["limit"].append(measure())
            for name, engine in engines.items():
                rates[name].append(operations[name] / fresh(engine, events))
    for name, engine in engines.items():
        parts = [a / b for a, b in zip(rates[name], rates["limit"], strict=True)]
        yield summary(
            f"{name}: synaptic operations per second, of the limit",
            parts,
            operations_per_second=statistics.median(rates[name]),
            limit_per_second=statistics.median(rates["limit"]),
            operations_per_event=operations[name] / len(events),
            cpu=engine.cpu,
        )
    both = zip(rates["int8"], rates["float32"], strict=True)
    yield summary("int8: synaptic operations per second, of float32", [a / b for a, b in both])


def linearity(engine: EventEngine, events: Any) -> Iterator[dict[str, Any]]:
    """Nanoseconds per event and peak memory for streams of any length: `events`, repeated."""
    base = memory = 0.0
    for length in LENGTHS:
        engine.reset()
        spent, left, shown = 0.0, length, events.copy()
        while left:
            spent += seconds(partial(engine.run, shown[:left]))
            left -= len(shown[:left])
            shown["t"] += 10_000_000
        each = 1e9 * spent / length
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        base, memory = base or each, memory or peak
        yield summary(
            f"{length:,} events: time per event, of that at 1,000",
            [each / base],
            ns_per_event=each,
            peak_mib=peak,
            grown_mib=peak - memory,
        )


def threads(engine: EventEngine, events: Any, rounds: int) -> dict[str, Any]:
    """Two threads beside one, on independent samples."""
    samples = np.array_split(events, 40)
    ratios = []
    for _ in range(rounds + 1):
        one = seconds(lambda: engine.samples(samples, 1), time.perf_counter)
        ratios.append(one / seconds(lambda: engine.samples(samples, 2), time.perf_counter))
    return summary("two threads: samples per second, of one", ratios[1:])


def overhead(engine: EventEngine, events: Any, rounds: int) -> dict[str, Any]:
    """1,000 events from Python beside the same events in long messages."""
    ratios = []
    for _ in range(rounds + 1):
        long = fresh(engine, events)
        engine.reset()
        parts = np.split(events[: len(events) // 1000 * 1000], len(events) // 1000)
        short = sum(seconds(partial(engine.run, part)) for part in parts)
        ratios.append(short / len(parts) / (1000 * long / len(events)))
    return summary("1,000 events at a time from Python: time, of that in long messages", ratios[1:])


def main() -> None:
    """Measure, print, and write what was printed where --json says."""
    parser = command_line(__doc__, 9)
    given = parser.parse_args()
    print("snn-engine, event execution, the document's MNIST network, one thread")
    shown, trained = stream(), weights()
    events = shown[:30_000]
    engines = {
        "float32": EventEngine.load(network(trained, whole=False)),
        "int8": EventEngine.load(network(trained, whole=True)),
    }
    rows = []
    for row in (
        *speed(engines, events, given.rounds),
        threads(engines["float32"], events, given.rounds),
        overhead(engines["float32"], events, given.rounds),
        *linearity(engines["float32"], shown),
    ):
        rows.append(row)
        line = "  {name}: {ratio_median:.2f} times ({ratio_min:.2f} to {ratio_max:.2f})"
        print(line.format(**row))
        if "limit_per_second" in row:
            text = "    {0:.1f} G/s of {1:.1f} G/s, {operations_per_event:.0f} per event, {cpu}"
            scaled = (row["operations_per_second"] / 1e9, row["limit_per_second"] / 1e9)
            print(text.format(*scaled, **row))
        if "peak_mib" in row:
            print("    {ns_per_event:.0f} ns, peak memory +{grown_mib:.1f} MiB".format(**row))
    write(rows, given.json)


if __name__ == "__main__":
    main()
