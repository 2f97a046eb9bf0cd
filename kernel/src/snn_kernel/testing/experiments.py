"""Checks of models and frameworks: a small experiment, whole."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from snn_kernel.errors import DataError, SnnkError
from snn_kernel.kinds import Choice
from snn_kernel.registry import Registry
from snn_kernel.testing.plain import PlainFramework, PlainPerceptron
from snn_kernel.testing.subject import IncompleteError, Subject
from snn_kernel.testing.trial import Trial
from snn_network import Agreement, NetworkError, Prediction, agree

VERBS = ("train", "predict", "score", "activity", "lower", "save", "load")


def it_trains_and_predicts(subject: Subject) -> Iterator[str]:
    """a model is built, trained for an epoch, and gives logits [N, classes]."""
    trial = _trial(subject)
    made = trial.predicted(trial.trained(trial.build()))
    expected = (len(trial.test), trial.splits.classes)
    if not isinstance(made, Prediction):
        yield f"predict returned {type(made).__name__}. Return snn_kernel.Prediction."
    elif made.logits.shape != expected or made.logits.dtype != np.float32:
        yield (
            f"logits are {made.logits.dtype} {made.logits.shape}, not float32 {expected}. Give "
            "one number for every class of every sample."
        )
    elif not np.isfinite(made.logits).all():
        yield "logits are not finite after an epoch. Start with smaller weights."


def training_changes_the_model(subject: Subject) -> Iterator[str]:
    """an epoch changes what a model predicts."""
    trial = _trial(subject)
    model = trial.build()
    before = trial.predicted(trial.trained(model, epochs=0))
    if not agree(before, trial.predicted(trial.trained(model, epochs=2))).differing:
        yield (
            "training changes nothing. Let gradients reach the weights: detach nothing, and keep "
            "weights as parameters."
        )


def one_seed_gives_one_result(subject: Subject) -> Iterator[str]:
    """two sessions with one seed end with the same logits, bit for bit."""
    made = []
    for _ in range(2):
        trial = _trial(subject)
        made.append(trial.predicted(trial.trained(trial.build())))
    if (found := agree(made[0], made[1])).differing:
        yield (
            f"two runs with one seed differ ({found.first}). Draw all random numbers with the "
            "session's seed."
        )


def the_network_fits_the_data(subject: Subject) -> Iterator[str]:
    """a network that it is lowered to takes samples of the data and has logits of its classes."""
    trial = _trial(subject)
    try:
        network = trial.session.lower(trial.trained(trial.build()))
    except NetworkError:
        return
    x = trial.test.channels_first()
    shape = x.shape[2 if trial.test.timed else 1 :]
    ends = (network.input_shape, network.shapes[network.layers[-1].name])
    if ends != (shape, (trial.splits.classes,)):
        yield (
            f"the network goes from {ends[0]} to {ends[1]}, the data from {shape} to "
            f"({trial.splits.classes},). Build for the shapes that build() is given."
        )


def the_session_is_whole(subject: Subject) -> Iterator[str]:
    """open(context) gives a session with every verb of snn_kernel.Session."""
    session = subject.config.open(subject.context)
    if missing := [v for v in VERBS if not callable(getattr(session, v, None))]:
        yield f"its session has no {', '.join(missing)}. Give it every verb of snn_kernel.Session."


def no_epochs_change_nothing(subject: Subject) -> Iterator[str]:
    """training for 0 epochs leaves the predictions as they are."""
    trial = _trial(subject)
    model = trial.trained(trial.build())
    before = trial.predicted(model)
    if (found := _differs(before, trial.predicted(trial.trained(model, epochs=0)))).differing:
        yield f"0 epochs change predictions ({found.first}). Fit nothing where epochs is 0."


def predictions_keep_their_order(subject: Subject) -> Iterator[str]:
    """each sample's logits and spikes are its own, whatever stands beside it."""
    trial = _trial(subject)
    model = trial.trained(trial.build())
    whole, backwards = trial.predicted(model), slice(None, None, -1)
    turned = trial.session.predict(model, trial.test.take(backwards))
    spikes = {layer: packed[backwards] for layer, packed in turned.spikes.items()}
    again = Prediction(turned.logits[backwards], spikes, turned.neurons)
    if (found := _differs(whole, again)).differing:
        yield (
            f"samples in another order are predicted otherwise ({found.first}). Predict in the "
            "order given, and let no sample depend on its batch."
        )
    one = trial.session.predict(model, trial.test.take(slice(1)))
    if (found := _differs(whole.take(1), one)).differing:
        yield f"one sample alone is predicted otherwise ({found.first}). Use no batch statistics."


def spikes_are_counted(subject: Subject) -> Iterator[str]:
    """spikes are packed [N, T, ceil(neurons/8)], and `neurons` names each of their layers."""
    trial = _trial(subject)
    made = trial.predicted(trial.trained(trial.build()))
    if made.spikes.keys() != made.neurons.keys():
        yield "spikes and neurons name other layers. Say for each layer how many neurons it has."
        return
    for layer, packed in made.spikes.items():
        width = -(-made.neurons[layer] // 8)
        if packed.dtype != np.uint8 or packed.shape[::2] != (len(trial.test), width):
            yield (
                f"layer '{layer}' has spikes {packed.dtype} {packed.shape} of "
                f"{made.neurons[layer]} neurons. Pack them with numpy.packbits(spikes, axis=2)."
            )


def activity_names_the_layers(subject: Subject) -> Iterator[str]:
    """activity is counted for layers of the lowered network."""
    trial = _trial(subject)
    model = trial.trained(trial.build())
    try:
        names = {layer.name for layer in trial.session.lower(model).layers}
    except NetworkError:
        return
    found = {a.layer for a in trial.session.activity(model, trial.test)}
    if not found or found - names:
        yield (
            f"activity names {sorted(found)}, the network {sorted(names)}. Name the layers of "
            "the network."
        )


def scores_are_measures(subject: Subject) -> Iterator[str]:
    """score gives finite measures of source "test"."""
    trial = _trial(subject)
    made = trial.session.score(trial.predicted(trial.trained(trial.build())), trial.test.y)
    if wrong := [m for m in made if m.source != "test" or not np.isfinite(m.value)]:
        yield f"{wrong[0]} is no score. Give finite values with source 'test'."


def what_is_saved_can_be_loaded(subject: Subject) -> Iterator[str]:
    """weights that were saved and loaded into a new model predict the same."""
    trial = _trial(subject)
    model, path = trial.trained(trial.build()), trial.folder / "weights"
    trial.session.save(model, path)
    if not path.is_file():
        yield f"save left no file at {path.name}. Write to the path that it is given."
        return
    other = trial.build()
    trial.session.load(other, path)
    if (found := _differs(trial.predicted(model), trial.predicted(other))).differing:
        yield (
            f"a loaded model predicts otherwise ({found.first}). Save everything that "
            "predictions depend on, buffers included."
        )


def damaged_weights_are_refused(subject: Subject) -> Iterator[str]:
    """a file of weights that was cut off raises DataError."""
    trial = _trial(subject)
    model, path = trial.trained(trial.build()), trial.folder / "weights"
    trial.session.save(model, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        trial.session.load(model, path)
    except DataError:
        return
    except Exception as error:
        yield f"a damaged file raises {type(error).__name__}. Raise snn_kernel.DataError instead."
    else:
        yield "a damaged file is loaded as if nothing were wrong. Raise snn_kernel.DataError."


def _differs(a: Prediction, b: Prediction) -> Agreement:
    """Logits to a millionth, since batches of other sizes may be summed in another order."""
    near = a.logits.shape == b.logits.shape and np.allclose(a.logits, b.logits, 1e-5, 1e-6)
    return agree(a, Prediction(a.logits if near else b.logits, b.spikes, b.neurons))


def _trial(subject: Subject) -> Trial:
    if subject.slot == "framework":
        return Trial.open(subject, framework=subject.config, model=_model(subject))
    return Trial.open(subject, framework=_framework(subject), model=subject.config)


def _model(subject: Subject) -> Any:
    """The model given, or the plain one, which only the plain framework can train."""
    if model := subject.given.get("model"):
        return model
    if isinstance(subject.config, PlainFramework):
        return PlainPerceptron()
    text = "There is no model that it can train. Offer one beside it, or give check_framework a "
    raise IncompleteError(f"{text}`model`.")


def _framework(subject: Subject) -> Any:
    """The framework given, or the first installed one that the model lives with."""
    if framework := subject.given.get("framework"):
        return framework
    if isinstance(subject.config, PlainPerceptron):
        return PlainFramework()
    registry, refused = Registry.discover(), []
    for offer in registry.usable("framework"):
        try:
            framework = offer.kind.config()
            choice = Choice("[learningframework]", offer, framework)
            plan = SimpleNamespace(framework=choice)
            check = getattr(subject.config, "check", lambda *_: ())
            if not (found := list(check(plan, "[model.0]"))):
                return framework
        except (SnnkError, TypeError, AttributeError) as error:
            found = [error]
        refused.append(f"{offer.kind.name}: {found[0]}")
    why = "; ".join(refused) or "none is installed"
    raise IncompleteError(f"No framework trains it ({why}). Give check_model a `framework`.")
