"""Which class is taken for which."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_kernel import Prediction
from snn_report.number import number, percent

WIDTH, LEFT, TOP, BOTTOM, RIGHT = 520, 56, 8, 46, 70
DETAILED_MAX = 20  # classes whose cells carry counts and tooltips
CLASSES_MAX = 200  # more cells than pixels tell nobody anything
LEVELS = 10  # shades in a matrix without counts
TONES = (0.595, 0.772)  # shares at which black and white text swap, on the dark and light scheme
MISTAKES = 3


@frozen
class Cell:
    """One field: `share` of the row's samples, 0 to 1."""

    x: float
    y: float
    share: float
    text: str
    title: str

    @property
    def tone(self) -> str:
        """How the style sheet colours the text, so that it stands out from the shade."""
        return ("pale", "mid-tone", "deep")[sum(self.share > tone for tone in TONES)]


@frozen
class Confusion:
    """A matrix, rows being labels and columns classes predicted, shaded by the share of its row.

    With few classes it has `cells` and the `recall` of each row; with many, one path per shade.
    """

    classes: int
    side: float
    cells: tuple[Cell, ...]
    recall: tuple[tuple[float, str], ...]
    shades: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    mistakes: tuple[str, ...]
    summary: str
    left: int = LEFT
    top: int = TOP
    width: int = WIDTH

    @property
    def size(self) -> float:
        return self.side * self.classes

    @property
    def height(self) -> float:
        return TOP + self.size + BOTTOM


def counts(prediction: Prediction, labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """int64 [K, K]: samples by label and by first largest logit, unlabelled ones left out; None of
    no sample and of too many classes."""
    n = min(len(labels), len(prediction.logits))
    if not n:
        return None
    labels, predicted = labels[:n], prediction.logits[:n].argmax(axis=1)
    k = max(prediction.logits.shape[1], int(labels.max()) + 1)
    if k > CLASSES_MAX:
        return None
    kept = labels >= 0
    flat = np.bincount(labels[kept] * k + predicted[kept], minlength=k * k)
    return flat.reshape(k, k)


def confusion(matrix: NDArray[np.int64]) -> Confusion | None:
    """The chart of `matrix`; None if nothing was counted."""
    k = len(matrix)
    if not matrix.any():
        return None
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(44.0, (WIDTH - LEFT - RIGHT) / k)
    every = next(n for n in (1, 2, 5, 10, 20) if k <= 20 * n)
    right, total = int(np.trace(matrix)), int(matrix.sum())
    detailed = k <= DETAILED_MAX
    return Confusion(
        classes=k,
        side=side,
        cells=tuple(_cells(matrix, shares, side)) if detailed else (),
        recall=tuple(_recall(matrix, shares, side)) if detailed else (),
        shades=() if detailed else tuple(_shades(shares)),
        ticks=tuple(((i + 0.5) * side, str(i)) for i in range(0, k, every)),
        mistakes=tuple(_mistakes(matrix)),
        summary=f"{number(right)} of {number(total)} samples on the diagonal",
    )


def _cells(matrix: NDArray[np.int64], shares: NDArray[np.float64], side: float) -> Iterator[Cell]:
    sums = matrix.sum(axis=1)
    for i, j in np.argwhere(matrix):
        text = number(matrix[i, j]) if side >= 9 * len(str(matrix[i, j])) - 2 else ""
        title = (
            f"label {i}, predicted {j}: {number(matrix[i, j])} of {number(sums[i])} "
            f"({percent(shares[i, j])})"
        )
        x, y = LEFT + j * side, TOP + i * side
        yield Cell(x, y, float(shares[i, j]), text, title)


def _recall(
    matrix: NDArray[np.int64], shares: NDArray[np.float64], side: float
) -> Iterator[tuple[float, str]]:
    for i, row in enumerate(matrix):
        yield TOP + (i + 0.5) * side, percent(shares[i, i]) if row.sum() else "no sample"


def _shades(shares: NDArray[np.float64]) -> Iterator[tuple[float, str]]:
    """(opacity, path) in units of one cell, every cell one stroke of length 1."""
    levels = np.ceil(shares * LEVELS).astype(int)
    for level in range(1, LEVELS + 1):
        fields = np.argwhere(levels == level)
        if len(fields):
            yield level / LEVELS, "".join(f"M{j} {i}h1" for i, j in fields)


def _mistakes(matrix: NDArray[np.int64]) -> Iterator[str]:
    wrong = matrix - np.diag(np.diag(matrix))
    for flat in np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]:
        i, j = divmod(int(flat), len(matrix))
        if wrong[i, j]:
            yield f"{i} as {j} ({number(wrong[i, j])} of {number(matrix[i].sum())})"
