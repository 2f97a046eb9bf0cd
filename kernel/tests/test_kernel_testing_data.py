"""Data that a run refuses do not pass the conformance kit, and the run says the same of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve, field, frozen

from snn_kernel import DataError, Kind, Samples, Splits, testing
from snn_kernel.registry import Registry
from snn_kernel.run import shapes
from snn_kernel.testing import data
from snn_kernel.testing.splits import splits
from snn_kernel.testing.subject import SkippedError, Subject
from toys import TOY, Entry, plugin
from verdicts import broken, tells

pytestmark = pytest.mark.usefixtures("cheap")
Change = Callable[[Splits], Splits]


@frozen
class Given:
    """A data set that is what it is told to be."""

    change: Any = field(default=lambda made: made)
    of: Splits = field(factory=splits)

    def load(self, context: Any) -> Splits:
        return self.change(self.of)  # type: ignore[no-any-return]


def relabelled(*names: str, by: Callable[[Any], Any]) -> Change:
    """With other labels in the sets of these names."""

    def change(made: Splits) -> Splits:
        sets = {n: getattr(made, n) for n in names}
        return evolve(made, **{n: evolve(s, y=by(s.y)) for n, s in sets.items()})

    return change


def emptied(name: str) -> Change:
    """With the set `name` there, but empty."""
    return lambda made: evolve(made, **{name: made.samples("train").take(slice(0))})


def cropped(made: Splits) -> Splits:
    test = made.samples("test")
    return evolve(made, test=evolve(test, x=test.x[:, 1:]))


REFUSED: dict[str, tuple[Change, str]] = {
    "one class": (
        lambda s: evolve(relabelled("train", "test", by=lambda y: 0 * y)(s), classes=1),
        "the data set has 1 classes; a classifier needs 2 or more",
    ),
    "classes are no whole number": (
        lambda s: evolve(s, classes=3.0),
        "the data set has 3.0 classes; a classifier needs 2 or more",
    ),
    "classes that never occur": (
        lambda s: evolve(s, classes=5),
        "no training sample of class 3, 4",
    ),
    "one of the classes alone": (
        relabelled("train", by=lambda y: 0 * y),
        "no training sample of class 1, 2",
    ),
    "labels from 1": (
        relabelled("train", by=lambda y: y + 1),
        "train labels are 1 to 3, for 3 classes",
    ),
    "test labels from 1": (
        relabelled("test", by=lambda y: y + 1),
        "test labels are 1 to 3, for 3 classes",
    ),
    "labels below 0": (
        relabelled("test", by=lambda y: y - 1),
        "test labels are -1 to 1, for 3 classes",
    ),
    "no test set": (lambda s: evolve(s, test=None), "the data set has no test samples"),
    "an empty test set": (emptied("test"), "the data set has no test samples"),
    "events to test": (
        lambda s: evolve(s, test=splits("events").test),
        "the test set still holds events: a preprocessing must make frames",
    ),
}


@pytest.mark.parametrize(("change", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_run_refuses_the_kit_does_too(change: Change, said: str) -> None:
    found = broken(testing.check_dataset, Given(change))
    assert len(found) == 1
    (text,) = found.values()
    assert tells(text), text
    with pytest.raises(DataError) as caught:
        shapes(change(splits()))
    assert said in str(caught.value)
    assert said in text


@pytest.mark.parametrize("change", [emptied("train"), lambda s: evolve(s, train=None)])
def test_nothing_is_asked_of_data_without_a_training_set(change: Change) -> None:
    assert broken(testing.check_dataset, Given(change)).keys() == {"data can be loaded"}


@pytest.mark.parametrize("change", [lambda s: s, emptied("valid")], ids=["whole", "valid is empty"])
def test_what_a_run_takes_passes(change: Change) -> None:
    testing.check_dataset(Given(change))
    shapes(change(splits()))
    testing.check_dataset(Given(of=splits("events")))


UNSOUND: dict[str, tuple[Change, str]] = {
    "another shape to validate": (
        lambda s: evolve(s, valid=splits("NLC").train),
        "samples of the sets have the shapes train (8, 8, 1), valid (16, 2)",
    ),
    "other shapes to test": (cropped, "samples of the sets have the shapes train (8, 8, 1)"),
    "samples of nothing": (
        lambda s: s.map(lambda found: evolve(found, x=found.x[:, :, :0])),
        "samples of the test set are (8, 0, 1). Give them values.",
    ),
}


@pytest.mark.parametrize(("change", "said"), UNSOUND.values(), ids=UNSOUND.keys())
def test_what_a_run_finds_out_too_late_is_found(change: Change, said: str) -> None:
    found = broken(testing.check_dataset, Given(change))
    assert found.keys() == {"data are sound"}
    assert said in found["data are sound"]


def test_data_in_an_unknown_layout_cannot_be_loaded() -> None:
    found = broken(
        testing.check_dataset,
        Given(lambda s: s.map(lambda found: evolve(found, layout="NCHW"))),
    )
    assert "layout 'NCHW' is none of" in found["data can be loaded"]


def test_events_are_looked_at_as_well() -> None:
    whole = splits("events")
    for change, said in (
        (lambda s: evolve(s, classes=4), "no training sample of class 3"),
        (lambda s: evolve(s, test=None), "the data set has no test samples"),
        (lambda s: evolve(s, test=evolve(s.test, size=(8, 9, 2))), "events of different sizes"),
        (lambda s: s.map(lambda e: evolve(e, size=(8, 7, 2))), "lie beyond (8, 7, 2) in y"),
    ):
        found = broken(testing.check_dataset, Given(change, whole))
        assert found.keys() == {"data are sound"}
        assert said in found["data are sound"]


def test_data_that_cannot_be_are_no_missing_files(tmp_path: Path) -> None:
    """As a test of its own, each check skips data sets whose files are elsewhere, and no others."""

    def doubled(made: Splits) -> Splits:
        return made.map(lambda s: Samples(s.x.astype(np.float64), s.y, s.layout))

    def absent(made: Splits) -> Splits:
        raise DataError("there are no files")

    with pytest.raises(DataError, match="samples are float64"):
        list(data.data_can_be_loaded(Subject("dataset", "Given", Given(doubled), tmp_path)))
    with pytest.raises(SkippedError, match="there are no files"):
        list(data.data_can_be_loaded(Subject("dataset", "Given", Given(absent), tmp_path)))


@frozen
class Relabelling:
    """Merges classes, and loses samples to test on where asked to."""

    lose: bool = False

    def apply(self, given: Splits, context: Any) -> Splits:
        made = given if self.lose else relabelled("train", by=lambda y: y // 2)(given)
        return evolve(made, test=None) if self.lose else evolve(made, classes=2)


def test_preprocessings_are_held_to_the_same() -> None:
    found = broken(testing.check_preprocessing, Relabelling(lose=True), splits=splits())
    assert found.keys() == {"made data are sound"}
    assert "the data set has no test samples" in found["made data are sound"]
    found = broken(testing.check_preprocessing, Relabelling(), splits=splits())
    assert "test labels are 0 to 2, for 2 classes" in found["made data are sound"]
    untested = evolve(splits(), test=None)
    testing.check_preprocessing(Relabelling(lose=True), splits=untested)


def test_a_run_says_so_before_anything_is_trained(
    install: Any, experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from snnk.command import main

    @frozen
    class Untested:
        def load(self, context: Any) -> Splits:
            return evolve(splits("NC"), test=None)

    install(Entry("toy", TOY), Entry("more", plugin(dataset=[Kind("Untested", Untested)])))
    assert Registry.discover().usable("dataset")
    assert main(["run", str(experiment), "dataset.kind=Untested"]) == 2
    said = capsys.readouterr()
    assert "the data set has no test samples" in said.err
    assert "train one" not in said.out + said.err
