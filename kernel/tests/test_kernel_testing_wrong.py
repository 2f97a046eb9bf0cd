"""Plugins that are wrong on purpose: each is caught by the check meant for it, and by no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve, field, frozen

from snn_kernel import Deployed, Measure, Outcome, Samples, Splits, testing, write_atomic
from snn_kernel.registry import Registry
from snn_kernel.testing.plain import PlainFramework, PlainPerceptron, PlainSession
from snn_kernel.testing.splits import splits
from toys import Step
from verdicts import broken, tells

pytestmark = pytest.mark.usefixtures("cheap")


@frozen
class Shuffled:
    def load(self, context: Any) -> Splits:
        made = splits()
        order = np.random.default_rng().permutation(24)
        return evolve(made, train=made.samples("train").take(order))


@frozen
class FromOne:
    def load(self, context: Any) -> Splits:
        return splits().map(lambda s: evolve(s, y=s.y + 1))


@frozen
class Uneven:
    def load(self, context: Any) -> Splits:
        return evolve(splits(), valid=splits("NLC").train)


@frozen
class Path404:
    path: str = ""

    def load(self, context: Any) -> Splits:
        from snn_kernel import DataError

        raise DataError(f"there are no files in '{self.path}'")


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        (Shuffled, "loaded twice the same"),
        (FromOne, "data are sound"),
        (Uneven, "data are sound"),
        (Path404, "data can be loaded"),
    ],
)
def test_wrong_datasets_are_caught(kind: type, meant: str) -> None:
    found = broken(testing.check_dataset, kind)
    assert found.keys() == {meant}
    assert tells(found[meant])


@frozen
class Smudge:
    def apply(self, given: Splits, context: Any) -> Splits:
        for name in ("train", "test"):
            if isinstance(found := getattr(given, name), Samples):
                found.x[:] = found.x / 2
        return given


@frozen
class Noisy:
    def apply(self, given: Splits, context: Any) -> Splits:
        noise = np.random.default_rng().normal()
        return evolve(given, train=evolve(given.train, x=(given.train.x + noise).astype("f4")))  # type: ignore


@frozen
class Forgetful:
    def apply(self, given: Splits, context: Any) -> Splits:
        return evolve(given, classes=1)


@pytest.mark.parametrize(
    ("kind", "meant", "given"),
    [
        (Smudge, "splits given stay", {}),
        (Noisy, "applied twice the same", {"splits": splits()}),
        (Forgetful, "made data are sound", {}),
    ],
)
def test_wrong_preprocessings_are_caught(kind: type, meant: str, given: Any) -> None:
    found = broken(testing.check_preprocessing, kind, **given)
    assert meant in found
    assert tells(found[meant])


class Diced(PlainPerceptron):
    def build(self, shapes: Any, session: Any) -> Any:
        made = PlainPerceptron.build(self, shapes, session)
        made.hidden = np.random.default_rng().integers(-9, 9, made.hidden.shape).astype("f4") / 8
        return made


class Petrified(PlainSession):
    def train(self, model: Any, splits: Any, training: Any) -> Any:
        return PlainSession.train(self, model, splits, evolve(training, fit=False))


class Amnesiac(PlainSession):
    def load(self, model: Any, path: Path) -> None:
        made = PlainPerceptron().build
        kept = model.readout
        PlainSession.load(self, model, path)
        model.readout = kept
        assert made


class Trusting(PlainSession):
    def load(self, model: Any, path: Path) -> None:
        if path.stat().st_size > 4000:
            PlainSession.load(self, model, path)


class Sorted(PlainSession):
    def predict(self, model: Any, samples: Any) -> Any:
        made = PlainSession.predict(self, model, samples)
        order = np.argsort(made.logits[:, 0], kind="stable")
        return evolve(made, logits=made.logits[order])


class Averaging(PlainSession):
    def predict(self, model: Any, samples: Any) -> Any:
        made = PlainSession.predict(self, model, samples)
        return evolve(made, logits=made.logits - made.logits.mean(axis=0))


@frozen
class Opened:
    session: Any = field(default=PlainSession)

    def open(self, context: Any) -> Any:
        return self.session(context)


@pytest.mark.parametrize(
    ("session", "meant"),
    [
        (Amnesiac, {"what is saved can be loaded"}),
        (Trusting, {"damaged weights are refused"}),
        (Sorted, {"predictions keep their order"}),
        (Averaging, {"predictions keep their order"}),
    ],
)
def test_wrong_frameworks_are_caught(session: Any, meant: set[str]) -> None:
    found = broken(testing.check_framework, Opened(session), model=PlainPerceptron())
    assert found.keys() == meant
    assert all(map(tells, found.values()))


def test_wrong_models_are_caught() -> None:
    found = broken(testing.check_model, frozen(Diced), framework=PlainFramework())
    assert found.keys() == {"one seed gives one result"}
    found = broken(testing.check_model, PlainPerceptron, framework=Opened(Petrified))
    assert found.keys() == {"training changes the model"}
    found = broken(testing.check_framework, Opened)
    assert (
        "Offer one beside it, or give check_framework a `model`" in found["it trains and predicts"]
    )


@frozen
class Heavy:
    """Counts weights, and prunes the model that it was given while it is there."""

    def apply(self, processed: Any, splits: Any, session: Any, context: Any) -> Outcome:
        processed.model.readout[:, ::2] = 0
        return Outcome()


@frozen
class Absent:
    def apply(self, processed: Any, splits: Any, session: Any, context: Any) -> Outcome:
        return Outcome((Measure("loss", float("nan"), "", "counted", "run", "Absent"),))


@pytest.mark.parametrize(
    ("kind", "meant"), [(Heavy, "the model given stays"), (Absent, "outcomes are sound")]
)
def test_wrong_postprocessings_are_caught(kind: type, meant: str) -> None:
    found = broken(testing.check_postprocessing, kind)
    assert meant in found
    assert found.keys() <= {meant, "outcomes repeat"}
    assert tells(found[meant])


@frozen
class Target:
    """Answers as the framework did, wrong in the way that is asked for."""

    wrong: str = ""

    def deploy(self, processed: Any, samples: Any, context: Any) -> Deployed:
        from snn_kernel import RunError

        if processed.network is None and self.wrong != "blind":
            raise RunError(processed.obstacle)
        made = (
            processed.prediction if self.wrong == "all" else processed.prediction.take(len(samples))
        )
        if self.wrong == "logits":
            made = evolve(made, logits=made.logits + np.float32(1e-6))
        folder = context.folder.parent if self.wrong == "stray" else context.folder
        path = write_atomic(folder / "x.network", processed.network.pack())
        return Deployed("Target", {"network": path}, made)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("logits", {"results are the frameworks", "a part is enough"}),
        ("all", {"a part is enough"}),
        ("blind", {"what cannot be lowered is refused"}),
        ("stray", {"it deploys"}),
    ],
)
def test_wrong_deployers_are_caught(wrong: str, meant: set[str]) -> None:
    found = broken(testing.check_deployer, Target(wrong))
    assert found.keys() == meant
    assert all(map(tells, found.values()))
    testing.check_deployer(Target)


def test_required_params_are_asked_for() -> None:
    @frozen
    class Needy(Step):
        threshold: float = field()

    with pytest.raises(AssertionError, match=r"missing key 'threshold'\. Give the check params"):
        testing.check_neuron(Needy)
    assert Registry.discover().plugins
