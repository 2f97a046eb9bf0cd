"""Plugins that are wrong on purpose: each is caught by the check meant for it, and by no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve, field, frozen

from snn_kernel import Deployed, Kind, Measure, Outcome, Samples, Splits, testing, write_atomic
from snn_kernel.network import Neuron
from snn_kernel.registry import Registry
from snn_kernel.testing import importing
from snn_kernel.testing.plain import PlainFramework, PlainPerceptron, PlainSession
from snn_kernel.testing.splits import splits
from toys import Entry, plugin

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _importable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugins of this file count as cheap to import, although it imports torch."""
    if "costly" not in request.node.name:
        monkeypatch.setattr(importing, "_imported", lambda *_: (0.0, [], ""))


@frozen
class Law:
    """What the wrong neurons are but for one thing: integrate and fire with a soft reset."""

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = 0 * current if state is None else state
        u = u + current
        spikes = fire(u, 1.0)
        return u - spikes, spikes


class InPlace(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = 0 * current if state is None else state
        u += current.detach() if hasattr(current, "detach") else current
        return Law.step(self, u - current, current, fire)


class Greedy(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        made = Law.step(self, state, current, fire)
        if not hasattr(current, "detach"):
            current *= 1
            current -= 1
        return made


HABIT: list[int] = []


class Habitual(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        HABIT.append(len(current))
        return Law.step(self, state, current + 0.002 * min(len(HABIT), 1000), fire)


class Crowd(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        return Law.step(self, state, current - current.mean(-1)[..., None], fire)


class Batch(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        return Law.step(self, state, current - 0.5 * len(current), fire)


class Blunt(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        def blunt(u: Any, threshold: Any) -> Any:
            made = u >= threshold
            return made.to(u.dtype) if hasattr(made, "to") else made.astype(u.dtype)

        return Law.step(self, state, current, blunt)


class Explosive(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        return Law.step(self, None if state is None else 1.1 * state, current, fire)


class Wide(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        first = torch.zeros if hasattr(current, "detach") else np.zeros
        return Law.step(self, first(current.shape) if state is None else state, current, fire)


class Silent(Law):
    def step(self, state: Any, current: Any, fire: Any) -> Any:
        return Law.step(self, state, current - 1000, fire)


class Other(Law):
    def lower(self) -> Neuron:
        return Neuron("", 1.0, decay=0.99)


class Node(torch.nn.Module):  # type: ignore[misc]
    """The law as a torch module, which fires at `threshold`, or strictly above it."""

    def __init__(self, threshold: float = 1.0, ahead: bool = False, above: bool = False) -> None:
        super().__init__()
        self.threshold, self.ahead, self.above, self.step_mode = threshold, ahead, above, "s"
        self.reset()

    def reset(self) -> None:
        self.v = None

    def surrogate_function(self, x: Any) -> Any:
        soft = torch.sigmoid(4 * x)
        hard = (x > 0 if self.above else x >= 0).to(x.dtype)
        return soft + (hard - soft).detach()

    def forward(self, x: Any) -> Any:
        if self.step_mode == "m":
            peek = 0.01 * x.mean(0) if self.ahead else 0
            self.step_mode = "s"
            made = torch.stack([self(current + peek) for current in x])
            self.step_mode = "m"
            return made
        law = Law()
        self.v, spikes = law.step(
            self.v, x, lambda u, _: self.surrogate_function(u - self.threshold)
        )
        return spikes


class Late(Law):
    def module(self, context: Any) -> Any:
        return Node(threshold=1.05)


class Clairvoyant(Law):
    def module(self, context: Any) -> Any:
        return Node(ahead=True)


NEURONS = [
    (InPlace, "arguments stay"),
    (Greedy, "arguments stay"),
    (Habitual, "same twice"),
    (Crowd, "neurons are independent"),
    (Batch, "batches can be split"),
    (Blunt, "gradient reaches the current"),
    (Explosive, "silence is stable"),
    (Wide, "precisions agree"),
    (Silent, "step answers"),
    (Other, "lower is step"),
    (Late, "module is step"),
    (Clairvoyant, "it is causal"),
]
# What a fault cannot help breaking as well.
ALSO = {
    "Clairvoyant": {"module is step"},
    "InPlace": {"gradient reaches the current"},
    "Habitual": {"it is causal", "batches can be split", "neurons are independent"},
    "Greedy": {"same twice", "it is causal", "precisions agree", "batches can be split"},
}


def broken(check: Any, *args: Any, **given: Any) -> dict[str, str]:
    """What a check finds, by the title of the check that found it."""
    with pytest.raises(AssertionError) as caught:
        check(*args, **given)
    head, *lines = str(caught.value).splitlines()
    assert head.endswith("does not conform:")
    return {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}


def tells(text: str) -> bool:
    """Whether a message is a sentence that says what is wrong and one that says what to do."""
    return bool(re.fullmatch(r".+[.] [A-Z].+[.]", text, re.DOTALL))


@pytest.mark.parametrize(("law", "meant"), NEURONS, ids=lambda x: getattr(x, "__name__", ""))
def test_wrong_neurons_are_caught(law: type, meant: str) -> None:
    HABIT.clear()
    found = broken(testing.check_neuron, frozen(law))
    assert meant in found
    assert found.keys() <= {meant} | ALSO.get(law.__name__, set()), found
    assert tells(found[meant]), found[meant]


def test_the_right_neuron_is_not() -> None:
    testing.check_neuron(Law)
    with pytest.raises(AssertionError, match=r"(?s)raised TypeError.*step"):
        testing.check_neuron(frozen(type("Short", (), {"step": lambda self, state: None})))


@frozen
class Tied(Law):
    """Its native form fires above the threshold, its law at it."""

    def module(self, context: Any) -> Any:
        return Node(above=True)

    def lower(self) -> Neuron:
        return Neuron("", 1.0)


def test_a_neuron_that_is_another_in_integers_is_caught(install: Any) -> None:
    quantization = pytest.importorskip("snn_quantization.plugin")
    pytest.importorskip("spikingjelly")
    install(Entry("ties", plugin(neuron=[Kind("Tied", Tied)])), Entry("snn-q", quantization))
    found = broken(testing.check_neuron, Kind("Tied", Tied))
    assert found.keys() == {"module is step", "integers are fake quantisation"}
    assert tells(found["integers are fake quantisation"])
    install(Entry("right", plugin(neuron=[Kind("Tied", Law)])), Entry("snn-q", quantization))
    testing.check_neuron(Kind("Tied", Law))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import torch", "imports torch. Move that import"),
        ("import time\ndone = time.process_time() + 0.2\nwhile time.process_time() < done: pass",
         "takes 0.2"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
    ids=["torch", "slow", "broken"],
)  # fmt: skip
def test_a_costly_import_is_caught(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"costly_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = broken(testing.check_neuron, frozen(type("Costly", (Law,), {"__module__": name})))
    assert found.keys() == {"import is cheap"}
    assert said in found["import is cheap"]


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
    class Needy(Law):
        threshold: float = field()

    with pytest.raises(AssertionError, match=r"missing key 'threshold'\. Give the check params"):
        testing.check_neuron(Needy)
    assert Registry.discover().plugins
