"""Augmentations, trackers, reports, launchers, catalogues: those that are wrong are caught."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve, field, frozen

from snn_kernel import Kind, hookimpl, testing, write_atomic
from snn_kernel.hookspecs import SLOTS
from snn_kernel.testing.conformance import CHECKS
from toys import Backwards, Listen, Noise, Page, Step
from verdicts import broken, tells

pytestmark = pytest.mark.usefixtures("cheap")


def test_every_slot_has_checks_and_a_call() -> None:
    assert CHECKS.keys() == SLOTS.keys()
    assert {f"check_{slot}" for slot in SLOTS} == set(testing.__all__)
    assert all(callable(getattr(testing, name)) for name in testing.__all__)


@frozen
class Verbless:
    """Nothing at all."""


@pytest.mark.parametrize("slot", ["augmentation", "tracker", "report", "launcher", "catalogue"])
def test_a_kind_without_its_verb_is_caught(slot: str) -> None:
    found = broken(getattr(testing, f"check_{slot}"), Verbless)
    assert len(found) == 1
    (text,) = found.values()
    assert "has no attribute" in text


@frozen
class Change:
    """An augmentation that does as it is told with x, y, and chance."""

    does: Any
    evaluate: bool = False

    def apply(self, x: Any, y: Any, context: Any, shapes: Any) -> Any:
        return self.does(x, y)


def brightened(x: Any, y: Any) -> Any:
    x += 1
    return x, y


AUGMENTATIONS = [
    (lambda x, y: x, "some batches are taken"),
    (lambda x, y: (x[:, 1:], y), "batches are sound"),
    (lambda x, y: (x.astype(float), y), "batches are sound"),
    (lambda x, y: (x * np.float32(np.nan), y), "batches are sound"),
    (lambda x, y: (x, y + 1), "batches are sound"),
    (lambda x, y: (x, y[:-1]), "batches are sound"),
    (lambda x, y: (x, np.ones((len(y), 3), np.float32)), "batches are sound"),
    (brightened, "the batch given stays"),
    (
        lambda x, y: (x + np.random.default_rng().random(dtype=np.float32), y),
        "one seed gives one batch",
    ),
]


@pytest.mark.parametrize(("does", "meant"), AUGMENTATIONS)
def test_wrong_augmentations_are_caught(does: Any, meant: str) -> None:
    found = broken(testing.check_augmentation, Change(does))
    assert found.keys() <= {meant, "one seed gives one batch"}
    assert tells(found[meant]), found[meant]


def test_labels_of_what_is_tested_stay() -> None:
    def mixed(x: Any, y: Any) -> Any:
        return x, np.eye(3, dtype=np.float32)[y]

    testing.check_augmentation(Change(mixed))
    found = broken(testing.check_augmentation, Change(mixed, evaluate=True))
    assert found.keys() == {"batches are sound"}
    assert "Let `evaluate` be false" in found["batches are sound"]


@frozen
class Follow:
    """A tracker with the observer that it is given."""

    observer: Any

    def observe(self, context: Any) -> Any:
        return self.observer


class Unmarked:
    def snnk_step_started(self, step: str) -> None: ...


class Misspelt:
    @hookimpl
    def snnk_step_start(self, step: str) -> None: ...


class Misnamed:
    @hookimpl
    def snnk_step_started(self, stp: str) -> None: ...


class Strict:
    """Takes training for the only step that makes progress."""

    @hookimpl
    def snnk_step_finished(self, step: str, made: Any) -> None:
        assert step.startswith("train"), step


class Offering:
    @hookimpl
    def snnk_neurons(self) -> Any:
        return []


@pytest.mark.parametrize(
    ("observer", "meant", "said"),
    [
        (object(), "an observer comes back", "which has no observer hook"),
        (None, "an observer comes back", "observe returned NoneType"),
        (Unmarked(), "an observer comes back", "Decorate it with @hookimpl"),
        (Misspelt(), "an observer comes back", "did you mean 'snnk_step_started'?"),
        (Offering(), "an observer comes back", "there is no observer hook 'snnk_neurons'"),
        (Misnamed(), "an observer comes back", "'stp'"),
        (Strict(), "it observes a run", "an observer of snnk_step_finished failed"),
    ],
)
def test_wrong_trackers_are_caught(observer: Any, meant: str, said: str) -> None:
    found = broken(testing.check_tracker, Follow(observer))
    assert found.keys() == {meant}
    assert said in found[meant]
    assert tells(found[meant]), found[meant]


class Count:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @hookimpl
    def snnk_run_planned(self, plan: Any) -> None:
        self.heard.append(plan.bench.name)

    @hookimpl
    def snnk_run_finished(self, report: Any) -> None:
        self.heard.append(f"{len(report.runs)} runs of {report.name}")


def test_a_right_tracker_sees_a_whole_run() -> None:
    observer = Count()
    testing.check_tracker(Follow(observer))
    assert observer.heard == ["trial", "2 runs of trial"]
    found = broken(testing.check_tracker, Listen)
    assert "the server of the tracker is gone" in found["it observes a run"]


@frozen
class Written:
    """A report that gives what it is told to."""

    gives: Any

    def write(self, report: Any, context: Any) -> Any:
        return self.gives(context.folder)


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (lambda folder: None, "write returned NoneType"),
        (lambda folder: write_atomic(folder / "a", ""), "Return a dict"),
        (lambda folder: {"page": str(write_atomic(folder / "a", ""))}, "give its Path"),
        (lambda folder: {"page": folder / "absent"}, "is not in the folder of the run"),
        (lambda folder: {"page": Path(__file__)}, "is not in the folder of the run"),
        (lambda folder: {"page": folder}, "is not in the folder of the run"),
    ],
)
def test_wrong_reports_are_caught(gives: Any, said: str) -> None:
    found = broken(testing.check_report, Written(gives))
    assert found.keys() == {"files come back"}
    assert said in found["files come back"]
    assert tells(found["files come back"])


@frozen
class Launch:
    """A launcher that does as it is told."""

    does: Any

    def launch(self, carry: Any, jobs: Any) -> Any:
        return self.does(carry, jobs)


def altered(carry: Any, jobs: Any) -> Any:
    for one in map(carry, jobs):
        prediction = one.processed.prediction
        wrong = evolve(prediction, logits=prediction.logits + 1)
        yield evolve(one, processed=evolve(one.processed, prediction=wrong))


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (lambda carry, jobs: [carry(jobs[0])], "it gave trial 1. Carry each out once."),
        (lambda carry, jobs: [], "it gave none."),
        (lambda carry, jobs: [carry(jobs[0])] * 2, "it gave trial 1, trial 1."),
        (lambda carry, jobs: jobs, "launch gave Job."),
        (lambda carry, jobs: None, "raised TypeError"),
        (altered, "predicts otherwise"),
    ],
)
def test_wrong_launchers_are_caught(does: Any, said: str) -> None:
    found = broken(testing.check_launcher, Launch(does))
    assert found.keys() == {"every job is carried out"}
    assert said in found["every job is carried out"]


@frozen
class Shelf:
    """A catalogue with what it is told for neurons."""

    has: Any = field(factory=dict)
    other: Any = field(factory=dict)

    def kinds(self, slot: str) -> Any:
        return self.has if slot == "neuron" else self.other


class Sloppy(dict[str, Kind]):
    def __contains__(self, name: object) -> bool:
        return True


class Denying(dict[str, Kind]):
    def __contains__(self, name: object) -> bool:
        return False


RIGHT: Mapping[str, Kind] = {"Step": Kind("Step", Step)}


@pytest.mark.parametrize(
    ("has", "meant", "said"),
    [
        (["Step"], "kinds are mapped", "kinds returned list"),
        (None, "kinds are mapped", "kinds returned NoneType"),
        (Sloppy(RIGHT), "kinds are mapped", "Let `in` look at the names"),
        ({1: Kind("Step", Step)}, "kinds are mapped", "has the name 1"),
        (Denying(RIGHT), "kinds answer to their names", "`in` denies it"),
        ({"Step": Step}, "kinds answer to their names", "Give a snn_kernel.Kind"),
        ({"Other": Kind("Step", Step)}, "kinds answer to their names", "named 'Step'"),
        ({"Far": Kind("Far", "nowhere:Far")}, "kinds answer to their names", "No module named"),
    ],
)
def test_wrong_catalogues_are_caught(has: Any, meant: str, said: str) -> None:
    found = broken(testing.check_catalogue, Shelf(has))
    assert found.keys() == {meant}
    assert said in found[meant]


def test_right_ones_pass() -> None:
    testing.check_augmentation(Noise)
    testing.check_report(Page)
    testing.check_launcher(Backwards)
    testing.check_catalogue(Shelf(RIGHT))
    testing.check_catalogue(Shelf())


def test_a_catalogue_that_fails_is_caught() -> None:
    @frozen
    class Torn:
        def kinds(self, slot: str) -> Any:
            raise RuntimeError("catalogue is broken")

    assert "catalogue is broken" in broken(testing.check_catalogue, Torn)["kinds are mapped"]
