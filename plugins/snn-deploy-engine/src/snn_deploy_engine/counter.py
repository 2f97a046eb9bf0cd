"""The postprocessing `EventCounter`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen
from attrs.validators import instance_of, optional

from snn_deploy_engine.running import TARGET, obstacles, runnable, threads, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from snn_kernel import Context, Outcome, Processed, Session, Splits, Table

    Counters = Mapping[str, Mapping[str, NDArray[np.uint64]]]

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
        return obstacles(plan, place, f"remove {KIND}")

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """Tables "counts" and "spread"; events and reads of weights, in all, as measures.

        Raises RunError if the network could not be lowered or the engine refuses it, DataError if
        the samples do not fit it.
        """
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
        counts = _counts(found, about)
        means = dict(zip(counts.columns, counts.rows[-1], strict=True))
        measures = tuple(
            Measure(name, means[name], unit, "counted", "sample", KIND)
            for name, unit in (("events_in", "events"), ("weight_reads", "accesses"))
        )
        return Outcome(measures, (counts, _spread(found, about)))


def _counts(found: Counters, about: str) -> Table:
    """Means per sample, a row for each layer and their sums."""
    from snn_engine import COUNTERS
    from snn_kernel import Table

    rows = [
        (name, *(int(columns[c].sum()) / len(columns[c]) for c in COUNTERS))
        for name, columns in found.items()
    ]
    rows.append(("Total", *(sum(row[i + 1] for row in rows) for i in range(len(COUNTERS)))))
    return Table("counts", ("layer", *COUNTERS), tuple(rows), source=about, brief=BRIEF)


def _spread(found: Counters, about: str) -> Table:
    """How many synaptic operations the samples take, and which of them takes the most."""
    import numpy as np

    from snn_kernel import Table

    taken = {n: columns[OPERATIONS] for n, columns in found.items() if columns[OPERATIONS].any()}
    if taken:
        taken["Total"] = np.sum(list(taken.values()), axis=0)
    rows = []
    for name, column in taken.items():
        least, median, high = (float(q) for q in np.quantile(column, (0, 0.5, 0.95)))
        rows.append((name, least, median, high, float(column.max()), int(column.argmax())))
    columns = ("layer", "least", "median", "percentile_95", "most", "most_in_sample")
    return Table("spread", columns, tuple(rows), "synaptic operations", about, columns)
