"""The hooks: what a plugin can offer, slot by slot, and what it can observe.

A registration hook takes no argument and returns an iterable of `Kind(name, config, needs=())`.
The verb named in its docstring is a method of the config object. Observers return nothing and
change nothing. `snnk_doctor` may import what is heavy.
"""
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from snn_kernel.kinds import Kind

if TYPE_CHECKING:
    from snn_kernel.plan import Plan
    from snn_kernel.results import Report

PROJECT = "snn_kernel"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def snnk_datasets() -> Iterable[Kind]:
    """`load(context) -> Splits`: read a data set from where the user keeps it."""


@hookspec
def snnk_preprocessings() -> Iterable[Kind]:
    """`apply(splits, context) -> Splits`: new splits; the ones given stay as they are."""


@hookspec
def snnk_augmentations() -> Iterable[Kind]:
    """`apply(x, y, context, shapes) -> (x, y)`: change a batch; if `evaluate`, test samples too."""


@hookspec
def snnk_neurons() -> Iterable[Kind]:
    """`step(state, current, fire) -> (state, spikes)`; optional `module(context)`, `lower()`."""


@hookspec
def snnk_models() -> Iterable[Kind]:
    """`build(shapes, session) -> model`: a model that the framework of the plan can train."""


@hookspec
def snnk_frameworks() -> Iterable[Kind]:
    """`open(context) -> Session`: whatever must be set up before models are built and trained."""


@hookspec
def snnk_postprocessings() -> Iterable[Kind]:
    """`apply(processed, splits, session, context) -> Outcome`: measure a model, or replace it."""


@hookspec
def snnk_deployers() -> Iterable[Kind]:
    """`deploy(processed, samples, context) -> Deployed`: files for a target, results if it ran."""


@hookspec
def snnk_trackers() -> Iterable[Kind]:
    """`observe(context) -> observer`: an object with some of the observer hooks as methods."""


@hookspec
def snnk_reports() -> Iterable[Kind]:
    """`write(report, context) -> {name: path}`: files that show a whole report to people."""


@hookspec
def snnk_launchers() -> Iterable[Kind]:
    """`launch(carry, jobs) -> iterable of ModelReport`: call carry(job) for each, anywhere."""


@hookspec
def snnk_catalogues() -> Iterable[Kind]:
    """`kinds(slot) -> Mapping[str, Kind]`: a library's kinds by name, each made when looked up."""


@hookspec
def snnk_doctor() -> Mapping[str, str]:
    """{"torch": "2.13.0, no GPU"}: what `snnk doctor` says of where a plugin finds itself."""


@hookspec
def snnk_run_planned(plan: Plan) -> None:
    """A plan has been checked and is about to be carried out."""


@hookspec
def snnk_step_started(step: str) -> None:
    """A step ("dataset", "train scnn_r1", …) begins."""


@hookspec
def snnk_progress(step: str, done: int, total: int, measures: Mapping[str, float]) -> None:
    """`done` of `total` parts of a step are behind us; `measures` so far, e.g. loss."""


@hookspec
def snnk_step_finished(step: str, seconds: float, made: Any) -> None:
    """A step ended after `seconds` and made what flows on."""


@hookspec
def snnk_run_finished(report: Report) -> None:
    """All runs of a plan are done."""


# Every registration hook by the slot it fills: {"dataset": "snnk_datasets", …}.
SLOTS: Mapping[str, str] = {
    name.removeprefix("snnk_")[:-1]: name
    for name, hook in list(globals().items())
    if name.startswith("snnk_") and hook.__annotations__["return"] == "Iterable[Kind]"
}
