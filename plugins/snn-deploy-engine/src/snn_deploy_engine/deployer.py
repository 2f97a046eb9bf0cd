"""The deployer `ZigEngine`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen
from attrs.validators import in_, instance_of, optional

from snn_deploy_engine.running import TARGET, obstacles, runnable, threads, within

if TYPE_CHECKING:
    from snn_engine import Run
    from snn_kernel import Context, Deployed, Measure, Processed, Samples, Table
    from snn_kernel.network import Network


@frozen
class ZigEngine:
    """Run the network on this machine's CPU in the Zig engine, and write it as a document.

    execution: "clocked", timesteps as in training, spike for spike (default "clocked").
    threads: how many samples are run at the same time, 1 to 256; no result depends on it (default:
        one per core).
    """

    execution: Literal["clocked"] = field(default="clocked", validator=in_(("clocked",)))
    threads: int | None = field(default=None, validator=[optional(instance_of(int)), within])

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Every model must be one that the engine can run."""
        return obstacles(plan, "remove [deploy]")

    def deploy(self, processed: Processed, samples: Samples, context: Context) -> Deployed:
        """Write `<name>.network` into the context's folder, run all samples, measure.

        Raises RunError if the network could not be lowered or the engine refuses it, DataError if
        the samples do not fit it.
        """
        from snn_engine import Engine
        from snn_kernel import Deployed, Prediction, write_atomic

        network = runnable(processed, samples)
        document = network.pack()
        path = write_atomic(context.folder / f"{processed.name}.network", document)
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
        return Deployed(
            target=TARGET,
            files={"network": path},
            prediction=prediction,
            measures=_measures(prediction.accuracy(samples.y), run, len(samples), seconds),
            tables=(_formats(network),) if network.quantised else (),
        )


def _measures(accuracy: float, run: Run, samples: int, seconds: float) -> tuple[Measure, ...]:
    from snn_kernel import Measure

    spikes = sum(count.get("spikes", 0) for count in run.counts.values())
    return (
        Measure("accuracy", accuracy, "", "counted", "run", TARGET),
        Measure("spikes", spikes / samples, "", "counted", "sample", TARGET),
        Measure("engine_time", 1e3 * seconds / samples, "ms", "measured", "sample", TARGET),
    )


def _formats(network: Network) -> Table:
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
    return Table("formats", columns, tuple(rows), source=TARGET, brief=brief)
