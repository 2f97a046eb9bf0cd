"""Checks of postprocessings and deployers: on a small trained model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args, get_type_hints

from attrs import evolve

from snn_kernel.errors import SnnkError
from snn_kernel.results import Deployed, Measure, Outcome, Table
from snn_kernel.testing.subject import Subject
from snn_kernel.testing.trial import Trial
from snn_kernel.testing.values import copied, same
from snn_network import Prediction, agree

PART = 5  # samples of a test set that was cut


def an_outcome_comes_back(subject: Subject) -> Iterator[str]:
    """apply(processed, splits, session, context) gives an Outcome."""
    _, made = _applied(subject)
    if not isinstance(made, Outcome):
        yield f"apply returned {type(made).__name__}. Return snn_kernel.Outcome."


def outcomes_are_sound(subject: Subject) -> Iterator[str]:
    """measures are finite and say how they came about; rows of tables fit their columns."""
    _, made = _applied(subject)
    yield from _unsound(made.measures, made.tables)


def the_model_given_stays(subject: Subject) -> Iterator[str]:
    """the model and the splits that it is given stay as they are."""
    trial = Trial.open(subject)
    processed = trial.processed()
    kept, before = copied(trial.splits), trial.predicted(processed.model)
    subject.config.apply(processed, trial.splits, trial.session, subject.context)
    if (found := agree(before, trial.predicted(processed.model))).differing:
        yield f"the model given predicts otherwise afterwards ({found.first}). Change a copy."
    if not same(kept, trial.splits):
        yield "apply changes the splits. Work on a copy."


def outcomes_repeat(subject: Subject) -> Iterator[str]:
    """one seed gives one outcome, what was measured with a clock aside."""
    (_, a), (_, b) = _applied(subject), _applied(subject)
    counted = [tuple(m for m in made.measures if m.how != "measured") for made in (a, b)]
    if counted[0] != counted[1]:
        yield (
            "two outcomes of one seed differ. Draw with context.seed, and let `how` of what a "
            "clock measured be 'measured'."
        )


def a_new_model_predicts(subject: Subject) -> Iterator[str]:
    """a model that replaces the old one can be run by the same session."""
    trial, made = _applied(subject)
    if made.model is None:
        return
    found = trial.predicted(made.model)
    if found.logits.shape != (len(trial.test), trial.splits.classes):
        yield f"its model has logits {found.logits.shape}. Keep the classes as they are."


def it_deploys(subject: Subject) -> Iterator[str]:
    """deploy(processed, samples, context) gives Deployed with files in the context's folder."""
    _, made, _ = _deployed(subject)
    if not isinstance(made, Deployed):
        yield f"deploy returned {type(made).__name__}. Return snn_kernel.Deployed."
        return
    for name, path in made.files.items():
        inside = subject.folder.resolve() in Path(path).resolve().parents
        if not inside or not Path(path).exists():
            where = "is not there" if inside else f"lies outside of the folder, at {path}"
            yield f"file '{name}' {where}. Write it with write_atomic(context.folder / …, data)."
    yield from _unsound(made.measures, made.tables)


def results_are_the_frameworks(subject: Subject) -> Iterator[str]:
    """spikes and logits that a target gives are those of the framework, bit for bit."""
    _, made, ours = _deployed(subject)
    if made.prediction and (found := agree(ours, made.prediction)).differing:
        yield (
            f"{found.differing} of {found.compared} spikes and logits differ from the framework's, "
            f"first at {found.first}. Compute what the network document says, in its order."
        )


def a_part_is_enough(subject: Subject) -> Iterator[str]:
    """the first few samples alone give what they give among all."""
    trial = Trial.open(subject)
    processed = trial.processed()
    part = trial.test.take(slice(PART))
    made = subject.config.deploy(processed, part, subject.context)
    if made.prediction is None or processed.prediction is None:
        return
    if (found := agree(processed.prediction.take(PART), made.prediction)).differing:
        yield (
            f"of {PART} samples, results differ ({found.first}). Run just the samples that deploy "
            "is given."
        )


def what_cannot_be_lowered_is_refused(subject: Subject) -> Iterator[str]:
    """a model without a network raises RunError that says why, or is deployed without it."""
    trial = Trial.open(subject)
    obstacle = "layer 'odd' has no normal form"
    processed = evolve(trial.processed(), network=None, obstacle=obstacle)
    try:
        subject.config.deploy(processed, trial.test, subject.context)
    except SnnkError as error:
        if obstacle not in str(error):
            yield "it refuses a model without a network, but not why. Name processed.obstacle."
    except Exception as error:
        yield (
            f"a model without a network raises {type(error).__name__}. Raise snn_kernel.RunError "
            "with processed.obstacle."
        )


def _applied(subject: Subject) -> tuple[Trial, Outcome]:
    trial = Trial.open(subject)
    args = (trial.processed(), trial.splits, trial.session, subject.context)
    return trial, subject.config.apply(*args)


def _deployed(subject: Subject) -> tuple[Trial, Deployed, Prediction]:
    """The trial, what was made of it, and what the framework predicts."""
    trial = Trial.open(subject)
    processed = trial.processed()
    assert processed.prediction is not None
    made = subject.config.deploy(processed, trial.test, subject.context)
    return trial, made, processed.prediction


def _unsound(measures: Iterable[Measure], tables: Iterable[Table]) -> Iterator[str]:
    known = {n: get_args(get_type_hints(Measure)[n]) for n in ("how", "per")}
    for m in measures:
        if not math.isfinite(m.value):
            yield f"measure '{m.name}' is {m.value}. Leave out what is not known."
        if wrong := [n for n, words in known.items() if getattr(m, n) not in words]:
            hints = ", ".join(f"{n} is one of {known[n]}" for n in wrong)
            yield f"measure '{m.name}' has {wrong[0]} '{getattr(m, wrong[0])}'. Here {hints}."
    for table in tables:
        if any(len(row) != len(table.columns) for row in table.rows):
            yield f"rows of table '{table.name}' do not fit its columns. Give a value for each."
        if missing := set(table.brief) - set(table.columns):
            yield f"table '{table.name}' has no columns {sorted(missing)}. Let `brief` name some."
