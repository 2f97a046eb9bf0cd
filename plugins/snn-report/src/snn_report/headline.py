"""The figures that everybody asks for first, of one model and run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from attrs import frozen

from snn_kernel import Agreement, Deployed, Measure, ModelReport
from snn_kernel.network import BatchNorm, Conv, Linear
from snn_report.energy import NANO, energy
from snn_report.number import THIN, duration, number, percent
from snn_report.rates import Rate


@frozen
class Headline:
    """What is absent is None; energy in nJ per sample, with how it was found; `ran` says how many
    test samples, the first ones, each target has run, where that is known."""

    accuracy: float | None
    samples: int
    deployed: tuple[tuple[str, float], ...]
    energy_nj: float | None
    energy_how: str
    spikes: float | None
    rate: float | None
    agreement: Agreement | None
    ran: Mapping[str, int]
    parameters: int | None
    seconds: float | None
    epochs: int


@frozen
class Tile:
    """A figure with its unit, what it is, and a note; `tone` is good, bad or nothing."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    tone: str = ""


def headline(report: ModelReport, rates: Iterable[Rate]) -> Headline:
    """The figures of `report`, whose layers spike at `rates`; counted if no measure says them."""
    energy_nj, how = _energy(report)
    ran = {d.target: n for d in report.deployed if (n := _ran(d)) is not None}
    found = list(rates)
    spikes, chances = sum(r.spikes for r in found), sum(r.chances for r in found)
    history = report.processed.trained.history
    return Headline(
        accuracy=_test(report),
        samples=len(report.labels),
        deployed=tuple((d.target, a) for d in report.deployed if (a := _on(d, report)) is not None),
        energy_nj=energy_nj,
        energy_how=how,
        spikes=spikes if found else None,
        rate=spikes / chances if chances else None,
        agreement=report.agreement,
        ran=ran,
        parameters=_parameters(report),
        seconds=sum(e.seconds for e in history) if history else None,
        epochs=len(history),
    )


def tiles(head: Headline) -> tuple[Tile, ...]:
    """The figures that are there, in the order of importance."""
    made = []
    if head.accuracy is not None:
        note = _many(head.samples, "test sample") if head.samples else ""
        made.append(_share("test accuracy", head.accuracy, note))
    for target, accuracy in head.deployed:
        note, known = limit(head, target), head.accuracy is not None and target in head.ran
        if not note and known and math.isfinite(accuracy):
            note = _difference(accuracy - head.accuracy)
        made.append(_share(f"accuracy on {target}", accuracy, note))
    if head.agreement:
        made.append(_agreed(head.agreement))
    if head.energy_nj is not None:
        made.append(Tile("energy per sample", number(head.energy_nj), "nJ", head.energy_how))
    if head.spikes is not None:
        note = f"rate {percent(head.rate)} per neuron and timestep" if head.rate is not None else ""
        made.append(Tile("spikes per sample", number(head.spikes), "", note))
    if head.parameters is not None:
        made.append(Tile("parameters", number(head.parameters), "", "weights and biases"))
    if head.seconds is not None:
        value, _, unit = duration(head.seconds).rpartition(THIN)
        made.append(Tile("training", value, unit, _many(head.epochs, "epoch")))
    return tuple(made)


def _many(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def _share(label: str, value: float, note: str) -> Tile:
    if not math.isfinite(value):
        return Tile(label, number(value), "", note)
    figure, _, unit = percent(value, 2).rpartition(THIN)
    return Tile(label, figure, unit, note)


def limit(head: Headline, target: str) -> str:
    """That `target` ran some of the test samples only; empty if it ran all."""
    ran = head.ran.get(target, head.samples)
    few = "sample" if ran == 1 else _many(ran, "sample")
    return f"on the first {few}" if ran < head.samples else ""


def _difference(points: float) -> str:
    if abs(points) < 5e-5:
        return "the same as in the framework"
    return f"{'+' if points > 0 else '−'}{abs(100 * points):.2f} points from the framework"


def _agreed(agreement: Agreement) -> Tile:
    title = f"agreement with {agreement.whom}" if agreement.whom else "agreement"
    *counts, last = agreement.others.values() or (0,)
    on = f" on {' and '.join((*map(number, counts), _many(last, 'sample')))}" if last else ""
    compared = f"of {number(agreement.compared)} spikes and logits differ{on}"
    if not agreement.compared:
        return Tile(title, "–", "", "nothing was compared", "bad")
    if not agreement.differing:
        return Tile(title, "0", "", compared, "good")
    first = f"; first: {agreement.first}" if agreement.first else ""
    return Tile(title, number(agreement.differing), "", f"{compared}{first}", "bad")


def _test(report: ModelReport) -> float | None:
    found = [m.value for m in report.measures if m.name == "accuracy" and m.source == "test"]
    if found:
        return float(found[-1])
    prediction = report.processed.prediction
    if prediction is None or not len(report.labels) or len(prediction.logits) != len(report.labels):
        return None
    return prediction.accuracy(report.labels)


def _ran(deployed: Deployed) -> int | None:
    return len(deployed.prediction.logits) if deployed.prediction else deployed.samples


def _on(deployed: Deployed, report: ModelReport) -> float | None:
    for measure in deployed.measures:
        if measure.name == "accuracy":
            return float(measure.value)
    logits = deployed.prediction.logits if deployed.prediction else np.zeros((0, 0))
    labels = report.labels[: len(logits)]
    if deployed.prediction is None or not len(labels) or len(labels) != len(logits):
        return None
    return deployed.prediction.accuracy(labels)


def _energy(report: ModelReport) -> tuple[float | None, str]:
    """Measured energy rather than estimated, a measure rather than the sum of a table, and the last
    of several, which is that of the final model."""
    found = [m for m in report.measures if _is_energy(m)]
    for how in ("measured", "counted", "estimated"):
        for measure in reversed(found):
            if measure.how == how:
                source = f", {measure.source}" if measure.source else ""
                return measure.value * NANO[measure.unit], f"{how}{source}"
    sums = [e.total_nj for e in map(energy, report.processed.tables) if e]
    return (sums[-1], "estimated, sum over layers") if sums else (None, "")


def _is_energy(measure: Measure) -> bool:
    named = measure.name in ("energy", "energy_total", "total_energy")
    return named and measure.unit in NANO and measure.per == "sample"


def _parameters(report: ModelReport) -> int | None:
    for measure in report.measures:
        if measure.name == "parameters" and math.isfinite(measure.value):
            return int(measure.value)
    network = report.processed.network
    return sum(count(layer) for layer in network.layers) if network else None


def count(layer: object) -> int:
    """The trained numbers of one layer of a network."""
    if isinstance(layer, Conv | Linear):
        return layer.weight.size + (layer.bias.size if layer.bias is not None else 0)
    if isinstance(layer, BatchNorm):
        return layer.scale.size + layer.shift.size
    return 0
