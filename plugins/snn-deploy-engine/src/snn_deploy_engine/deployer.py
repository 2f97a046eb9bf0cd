"""The deployers `ZigEngine` and `Specksim`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, gt, in_, instance_of, le, lt, optional

from snn_deploy_engine.running import obstacles, runnable, threads, within

if TYPE_CHECKING:
    from snn_deploy_engine.asynchronous import Answer
    from snn_engine import Run
    from snn_kernel import Context, Deployed, Measure, Processed, Samples, Table
    from snn_kernel.network import Network

DT_US_MAX = 3_600_000_000  # the engine's own limit


def _floor(_: Any, __: Any, value: float | str) -> None:
    if value != "none" and (isinstance(value, str) or not math.isfinite(value)):
        raise ValueError(f"floor is '{value}', not a finite number or \"none\"")


@frozen(kw_only=True)
class ZigEngine:
    """Run the network on this machine's CPU in the Zig engine, and write it as a document.

    execution: "clocked", timesteps as in training, spike for spike; "event", every event by itself,
        as docs/engine_abi.md says; then its counters are told, and spikes are not compared with the
        framework's, for they are others (default "clocked")
    threads: how many samples are run at the same time, 1 to 256; no result depends on it (default:
        one per core)

    The rest is for event execution:

    dt_us: µs of a timestep, in which biases and leaks act once (default 1000)
    order: neurons that one event makes fire do so in the order y, x, channel ("hwc") or channel,
        y, x ("chw") (default "hwc")
    floor: no potential falls below it; "none": unbounded, as trained (default "none")
    single_spike: a neuron fires once per event at most (default false)
    coding: a value of a sample is the number of its events in a timestep ("count"), or their
        probability ("rate") (default "count")
    output_threshold: of the neurons that are added where the readout has none; the class is told by
        who fires most often (default 1.0)
    """

    execution: Literal["clocked", "event"] = field(
        default="clocked", validator=in_(("clocked", "event"))
    )
    threads: int | None = field(default=None, validator=[optional(instance_of(int)), within])
    dt_us: int = field(default=1000, validator=[ge(1), le(DT_US_MAX)])
    order: Literal["hwc", "chw"] = field(default="hwc", validator=in_(("hwc", "chw")))
    floor: float | str = field(default="none", validator=_floor)
    single_spike: bool = False
    coding: Literal["count", "rate"] = field(default="count", validator=in_(("count", "rate")))
    output_threshold: float = field(default=1.0, validator=[gt(0), lt(math.inf)])

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Every model must be one that the engine can run, and run so."""
        yield from obstacles(plan, place, "remove [deploy]")
        if self.execution == "event":
            for model in plan.models:
                yield from self._asynchronous(plan, model)

    def _asynchronous(self, plan: Any, model: Any) -> Iterator[str]:
        """What of a model cannot take single events, as far as its settings tell."""
        from snn_deploy_engine.asynchronous import OUTPUT_FRACTION

        config, who = model.choice.config, f"model '{model.name}'"
        done = getattr(plan, "postprocessings", ())
        pools = getattr(config, "pool_sizes", 0)
        if any(size > 1 for size in (pools if isinstance(pools, tuple) else (pools,))):
            yield (
                f"{who}: its max-pools cannot take single events (pool_sizes = 0 and strides in "
                'their place, or params.execution = "clocked")'
            )
        fused = any(item.choice.kind == "FuseBatchNorm" for item in done)
        if getattr(config, "batch_norm", False) and not fused:
            yield (
                f"{who}: batch normalisation cannot take single events (put a [[postprocessing]] "
                "FuseBatchNorm before)"
            )
        whole = any(hasattr(item.choice.config, "params_of") for item in (model, *done))
        if whole and not math.ldexp(self.output_threshold, OUTPUT_FRACTION).is_integer():
            yield (
                f"{who}: output_threshold is {self.output_threshold:g}, no multiple of "
                f"2^-{OUTPUT_FRACTION} as potentials of a quantised network are (1.0 and 0.375 are)"
            )

    @property
    def target(self) -> str:
        """By which name its results are told."""
        return type(self).__name__

    def deploy(self, processed: Processed, samples: Samples, context: Context) -> Deployed:
        """Write `<name>.network` into the context's folder, run all samples, measure.

        Raises RunError if the network could not be lowered or the engine refuses it, DataError if
        the samples do not fit it.
        """
        from snn_kernel import write_atomic

        network = runnable(processed, samples)
        path = context.folder / f"{processed.name}.network"
        if self.execution == "event":
            from snn_deploy_engine.asynchronous import spiking

            network = spiking(network, self.output_threshold)
            write_atomic(path, network.pack())
            return self._by_events(network, path, samples, context)
        write_atomic(path, network.pack())
        return self._by_clock(network, path, samples, context)

    def _by_clock(
        self, network: Network, path: Path, samples: Samples, context: Context
    ) -> Deployed:
        from snn_engine import Engine
        from snn_kernel import Deployed, Prediction

        with Engine.load(network) as engine:
            start = time.perf_counter()
            run = engine.run(
                samples.channels_first(),
                spikes=True,
                threads=threads(self.threads),
                progress=lambda done, total: context.progress("deploy", done, total, {}),
            )
            seconds = time.perf_counter() - start
        prediction = Prediction(run.logits, run.spikes, run.neurons)
        accuracy = prediction.accuracy(samples.y)
        return Deployed(
            target=self.target,
            files={"network": path},
            prediction=prediction,
            measures=_measures(self.target, accuracy, _spikes(run), len(samples), seconds),
            tables=(_formats(self.target, network),) if network.quantised else (),
        )

    def _by_events(
        self, network: Network, path: Path, samples: Samples, context: Context
    ) -> Deployed:
        from snn_deploy_engine.asynchronous import Encoder, answers
        from snn_engine import Event
        from snn_kernel import DataError, Deployed

        timed = network.mode == "sequence"
        encoder = Encoder(self.coding, self.dt_us, network.timesteps, timed)
        if what := encoder.fault(samples.x):
            raise DataError(what)
        floor = None if isinstance(self.floor, str) else self.floor
        how = Event(order=self.order, floor=floor, single_spike=self.single_spike, dt_us=self.dt_us)
        start = time.perf_counter()
        found = answers(network, samples, encoder, how, threads(self.threads), context)
        seconds = time.perf_counter() - start
        accuracy = float(np.mean(found.counts.argmax(axis=1) == samples.y))
        spikes = sum(count["events_out"] for count in found.counters.values())
        formats = (_formats(self.target, network),) if network.quantised else ()
        return Deployed(
            target=self.target,
            files={"network": path},
            measures=_measures(self.target, accuracy, spikes, len(samples), seconds),
            tables=(_counters(self.target, found), *formats),
            samples=len(samples),
        )


@frozen(kw_only=True)
class Specksim(ZigEngine):
    """ZigEngine with what SynSense documents of its simulator Specksim as defaults.

    execution: "event", every event by itself; "clocked", timesteps as in training (default "event")
    threads: how many samples are run at the same time, 1 to 256; no result depends on it (default:
        one per core)
    dt_us: µs of a timestep, in which biases and leaks act once (default 1000)
    order: neurons that one event makes fire do so in the order y, x, channel ("hwc") or channel,
        y, x ("chw") (default "hwc")
    floor: no potential falls below it; "none": unbounded (default -1.0)
    single_spike: a neuron fires once per event at most (default false)
    coding: a value of a sample is the number of its events in a timestep ("count"), or their
        probability ("rate") (default "count")
    output_threshold: of the neurons that are added where the readout has none; the class is told by
        who fires most often (default 1.0)
    """

    example: ClassVar[Mapping[str, Any]] = {"coding": "rate"}

    execution: Literal["clocked", "event"] = field(
        default="event", validator=in_(("clocked", "event"))
    )
    floor: float | str = field(default=-1.0, validator=_floor)


def _spikes(run: Run) -> int:
    return sum(count.get("spikes", 0) for count in run.counts.values())


def _measures(
    target: str, accuracy: float, spikes: int, samples: int, seconds: float
) -> tuple[Measure, ...]:
    from snn_kernel import Measure

    return (
        Measure("accuracy", accuracy, "", "counted", "run", target),
        Measure("spikes", spikes / samples, "", "counted", "sample", target),
        Measure("engine_time", 1e3 * seconds / samples, "ms", "measured", "sample", target),
    )


def _counters(target: str, found: Answer) -> Table:
    """What event execution took of each operation, per layer and sample."""
    from snn_kernel import Table

    names = tuple(next(iter(found.counters.values())))
    samples = len(found.counts)
    rows = [
        (layer, *(count[name] / samples for name in names))
        for layer, count in found.counters.items()
    ]
    brief = ("layer", "events_in", "events_out", "synaptic_operations")
    return Table("event_counters", ("layer", *names), tuple(rows), source=target, brief=brief)


def _formats(target: str, network: Network) -> Table:
    """In which formats each layer of a quantised network computes, "8.6 nearest" being 8 bits of
    which 6 are fraction bits; the largest magnitude within it, in units, and the integers that
    it is formed in."""
    from snn_kernel import Table

    def text(format: Any) -> str:
        return f"{format.bits}.{format.fraction} {format.rounding}" if format is not None else ""

    rows = [("input", "", "", "", text(network.input_format), network.bounds["input"].peak, "")]
    for layer in network.layers:
        bound = network.bounds[layer.name]
        kinds = ("weight_format", "state_format", "format")
        inputs = ", ".join(map(text, getattr(layer, "input_formats", ())))
        own = [text(getattr(layer, kind, None)) for kind in kinds]
        rows.append((layer.name, inputs, *own, bound.sum, bound.accumulator))
    columns = ("layer", "input", "weight", "state", "output", "bound", "accumulator")
    brief = ("layer", "weight", "state", "output", "accumulator")
    return Table("formats", columns, tuple(rows), source=target, brief=brief)
