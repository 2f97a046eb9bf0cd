"""The postprocessing `EventCounter`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen
from attrs.validators import instance_of, optional

from snn_deploy_engine.running import TARGET, obstacles, runnable, threads, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from snn_kernel import Context, Outcome, Processed, Session, Splits, Table

KIND = "EventCounter"
OPERATIONS = "synaptic_operations"
BRIEF = ("layer", "events_in", "events_out", OPERATIONS, "potential_reads")


@frozen
class EventCounter:
    """Run the test set in the Zig engine and count, layer by layer, what an event-driven machine
    would do for it: spikes in and out, synaptic operations with borders, strides and groups taken
    into account, reads and writes of potentials, reads of weights and biases, comparisons, leaks
    and resets.

    Table "counts" has the means per sample by the names of docs/engine_abi.md; what
    EnergyEstimationMetric and OperationCounter show as counted is made of them. Table "spread" has
    how synaptic operations vary between samples.

    threads: how many samples are run at the same time, 1 to 256; no count depends on it (default:
        one per core).
    """

    counts_events: ClassVar[bool] = True  # for whoever checks that somebody does
    threads: int | None = field(default=None, validator=[optional(instance_of(int)), within])

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Every model must be one that the engine can run."""
        return obstacles(plan, f"remove {KIND}")

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """Tables "counts" and "spread", and synaptic operations as a measure.

        Raises RunError if the network could not be lowered or the engine refuses it, DataError if
        the samples do not fit it.
        """
        import numpy as np

        from snn_engine import Engine
        from snn_kernel import Measure, Outcome

        samples = splits.samples("test")
        with Engine.load(runnable(processed, samples)) as engine:
            found = engine.run(
                samples.channels_first(),
                counters=True,
                threads=threads(self.threads),
                progress=lambda done, total: context.progress("count", done, total, {}),
            ).counters
        about = f"{KIND}: {TARGET}, '{processed.name}' on {len(samples)} test samples"
        operations = {n: c[OPERATIONS] for n, c in found.items() if c["weight_reads"].any()}
        nothing = np.zeros(len(samples), np.uint64)
        total = sum((column[OPERATIONS] for column in found.values()), nothing)
        mean = Measure(OPERATIONS, _mean(total), "operations", "counted", "sample", KIND)
        return Outcome((mean,), (_counts(found, about), _spread(operations, total, about)))


def _counts(found: Any, about: str) -> Table:
    """Means per sample, a row for each layer."""
    from snn_engine import COUNTERS
    from snn_kernel import Table

    rows = [(name, *(_mean(counts[c]) for c in COUNTERS)) for name, counts in found.items()]
    rows.append(("Total", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    return Table("counts", ("layer", *COUNTERS), tuple(rows), source=about, brief=BRIEF)


def _mean(column: NDArray[np.uint64]) -> float:
    return int(column.sum()) / len(column)


def _spread(operations: Any, total: NDArray[np.uint64], about: str) -> Table:
    """Synaptic operations between the samples, and which sample takes the most."""
    import numpy as np

    from snn_kernel import Table

    rows = []
    for name, column in {**operations, "Total": total}.items():
        low, middle, high = (float(q) for q in np.quantile(column, (0, 0.5, 0.95)))
        rows.append((name, low, middle, high, float(column.max()), int(column.argmax())))
    columns = ("layer", "least", "median", "percentile_95", "most", "most_in_sample")
    return Table("spread", columns, tuple(rows), OPERATIONS.replace("_", " "), about, columns)
