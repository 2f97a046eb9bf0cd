"""Everything the page shows of one model and run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import frozen

from snn_kernel import Measure, ModelReport, Table
from snn_kernel.network import Network
from snn_report import confusion, rates
from snn_report.bars import Bars
from snn_report.curves import Curves, curves
from snn_report.energy import Energy, energy
from snn_report.headline import Headline, Tile, count, headline, tiles
from snn_report.number import is_number
from snn_report.raster import Raster, raster
from snn_report.sides import Sides, sides

ROWS_MAX = 200  # rows of a table on the page; the CSV file has them all
ROWS_OPEN = 12  # a longer table is folded


@frozen
class Grid:
    """A table ready to be shown: which columns hold numbers, and how many rows were left out."""

    name: str
    unit: str
    source: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Any, ...], ...]
    omitted: int
    open: bool


@frozen
class Chapter:
    """One model and run; whatever is absent is None, empty, or said in `remarks`."""

    anchor: str
    name: str
    model: str
    run: int
    subtitle: str
    head: Headline
    tiles: tuple[Tile, ...]
    curves: tuple[Curves, ...]
    confusion: confusion.Confusion | None
    rates: Bars | None
    raster: Raster | None
    shown: str
    energies: tuple[Energy, ...]
    sides: tuple[Sides, ...]
    network: Grid | None
    measures: tuple[Measure, ...]
    grids: tuple[Grid, ...]
    files: tuple[tuple[str, str, str], ...]
    remarks: tuple[str, ...]


def chapter(report: ModelReport, anchor: str, sample: int, folder: Path) -> Chapter:
    """The chapter of `report`, its files linked from a page in `folder`."""
    processed = report.processed
    found = rates.rates(processed)
    head = headline(report, found.values())
    prediction = processed.prediction
    tables = [*processed.tables, *(t for d in report.deployed for t in d.tables)]
    matrix = confusion.counts(prediction, report.labels) if prediction else None
    return Chapter(
        anchor=anchor,
        name=processed.name,
        model=report.model,
        run=report.run,
        subtitle=_subtitle(processed.network),
        head=head,
        tiles=tiles(head),
        curves=curves(processed.trained.history),
        confusion=confusion.confusion(matrix) if matrix is not None else None,
        rates=rates.chart(found),
        raster=raster(prediction, sample) if prediction else None,
        shown=_shown(report, sample),
        energies=tuple(e for e in map(energy, tables) if e),
        sides=tuple(s for s in map(sides, tables) if s),
        network=_layers(processed.network) if processed.network else None,
        measures=report.measures,
        grids=tuple(map(grid, tables)),
        files=links(report.files, folder),
        remarks=tuple(_remarks(report, sample, matrix)),
    )


def grid(table: Table) -> Grid:
    """`table` with its first rows; a column is numeric if all that stands in it is."""
    cells = [[r[i] for r in table.rows if i < len(r)] for i in range(len(table.columns))]
    numeric = tuple(
        all(v is None or is_number(v) for v in column) and any(map(is_number, column))
        for column in cells
    )
    rows, omitted = table.rows[:ROWS_MAX], max(0, len(table.rows) - ROWS_MAX)
    width = len(table.columns)
    padded = tuple((*row[:width], *([None] * (width - len(row)))) for row in rows)
    return Grid(
        name=table.name,
        unit=table.unit,
        source=table.source,
        columns=table.columns,
        numeric=numeric,
        rows=padded,
        omitted=omitted,
        open=len(table.rows) <= ROWS_OPEN,
    )


def links(files: Mapping[str, Path], folder: Path) -> tuple[tuple[str, str, str], ...]:
    """(name, path as text, link) of each file, relative to `folder` where there is a way."""
    made = []
    for name, path in files.items():
        try:
            way = Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive
            made.append((name, str(path), Path(path).absolute().as_uri()))
            continue
        made.append((name, way, quote(way if "/" in way else f"./{way}")))
    return tuple(made)


def _subtitle(network: Network | None) -> str:
    if network is None:
        return ""
    shape = " × ".join(map(str, network.input_shape))
    steps = f"{network.timesteps} timestep{'s' if network.timesteps != 1 else ''}"
    shown = (
        "the same input at every timestep" if network.mode == "static" else "a frame per timestep"
    )
    return f"{len(network.layers)} layers · input {shape} · {steps}, {shown}"


def _layers(network: Network) -> Grid:
    rows = tuple(
        (
            layer.name,
            type(layer).__name__,
            ", ".join(network.inputs(layer.name)),
            " × ".join(map(str, network.shapes[layer.name])),
            count(layer) or None,
        )
        for layer in network.layers
    )
    columns = ("layer", "kind", "input", "output shape", "parameters")
    return grid(Table("Network", columns, rows))


def _shown(report: ModelReport, sample: int) -> str:
    """What the sample of the raster is, and what it was taken for."""
    prediction = report.processed.prediction
    if prediction is None or sample >= min(len(prediction.logits), len(report.labels)):
        return f"Sample {sample} of the test set."
    label, found = int(report.labels[sample]), int(prediction.logits[sample].argmax())
    verdict = "correctly" if label == found else "wrongly"
    return f"Sample {sample} of the test set: label {label}, {verdict} predicted as {found}."


def _remarks(report: ModelReport, sample: int, matrix: Any) -> Iterator[str]:
    processed = report.processed
    if processed.obstacle:
        yield f"The model could not be lowered to a network document: {processed.obstacle}"
    if processed.prediction is None:
        yield "The model has not been evaluated on the test set."
    elif processed.prediction.spikes and sample >= len(processed.prediction.logits):
        yield f"There is no sample {sample} in the test set, so that no raster is shown."
    if processed.prediction and matrix is None and len(processed.prediction.logits):
        yield f"A confusion matrix of more than {confusion.CLASSES_MAX} classes is not drawn."
    if not processed.trained.history:
        yield "No epochs of training were recorded."
    if not report.deployed:
        yield "The model has not been deployed."
    for deployed in report.deployed:
        if deployed.prediction is None:
            yield f"The files for {deployed.target} were made, but not run."
