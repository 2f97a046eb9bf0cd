"""Measures as people read them; full precision is in the files and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snn_kernel.results import Measure


def figure(measure: Measure, value: float) -> str:
    """A value of `measure`: accuracy in percent, what is estimated marked with ≈."""
    if measure.name == "accuracy":
        return f"{100 * value:.2f}"
    return f"{'≈ ' if measure.how == 'estimated' else ''}{number(value)}"


def unit(measure: Measure) -> str:
    """The unit, and per what it is, if not per run."""
    if measure.name == "accuracy":
        return "%"
    return measure.unit + (f"/{measure.per}" if measure.per != "run" else "")


def first_samples(count: int) -> str:
    """That a measure is not over the whole test set."""
    return f"first {'sample' if count == 1 else f'{count:,} samples'}"


def number(value: float, digits: int = 4) -> str:
    """Integers and what is large whole, thousands separated; so many digits of anything else."""
    whole = float(value).is_integer() or abs(value) >= 10 ** (digits - 1)
    return f"{value:,.0f}" if whole else f"{value:.{digits}g}"
