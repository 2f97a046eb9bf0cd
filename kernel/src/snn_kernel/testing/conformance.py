"""Which checks a kind of each slot must pass, and a call for each slot that runs them all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snn_kernel.testing import (
    augmentations,
    catalogues,
    data,
    experiments,
    importing,
    neurons,
    outcomes,
    surroundings,
    torch_forms,
)
from snn_kernel.testing.subject import Check, SkippedError, Subject, failures, title

# The first of each slot is what the others build on.
CHECKS: Mapping[str, tuple[Check, ...]] = {
    "neuron": (
        neurons.step_answers,
        neurons.outputs_are_spikes,
        neurons.any_shape,
        neurons.arguments_stay,
        neurons.same_twice,
        neurons.neurons_are_independent,
        neurons.it_is_causal,
        neurons.batches_can_be_split,
        neurons.silence_is_stable,
        neurons.precisions_agree,
        neurons.lower_is_step,
        torch_forms.torch_is_numpy,
        torch_forms.gradient_reaches_the_current,
        torch_forms.module_is_step,
        torch_forms.integers_are_fake_quantisation,
        importing.import_is_cheap,
    ),
    "dataset": (
        data.data_can_be_loaded,
        data.data_are_sound,
        data.loaded_twice_the_same,
        importing.import_is_cheap,
    ),
    "preprocessing": (
        data.some_splits_are_taken,
        data.made_data_are_sound,
        data.splits_given_stay,
        data.applied_twice_the_same,
        importing.import_is_cheap,
    ),
    "model": (
        experiments.it_trains_and_predicts,
        experiments.training_changes_the_model,
        experiments.one_seed_gives_one_result,
        experiments.the_network_fits_the_data,
        importing.import_is_cheap,
    ),
    "framework": (
        experiments.the_session_is_whole,
        experiments.it_trains_and_predicts,
        experiments.no_epochs_change_nothing,
        experiments.one_seed_gives_one_result,
        experiments.predictions_keep_their_order,
        experiments.spikes_are_counted,
        experiments.activity_names_the_layers,
        experiments.scores_are_measures,
        experiments.what_is_saved_can_be_loaded,
        experiments.damaged_weights_are_refused,
        importing.import_is_cheap,
    ),
    "postprocessing": (
        outcomes.an_outcome_comes_back,
        outcomes.outcomes_are_sound,
        outcomes.the_model_given_stays,
        outcomes.outcomes_repeat,
        outcomes.a_new_model_predicts,
        importing.import_is_cheap,
    ),
    "deployer": (
        outcomes.it_deploys,
        outcomes.results_are_the_frameworks,
        outcomes.a_part_is_enough,
        outcomes.what_cannot_be_lowered_is_refused,
        importing.import_is_cheap,
    ),
    "augmentation": (
        augmentations.some_batches_are_taken,
        augmentations.batches_are_sound,
        augmentations.the_batch_given_stays,
        augmentations.one_seed_gives_one_batch,
        importing.import_is_cheap,
    ),
    "tracker": (
        surroundings.an_observer_comes_back,
        surroundings.it_observes_a_run,
        importing.import_is_cheap,
    ),
    "report": (surroundings.files_come_back, importing.import_is_cheap),
    "launcher": (surroundings.every_job_is_carried_out, importing.import_is_cheap),
    "catalogue": (
        catalogues.kinds_are_mapped,
        catalogues.kinds_answer_to_their_names,
        importing.import_is_cheap,
    ),
}


def check_neuron(kind: Any, params: Any = None) -> None:
    """Neurons: `step` is a law, `module` and `lower` are the same law, as far as they are there.

    `kind` is a Kind, its class or a config object; a class is made with `params`, or else with its
    class variable `example`. AssertionError holds all that is wrong. Quantised it is compared
    where it is installed and snn-quantization is as well; gradients need torch.
    """
    _check("neuron", kind, params)


def check_dataset(kind: Any, params: Any = None) -> None:
    """Data sets: sound, and the same twice; `kind` and `params` as in check_neuron."""
    _check("dataset", kind, params)


def check_preprocessing(kind: Any, params: Any = None, *, splits: Any = None) -> None:
    """Preprocessings, on small data of every layout, or on `splits`."""
    _check("preprocessing", kind, params, splits=splits)


def check_model(
    kind: Any, params: Any = None, *, framework: Any = None, splits: Any = None
) -> None:
    """Models: built and trained by `framework` (a config object; default: the first installed one
    that the model's check() allows) on `splits` (default: images of 8×8 pixels)."""
    _check("model", kind, params, framework=framework, splits=splits)


def check_framework(
    kind: Any, params: Any = None, *, model: Any = None, splits: Any = None
) -> None:
    """Frameworks: their sessions, with `model`, the config object of a model they can train."""
    _check("framework", kind, params, model=model, splits=splits)


def check_postprocessing(
    kind: Any, params: Any = None, *, framework: Any = None, model: Any = None, splits: Any = None
) -> None:
    """Postprocessings, on a small trained model: of `framework` and `model`, config objects, or
    else a perceptron in numpy."""
    given = {"framework": framework, "model": model, "splits": splits}
    _check("postprocessing", kind, params, **given)


def check_deployer(
    kind: Any, params: Any = None, *, framework: Any = None, model: Any = None, splits: Any = None
) -> None:
    """Deployers, on a small trained model, as in check_postprocessing."""
    _check("deployer", kind, params, framework=framework, model=model, splits=splits)


def check_augmentation(kind: Any, params: Any = None) -> None:
    """Augmentations, on small batches of every layout; `kind` and `params` as in check_neuron."""
    _check("augmentation", kind, params)


def check_tracker(kind: Any, params: Any = None) -> None:
    """Trackers: their observer, and that it lives through a run of a perceptron in numpy."""
    _check("tracker", kind, params)


def check_report(kind: Any, params: Any = None) -> None:
    """Reports, of a run of a perceptron in numpy."""
    _check("report", kind, params)


def check_launcher(kind: Any, params: Any = None) -> None:
    """Launchers, of two runs of a perceptron in numpy."""
    _check("launcher", kind, params)


def check_catalogue(kind: Any, params: Any = None) -> None:
    """Catalogues: each kind that they list can be had. The kinds are not checked themselves."""
    _check("catalogue", kind, params)


def _check(slot: str, kind: Any, params: Any, **given: Any) -> None:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        given = {name: value for name, value in given.items() if value is not None}
        subject = Subject.of(slot, kind, params, Path(folder), **given)
        essential = CHECKS[slot][0]
        for check in CHECKS[slot]:
            try:
                found += [f"{title(check)}: {text}" for text in failures(check, subject)]
            except SkippedError as reason:
                if check is essential:
                    found.append(f"{title(check)}: {reason}.")
            if found and check is essential:
                break
    if found:
        raise AssertionError("\n".join((f"{slot} '{subject.name}' does not conform:", *found)))
