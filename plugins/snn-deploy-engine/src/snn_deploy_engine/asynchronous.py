"""Samples as events, and what a network in event execution makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

if TYPE_CHECKING:
    from snn_engine import Event
    from snn_kernel import Context, Samples
    from snn_kernel.network import Network

Coding = Literal["count", "rate"]
PART_SAMPLES = 64  # that are drawn, run and told at once
OUTPUT = "output"  # the spiking layer that is added behind a readout that has none
OUTPUT_FRACTION = 16  # bits behind the point of its potentials, if quantised


def spiking(network: Network, threshold: float) -> Network:
    """The network with neurons of `threshold` behind its readout, if that does not spike."""
    from attrs import evolve

    from snn_kernel.network import Format, Neuron

    last = network.layers[-1]
    if isinstance(last, Neuron):
        return network
    state = Format(32, OUTPUT_FRACTION) if network.quantised else None
    layers = (*network.layers, Neuron(OUTPUT, threshold, state_format=state))
    return evolve(network, layers=layers, edges=(*network.edges, (last.name, OUTPUT)))


@frozen
class Encoder:
    """How a value of a frame becomes events of a timestep of `dt_us`.

    "count": it is their number. "rate": it is, within 0 … 1, the probability of one.
    """

    coding: Coding
    dt_us: int
    timesteps: int
    timed: bool  # whether timesteps are in the frames

    def fault(self, frames: NDArray[np.float32]) -> str:
        """What is wrong with the frames; empty if nothing is."""
        if self.coding == "rate":
            wrong = (frames < 0) | (frames > 1)
            what = "is no probability of an event (0 … 1)"
        else:
            wrong = (frames < 0) | (frames != np.floor(frames)) | (frames > 65_535)
            what = 'is no number of events (params.coding = "rate" draws events from 0 … 1)'
        return f"a value of the samples, {frames[wrong][0]}, {what}" if wrong.any() else ""

    def events(self, frames: NDArray[np.float32], rng: np.random.Generator) -> NDArray[Any]:
        """One sample, [C, …] shown at every timestep or [T, C, …], as records, times ascending;
        within a timestep in the order p, y, x."""
        from snn_kernel import EVENT

        steps = frames if self.timed else frames[None]
        shape = (self.timesteps, *(*steps.shape[1:], 1, 1)[:3])
        shown = np.broadcast_to(steps.reshape(-1, *shape[1:]), shape)
        if self.coding == "rate":
            counts = (rng.random(shown.shape) < shown).astype(np.int64)
        else:
            counts = shown.astype(np.int64)
        t, p, y, x = np.nonzero(counts)
        records = np.empty(len(t), EVENT)
        records["t"] = t * self.dt_us
        records["p"], records["y"], records["x"] = p, y, x
        return np.repeat(records, counts[t, p, y, x])


@frozen
class Answer:
    """Per sample how often each output fired, int64 [N, K]; the sums of all counters."""

    counts: NDArray[np.int64]
    counters: Mapping[str, Mapping[str, int]]


def answers(
    network: Network, samples: Samples, encoder: Encoder, how: Event, threads: int, context: Context
) -> Answer:
    """Each sample from rest, on `threads`; which events are drawn depends on the context's seed
    alone."""
    from snn_engine import EventEngine

    rng = np.random.default_rng(context.seed)
    frames = samples.channels_first()
    outputs = int(np.prod(network.shapes[network.layers[-1].name]))
    counts = np.zeros((len(samples), outputs), np.int64)
    counters: dict[str, dict[str, int]] = {}
    with EventEngine.load(network, how) as engine:
        for start in range(0, len(frames), PART_SAMPLES):
            part = [encoder.events(f, rng) for f in frames[start : start + PART_SAMPLES]]
            records, found = engine.samples(part, threads)
            for i, out in enumerate(records, start):
                counts[i] = np.bincount(out["p"], minlength=outputs)
            for layer, count in found.items():
                into = counters.setdefault(layer, dict.fromkeys(count, 0))
                for name, n in count.items():
                    into[name] += n
            context.progress("deploy", start + len(part), len(frames), {})
    return Answer(counts, counters)
