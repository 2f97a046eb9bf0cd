"""A whole run, of a perceptron in numpy: for what stands around a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy
from attrs import frozen

from snn_kernel import hookspecs
from snn_kernel.hookspecs import PROJECT
from snn_kernel.kinds import Choice, Context, Kind, Offer
from snn_kernel.plan import Bench, Model, Plan
from snn_kernel.record import RunFolder
from snn_kernel.registry import Registry
from snn_kernel.results import Report
from snn_kernel.run import Run
from snn_kernel.signals import Splits
from snn_kernel.testing.plain import PlainFramework, PlainPerceptron
from snn_kernel.testing.splits import splits
from snn_kernel.testing.subject import Subject


@frozen
class PlainSamples:
    """Small images of noise."""

    def load(self, context: Context) -> Splits:
        """A training and a test set."""
        return splits()


def carried(
    subject: Subject, tracker: Any = None, launch: Callable[..., Any] = map
) -> tuple[Report, list[str]]:
    """The report of an experiment of two runs, and what it warned of; no plugin listens to it."""
    bench, perceptron = {"name": "trial", "last_run": 2}, _chosen("model", PlainPerceptron())
    sections: dict[str, Any] = {
        "bench": Bench(**bench),  # type: ignore[arg-type]
        "dataset": _chosen("dataset", PlainSamples()),
        "learningframework": _chosen("framework", PlainFramework()),
        "model": (Model(choice=perceptron, name="trial", epochs=1, batch_size=8),),
        "experimenttracking": _chosen("tracker", tracker) if tracker else None,
    }
    plan = Plan(**sections)
    object.__setattr__(plan, "document", {"bench": bench})
    object.__setattr__(plan, "registry", Registry(listeners()))
    said: list[str] = []
    folder = subject.folder / "run"
    folder.mkdir(exist_ok=True)
    return Run(plan, RunFolder(folder, {}, said.append), launch=launch).carry(), said


def listeners() -> pluggy.PluginManager:
    """A manager of hooks that knows them all, and nobody who answers."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _chosen(slot: str, config: Any) -> Choice:
    kind = Kind(type(config).__name__, type(config))
    return Choice(f"[{slot}]", Offer(slot, kind, "snn-kernel", ""), config)
