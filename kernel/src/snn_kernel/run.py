"""Carry one Plan out, left to right: data, then for each model and run train, examine, deploy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from attrs import evolve, frozen

from snn_kernel.errors import DataError, Fault, RunError, reason
from snn_kernel.kinds import Choice, Context, Session, Shapes, Training
from snn_kernel.plan import Model, Plan
from snn_kernel.record import RunFolder
from snn_kernel.results import Deployed, Measure, ModelReport, Outcome, Processed, Report
from snn_kernel.signals import Splits
from snn_network import NetworkError, Prediction, agree
from snn_network.reference import witness

T = TypeVar("T")
Until = Literal["preprocess", "train", "deploy", "evaluate"]


@frozen
class Job:
    """One model in one run; `label` names it in files and steps."""

    model: Model
    run: int

    @property
    def label(self) -> str:
        """<model>_r<run>, as in the documented format."""
        return f"{self.model.name}_r{self.run}"


@frozen
class Run:
    """A plan being carried out: where its files go, how far, and who carries out its jobs."""

    plan: Plan
    folder: RunFolder
    until: Until = "evaluate"
    launch: Callable[..., Any] = map

    def carry(self) -> Report:
        """Everything; the report of it."""
        plan, out, context = self.plan, self.folder, self.context("run")
        tracker = plan.tracker.act(object, context) if plan.tracker else None
        try:
            if plan.tracker:
                plan.registry.listen(tracker, plan.tracker.offer, plan.tracker.place)
            self.tell("run_planned", plan=plan)
            splits = self.prepare()
            runs = range(plan.bench.first_run, plan.bench.last_run + 1)
            jobs = [Job(m, run) for run in runs for m in plan.models if not m.disabled]
            done = () if self.until == "preprocess" else self.launch(Carrier(self, splits), jobs)
            report = Report(plan.bench.name, out.path, plan.document, out.versions, tuple(done))
            report = self.show(report, context) if report.runs else report
            self.tell("run_finished", report=report)
            return report
        finally:
            if (manager := plan.registry.manager).is_registered(tracker):
                manager.unregister(tracker)

    def show(self, report: Report, context: Context) -> Report:
        """With the files, or the faults, of what [report] says, or else every installed report."""
        said, usable = self.plan.report, self.plan.registry.usable("report")
        for offer in [said.offer] if said else usable:
            try:
                choice = said or Choice("[report]", offer, offer.kind.config())
                files = self.step("report", choice.act, dict, report, context)
                report = evolve(report, files={**report.files, **files})
            except (Exception, SystemExit) as error:
                faults = getattr(error, "faults", [Fault("[report]", reason(error), str(offer))])
                report = evolve(report, faults=(*report.faults, *faults))
        return report

    def prepare(self) -> Splits:
        """The data set, read and preprocessed, the same for every model and run."""
        context = self.context("dataset")
        splits: Splits = self.step("dataset", self.plan.dataset.act, Splits, context)
        for choice in self.plan.preprocessings:
            splits = self.step(f"preprocessing {choice.kind}", choice.act, Splits, splits, context)
        for choice in self.plan.augmentations:
            if getattr(choice.config, "evaluate", False):
                splits = self.step(f"augmentation {choice.kind}", self.augment, choice, splits)
        return splits

    def augment(self, choice: Choice, splits: Splits) -> Splits:
        """The sets that are not trained on, changed by an augmentation that is for them as well."""
        known, context = shapes(splits), self.context("augmentation")
        sets = {n: getattr(splits, n) for n in ("valid", "test")}
        made = {n: choice.config.apply(s.x, s.y, context, known)[0] for n, s in sets.items() if s}
        return evolve(splits, **{n: evolve(sets[n], x=x) for n, x in made.items()})

    def context(self, step: str, run: int = 1) -> Context:
        """What a verb of `step` is lent in run `run`."""

        def progress(part: str, done: int, total: int, measures: Mapping[str, float]) -> None:
            self.tell("progress", step=f"{part} {step}", done=done, total=total, measures=measures)

        return Context(self.plan.bench.seed + run - 1, self.folder.path, progress, self.folder.warn)

    def step(self, name: str, verb: Callable[..., T], *args: Any) -> T:
        """What `verb(*args)` makes, with the observers told before and after."""
        start = time.perf_counter()
        self.tell("step_started", step=name)
        made = verb(*args)
        self.tell("step_finished", step=name, seconds=time.perf_counter() - start, made=made)
        return made

    def tell(self, event: str, **facts: Any) -> None:
        """Tell the observers; one that fails is warned of and changes nothing."""
        try:
            getattr(self.plan.registry.manager.hook, f"snnk_{event}")(**facts)
        except (Exception, SystemExit) as error:
            self.folder.warn(f"an observer of snnk_{event} failed: {error!r}")


@frozen
class Carrier:
    """Called with one job; holds all that it needs, so that a launcher may send it anywhere."""

    run: Run
    splits: Splits

    def __call__(self, job: Job) -> ModelReport:
        plan, model, label = self.run.plan, job.model, job.label
        folder = self.run.folder.path / label
        context = evolve(self.run.context(label, job.run), folder=folder)
        session: Session = plan.framework.config.open(context)
        processed = self.train(job, session, context)
        files = {"weights": folder / "weights.safetensors"}
        session.save(processed.model, files["weights"])
        if model.evaluate or plan.postprocessings:
            processed = self.run.step(f"evaluate {label}", self.examine, processed, session)
        for item in plan.postprocessings:
            step, args = f"{item.choice.kind} {label}", (processed, self.splits, session, context)
            outcome = self.run.step(step, item.choice.act, Outcome, *args)
            processed = processed.fold(outcome)
            if outcome.model is not None:
                processed = self.run.step(f"evaluate {label}", self.examine, processed, session)
            if item.export:
                name = f"{processed.name}.safetensors"
                files[name] = folder / name
                session.save(processed.model, files[name])
        known = (processed, self.splits.samples("test").y, folder, (), processed.agreement, files)
        report = ModelReport(model.name, job.run, *known)
        if plan.deploy and self.run.until in ("deploy", "evaluate"):
            report = self.deploy(report, session, context)
        return report

    def train(self, job: Job, session: Session, context: Context) -> Processed:
        """A model built, its weights loaded if so asked, and trained."""
        plan, model, splits = self.run.plan, job.model, self.splits
        if plan.bench.use_test_as_valid:
            splits = evolve(splits, valid=splits.test)
        made = model.choice.config.build(shapes(splits), session)
        if model.load:
            session.load(made, self.run.folder.weights(job.label))
        augmentations = tuple(c.config for c in plan.augmentations)
        epochs = model.epochs if model.train else 0
        training = Training(epochs, model.batch_size, model.optimizer, augmentations)
        trained = self.run.step(f"train {job.label}", session.train, made, splits, training)
        known = (model.name, trained.model, trained, model, training)
        return Processed(*known, measures=trained.measures)

    def examine(self, processed: Processed, session: Session) -> Processed:
        """With network, prediction and activity on the test set; if so asked, what they score."""
        test, model = self.splits.samples("test"), processed.model
        try:
            processed = evolve(processed, network=session.lower(model), obstacle="")
        except NetworkError as error:
            processed = evolve(processed, network=None, obstacle=str(error))
        prediction = session.predict(model, test)
        accuracy = Measure("accuracy", prediction.accuracy(test.y), "", "counted", "run", "test")
        if not 0 <= accuracy.value <= 1:
            raise RunError(f"accuracy is {accuracy.value}: the logits are no numbers")
        measures = tuple(m for m in processed.measures if m.source != "test")
        if processed.section.evaluate:
            measures += (accuracy, *session.score(prediction, test.y))
        network, agreement = processed.network, None
        activity = session.activity(model, test) if network else ()
        if network and network.quantised:
            law = Prediction(*witness(network, test.channels_first()), prediction.neurons)
            agreement = agree(prediction.take(len(law.logits)), law, "the integer law")
        processed = evolve(processed, activity=activity, agreement=agreement)
        return evolve(processed, prediction=prediction, measures=measures)

    def deploy(self, report: ModelReport, session: Session, context: Context) -> ModelReport:
        """On its target, and compared with the framework spike for spike where it was run."""
        processed, deploy = report.processed, self.run.plan.deploy
        assert deploy is not None
        if not processed.prediction:  # evaluate = false: nothing is known of the model yet
            processed = self.examine(processed, session)
        test = self.splits.samples("test").take(slice(deploy.limit))
        act, args = deploy.choice.act, (processed, test, context)
        made = self.run.step(f"deploy {report.folder.name}", act, Deployed, *args)
        report = evolve(report, deployed=(made,), files={**report.files, **made.files})
        if made.prediction is None or processed.prediction is None or self.run.until == "deploy":
            return report
        ours = processed.prediction.take(deploy.limit)
        found = agree(ours, made.prediction, made.target)
        return evolve(report, agreement=found + law if (law := processed.agreement) else found)


def shapes(splits: Splits) -> Shapes:
    """What the samples ask of a model; DataError where they ask for none that can be tested."""
    if not hasattr(splits.classes, "__index__") or splits.classes < 2:
        raise DataError(f"the data set has {splits.classes} classes; a classifier needs 2 or more")
    train, test = splits.samples("train"), splits.samples("test")
    for of, y in (("train", train.y), ("test", test.y)):
        if y.min() < 0 or y.max() >= splits.classes:
            raise DataError(f"{of} labels are {y.min()} to {y.max()}, for {splits.classes} classes")
    if absent := {*range(splits.classes)} - {*train.y.tolist()}:
        raise DataError(f"no training sample of class {', '.join(map(str, sorted(absent)))}")
    timesteps = train.x.shape[1] if train.timed else None
    return Shapes(train.x.shape[2 if train.timed else 1 :], (splits.classes,), timesteps)
