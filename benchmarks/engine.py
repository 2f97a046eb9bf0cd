"""How much faster the engine runs networks than SpikingJelly and sinabs, clocked, one thread.

    python benchmarks/engine.py [--rounds 7] [--networks mnist mlp dvs wide]
                                [--rates 0.005 …] [--processes 1] [--json PATH|-]

Four networks are shown random spikes at five rates; biases are fitted such that every layer of
neurons spikes at about the rate of the input. All sides get the same samples, in turn, in one
process, and agree on every logit before anything is timed. A ratio is the time of the other side
over the engine's, a median over the rounds. Weights are random but for those of the MNIST network,
which are the published ones where SNNK_SHARED (default ../shared) has them. sinabs takes part where
it is installed.

Of several processes, the one whose ratio is their median is told: whether torch keeps the memory of
its tensors from call to call, or gets fresh pages each time, differs from process to process, and
nearly doubles its time.

The same samples then show weights of 8 bits against those of the document, which asks for sums in
float64 in as many layers as `float64` says; torch adds in float32. Eight times as many show what a
second thread gives, beside what the machine has to give: a second process, which shares nothing.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve, frozen
from rounds import command_line, spread, write

from snn_engine import Engine
from snn_kernel.network import Conv, Format, Linear, Network, Neuron, Pool

RATES = (0.005, 0.01, 0.05, 0.2, 0.5)
TIMESTEPS = 10
THRESHOLD = 1.0
WEIGHTS = Path(os.environ.get("SNNK_SHARED", "../shared"), "data/sinabs_weights/mnist_params.pt")


@frozen
class Bench:
    """A network to measure: its samples, [C, H, W] or [C] each, and its layers: `(outputs, kernel,
    stride, padding)` a convolution, `n` a linear layer, "pool" an average over 2×2."""

    samples: int
    shape: tuple[int, ...]
    layers: tuple[Any, ...]


BENCHES = {
    "mnist": Bench(
        32,
        (1, 28, 28),
        ((20, 5, 1, 0), "pool", (32, 5, 1, 0), "pool", (128, 3, 1, 0), "pool", 500, 10),
    ),
    "mlp": Bench(64, (784,), (512, 512, 10)),
    "dvs": Bench(4, (2, 128, 128), ((16, 5, 2, 2), (32, 3, 2, 1), (64, 3, 2, 1), "pool", 256, 11)),
    "wide": Bench(
        2,
        (3, 32, 32),
        (
            *((64, 3, 1, 1), (64, 3, 1, 1), (128, 3, 2, 1)),
            *((128, 3, 1, 1), (256, 3, 2, 1), (256, 3, 1, 1), "pool", 10),
        ),
    ),
}


def build(bench: Bench) -> Any:
    """The network as SpikingJelly's modules, multi-step, with its published or random weights."""
    import torch
    from spikingjelly.activation_based import layer, neuron

    modules: list[Any] = []
    shape = bench.shape
    for what in bench.layers:
        if what == "pool":
            modules.append(layer.AvgPool2d(2))
            shape = (shape[0], shape[1] // 2, shape[2] // 2)
            continue
        if isinstance(what, int):
            if len(shape) > 1:
                modules.append(layer.Flatten())
            modules.append(layer.Linear(int(np.prod(shape)), what))
            shape = (what,)
        else:
            outputs, size, stride, padding = what
            modules.append(layer.Conv2d(shape[0], outputs, size, stride, padding))
            shape = (outputs, *((n + 2 * padding - size) // stride + 1 for n in shape[1:]))
        # As trained weights do, these lie about a normal distribution.
        torch.nn.init.kaiming_normal_(modules[-1].weight)
        modules.append(neuron.IFNode(THRESHOLD, None))
    for module in modules:
        module.step_mode = "m"
    return torch.nn.Sequential(*modules)


def publish(model: Any) -> None:
    """Give the MNIST network its published weights."""
    import torch

    arrays = list(torch.load(WEIGHTS, "cpu", weights_only=True).values())
    synaptic = [module for module in model if hasattr(module, "weight")]
    for module, array in zip(synaptic, arrays, strict=True):
        module.weight.data.copy_(array)


def spiking(currents: Any, bias: float) -> float:
    """The share of spikes of integrate-and-fire neurons with inputs [T, …]."""
    v, spikes = np.zeros_like(currents[0]), 0
    for x in currents:
        v += x + np.float32(bias)
        fired = v >= THRESHOLD
        spikes += int(fired.sum())
        v[fired] -= THRESHOLD
    return spikes / currents.size


def fit(model: Any, x: Any, rate: float) -> None:
    """Biases with which each layer of neurons spikes at `rate`; weights such that the current of a
    timestep is about the threshold's size."""
    for module in model:
        if hasattr(module, "weight"):
            module.bias.data.zero_()
            module.weight.data /= float(module(x).std()) or 1.0
            currents, low, high = module(x).numpy(), -8.0, 8.0
            for _ in range(24):
                middle = (low + high) / 2
                low, high = (low, middle) if spiking(currents, middle) > rate else (middle, high)
            module.bias.data.fill_(low)
        x = module(x)


def lowered(bench: Bench, model: Any) -> Network:
    """The document of `model`, whose weights are from now on those of the document."""
    import torch

    from snn_framework_spikingjelly.lowering import lower

    model.timesteps, model.input_shape = TIMESTEPS, (TIMESTEPS, *bench.shape[1:], bench.shape[0])
    model.input_format = Format(2, 0)
    network = lower(model, timed=True).network
    for layer in network.layers:
        if isinstance(layer, Conv | Linear):
            module = model.get_submodule(layer.name)
            module.weight.data.copy_(torch.from_numpy(layer.weight))
            module.bias.data.copy_(torch.from_numpy(layer.bias))
    return network


def jelly(model: Any, x: Any, mode: str) -> Any:
    """SpikingJelly's answer: all timesteps at once ("m"), or one after another ("s")."""
    import torch
    from spikingjelly.activation_based import functional

    functional.reset_net(model)
    functional.set_step_mode(model, mode)
    if mode == "m":
        return model(x).mean(0)
    return torch.stack([model(step) for step in x]).mean(0)


def sinabs(model: Any) -> Callable[[Any], Any]:
    """The same network with the neurons of sinabs, which takes [N·T, …]."""
    from sinabs.activation import SingleSpike
    from sinabs.layers import IAFSqueeze

    modules = copy.deepcopy(model)
    for i, module in enumerate(modules):
        if hasattr(module, "v_threshold"):
            modules[i] = IAFSqueeze(num_timesteps=TIMESTEPS, spike_fn=SingleSpike)
        else:
            module.step_mode = "s"

    def run(x: Any) -> Any:
        for module in modules:
            if hasattr(module, "reset_states"):
                module.reset_states()
        flat = x.transpose(0, 1).flatten(0, 1)
        return modules(flat).unflatten(0, (x.shape[1], TIMESTEPS)).mean(1)

    return run


def whole(network: Network) -> Network:
    """`network` with weights of 8 bits, and potentials of 24."""
    fraction, layers = 0, list[Any]()
    for layer in network.layers:
        match layer:
            case Conv() | Linear():
                peak = max(float(np.abs(layer.weight).max()), 2.0**-30)
                own = 7 - math.frexp(peak)[1]
                weight = np.rint(np.ldexp(layer.weight, own)).clip(-128, 127).astype(np.int8)
                bias = np.rint(np.ldexp(layer.bias, own + fraction)).astype(np.int32)
                formats = (Format(8, own), Format(32, own + fraction))
                layers.append(evolve(layer, weight=weight, bias=bias, accumulator="int32"))
                layers[-1] = evolve(
                    layers[-1], weight_format=formats[0], bias_format=formats[1], format=None
                )
                state, fraction = Format(24, own + fraction), 0
            case Neuron():
                layers.append(evolve(layer, state_format=state, format=Format(2, 0)))
            case Pool():
                layers.append(evolve(layer, accumulator="int32"))
                fraction += 2
            case _:
                layers.append(layer)
    return evolve(network, layers=tuple(layers))


def seconds(*all_sides: Callable[[], Any], rounds: int) -> list[list[float]]:
    """Per side the seconds of each round, in turn, after one that warms all sides up."""
    taken: list[list[float]] = [[] for _ in all_sides]
    for r in range(rounds + 1):
        for side, own in zip(all_sides, taken, strict=True):
            start = time.perf_counter()
            side()
            if r:
                own.append(time.perf_counter() - start)
    return taken


def compared(ours: list[float], other: list[float]) -> dict[str, float]:
    """How many times as long `other` took, round by round."""
    ratios = [b / a for a, b in zip(ours, other, strict=True)]
    return spread(ratios)


def spike_rate(engine: Engine, frames: Any) -> float:
    """Spikes per neuron and timestep."""
    run = engine.run(frames)
    spikes = sum(run.counts[name]["spikes"] for name in run.neurons)
    return spikes / (len(frames) * TIMESTEPS * sum(run.neurons.values()))


def sides(model: Any, x: Any) -> dict[str, Callable[[], Any]]:
    """Those whom the engine is compared with."""
    found = {
        "SpikingJelly multi-step": lambda: jelly(model, x, "m"),
        "SpikingJelly step by step": lambda: jelly(model, x, "s"),
    }
    if find_spec("sinabs"):
        run = sinabs(model)
        found["sinabs"] = lambda: run(x)
    return found


def abreast(network: Network, frames: Any, rounds: int) -> dict[str, list[float]]:
    """Seconds per sample on one thread, on two, and in two processes at the same time."""
    frames = np.concatenate([frames] * 8)
    here, there = Pipe()
    # Forked, torch's threads would be missing; and nothing may be shared.
    given = (there, network.pack(), frames)
    other = get_context("spawn").Process(target=follow, args=given, daemon=True)
    other.start()
    there.close()  # so that its end is heard of
    with here, Engine.load(network) as engine:

        def both() -> None:
            here.send(True)
            engine.run(frames)
            here.recv()

        sides = {
            "1 thread": lambda: engine.run(frames, threads=1),
            "2 threads": lambda: engine.run(frames, threads=2),
            "2 processes": both,
        }
        taken = seconds(*sides.values(), rounds=rounds)
        here.send(False)
    other.join()
    samples = {side: len(frames) * (2 if side == "2 processes" else 1) for side in sides}
    pairs = zip(sides, taken, strict=True)
    return {side: [t / samples[side] for t in times] for side, times in pairs}


def follow(asked: Connection, document: bytes, frames: Any) -> None:
    """What the second process does: run `frames` whenever it is told to."""
    with Engine.load(document) as engine:
        while asked.recv():
            engine.run(frames)
            asked.send(True)


def measure(name: str, rate: float, rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of one network at one rate."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    bench, rng = BENCHES[name], np.random.default_rng(0)
    frames = rng.random((bench.samples, TIMESTEPS, *bench.shape)) < rate
    frames = frames.astype(np.float32)
    x = torch.from_numpy(frames).transpose(0, 1).contiguous()
    with torch.inference_mode():
        model = build(bench).eval()
        if name == "mnist" and WEIGHTS.exists():
            publish(model)
        fit(model, x, rate)
        network = lowered(bench, model)
        others = sides(model, x)
        with Engine.load(network) as engine, Engine.load(whole(network)) as integers:
            for other in others.values():
                np.testing.assert_array_equal(engine.run(frames).logits, other().numpy())
            ours = {
                "engine": lambda: engine.run(frames),
                "int8": lambda: integers.run(frames),
            }
            taken = seconds(*ours.values(), *others.values(), rounds=rounds)
            rates = {"engine": spike_rate(engine, frames), "int8": spike_rate(integers, frames)}
    doubles = sum(getattr(layer, "accumulator", "") == "float64" for layer in network.layers)
    each = [[t / len(frames) for t in times] for times in taken]
    times = dict(zip((*ours, *others), each, strict=True))
    pairs = [("engine", other) for other in others]
    pairs += [("int8", "engine")]
    times |= (twice := abreast(network, frames, rounds))
    pairs += [(side, "1 thread") for side in twice if side != "1 thread"]
    for fast, slow in pairs:
        row = {"network": name, "rate": rate, "side": fast, "versus": slow}
        spikes = {"spike_rate": rates.get(fast, rates["engine"])}
        each = 1e6 * statistics.median(times[fast]) / TIMESTEPS
        row |= spikes | {"float64": doubles, "frame_us": each}
        yield row | compared(times[fast], times[slow])


def median(name: str, rate: float, rounds: int, processes: int) -> Iterator[dict[str, Any]]:
    """The rows of `measure`, each of that of so many fresh processes whose ratio is the median."""
    command = [sys.executable, __file__, "--rounds", str(rounds), "--json"]
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.json")
        for _ in range(processes):
            asked = [*command, str(path), "--networks", name, "--rates", str(rate)]
            subprocess.run(asked, check=True, stdout=subprocess.DEVNULL)
            for row in json.loads(path.read_text()):
                rows.setdefault((row["side"], row["versus"]), []).append(row)
    for several in rows.values():
        ordered = sorted(several, key=lambda row: row["ratio_median"])
        least, most = ordered[0]["ratio_median"], ordered[-1]["ratio_median"]
        yield ordered[len(ordered) // 2] | {"ratio_min": least, "ratio_max": most}


def main() -> None:
    """Measure, print, and write what was printed where --json says."""
    parser = command_line(__doc__, 7)
    parser.add_argument("--networks", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--rates", nargs="+", type=float, default=RATES)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    rows = []
    line = (
        "{network:5} {rate:5.1%} in, {spike_rate:5.1%} inside, {frame_us:7.1f} us a frame: {side} "
        "{ratio_median:.1f} times as fast ({ratio_min:.1f} to {ratio_max:.1f}) as {versus}"
    )
    for name, rate in itertools.product(given.networks, given.rates):
        if given.processes > 1:
            found = median(name, rate, given.rounds, given.processes)
        else:
            found = measure(name, rate, given.rounds)
        for row in found:
            rows.append(row)
            print(line.format(**row), flush=True)
    write(rows, given.json)


if __name__ == "__main__":
    main()
