"""What a prediction is worth: scores of outputs [N, K] against labels [N], in numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


def confusion(outputs: NDArray[np.float32], y: NDArray[np.int64]) -> Matrix:
    """How many samples of class i (row) were taken for class j (column), [K, K]."""
    classes = outputs.shape[1]
    index = y * classes + outputs.argmax(axis=1)
    return np.bincount(index, minlength=classes * classes).reshape(classes, classes)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _macro(per_class: Floats, counts: Matrix) -> float:
    seen = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    return float(per_class[seen].mean())


def _precision(counts: Matrix) -> float:
    return _macro(_ratio(counts.diagonal(), counts.sum(axis=0)), counts)


def _recall(counts: Matrix) -> float:
    return _macro(_ratio(counts.diagonal(), counts.sum(axis=1)), counts)


def _f1(counts: Matrix) -> float:
    return _macro(_ratio(2 * counts.diagonal(), counts.sum(axis=0) + counts.sum(axis=1)), counts)


def _accuracy(counts: Matrix) -> float:
    return float(counts.trace() / counts.sum())


def _class_accuracy(counts: Matrix) -> float:
    present = counts.sum(axis=1) > 0
    return float(_ratio(counts.diagonal(), counts.sum(axis=1))[present].mean())


def _mape(outputs: Floats, targets: Floats) -> float:
    return float(np.mean(np.abs(outputs - targets) / np.maximum(np.abs(targets), 1.17e-6)))


def _correlation(outputs: Floats, targets: Floats) -> float:
    spread = outputs.std() * targets.std()
    centred = (outputs - outputs.mean()) * (targets - targets.mean())
    return float(centred.mean() / spread) if spread > 0 else 0.0


def _slope(outputs: Floats, targets: Floats) -> float:
    spread = targets.var()
    centred = (outputs - outputs.mean()) * (targets - targets.mean())
    return float(centred.mean() / spread) if spread > 0 else 0.0


# Means over classes leave out those that occur neither in labels nor in predictions
# (avgclsacc: in labels); a ratio with nothing below it is 0.
_COUNTED: Mapping[str, Callable[[Matrix], float]] = {
    "prec": _precision,
    "rec": _recall,
    "f1": _f1,
    "acc": _accuracy,
    "avgclsacc": _class_accuracy,
}
_COMPARED: Mapping[str, Callable[[Floats, Floats], float]] = {
    "mse": lambda outputs, targets: float(np.mean((outputs - targets) ** 2)),
    "mae": lambda outputs, targets: float(np.mean(np.abs(outputs - targets))),
    "mape": _mape,
    "corr": _correlation,
    "slope": _slope,
}
CLASSIFICATION = tuple(_COUNTED)
METRICS = (*_COUNTED, *_COMPARED)


def scores(
    names: Iterable[str], outputs: NDArray[np.float32], y: NDArray[np.int64]
) -> dict[str, float]:
    """The metrics `names` by name.

    prec, rec, f1: means over classes. acc: share of correct samples. avgclsacc: mean over classes
    of the share of correct samples. mse, mae, mape, corr (Pearson), slope (of the least-squares
    line): outputs against one-hot labels.
    """
    counts = confusion(outputs, y)
    targets = np.eye(outputs.shape[1])[y]
    return {
        name: _COUNTED[name](counts)
        if name in _COUNTED
        else _COMPARED[name](outputs.astype(np.float64), targets)
        for name in names
    }
