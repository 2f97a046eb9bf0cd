"""A small experiment: a framework, a model in it, and data for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from snn_kernel.kinds import Choice, Context, Kind, Offer, Session, Training
from snn_kernel.plan import Model
from snn_kernel.results import Processed
from snn_kernel.run import Carrier, shapes
from snn_kernel.signals import Samples, Splits
from snn_kernel.testing.plain import PlainFramework, PlainPerceptron
from snn_kernel.testing.splits import splits
from snn_kernel.testing.subject import Subject
from snn_network import Prediction


@frozen
class Trial:
    """An opened framework and the config object of a model; each `open` has a seed of its own."""

    framework: Any
    config: Any
    splits: Splits
    session: Session
    context: Context

    @classmethod
    def open(cls, subject: Subject, framework: Any = None, model: Any = None) -> Trial:
        """With the framework, model and splits given to the check, or else the plain ones."""
        framework = framework or subject.given.get("framework") or PlainFramework()
        model = model or subject.given.get("model") or PlainPerceptron()
        folder = subject.folder / "trial"
        folder.mkdir(exist_ok=True)
        timed, steps = getattr(framework, "timed", False), getattr(model, "timesteps", 4)
        found = subject.given.get("splits") or splits("NTHWC" if timed else "NHWC", steps)
        context = Context(1, folder)
        return cls(framework, model, found, framework.open(context), context)

    @property
    def test(self) -> Samples:
        """The test set."""
        return self.splits.samples("test")

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return self.context.folder

    def build(self) -> Any:
        """A new model."""
        return self.config.build(shapes(self.splits), self.session)

    def trained(self, model: Any, epochs: int = 1) -> Any:
        """`model` after so many epochs."""
        return self.session.train(model, self.splits, Training(epochs, 8)).model

    def predicted(self, model: Any) -> Prediction:
        """What a model predicts of the test set."""
        return self.session.predict(model, self.test)

    def processed(self) -> Processed:
        """A model trained for an epoch and examined, as postprocessings and deployers get it."""
        training = Training(1, 8)
        trained = self.session.train(self.build(), self.splits, training)
        kind = Kind(type(self.config).__name__, type(self.config))
        choice = Choice("[model.0]", Offer("model", kind, "trial", "0"), self.config)
        section = Model(choice=choice, name="trial", epochs=1, batch_size=8)
        known = Processed("trial", trained.model, trained, section, training)
        carrier = Carrier(None, self.splits)  # type: ignore[arg-type]  # only examines
        return carrier.examine(evolve(known, measures=trained.measures), self.session)
