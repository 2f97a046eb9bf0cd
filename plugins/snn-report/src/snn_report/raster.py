"""Every spike of one sample: neurons over timesteps."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_kernel import Prediction
from snn_report.axis import Axis
from snn_report.number import number, percent, short

WIDTH, LEFT, GAP, HEADER, FOOTER = 1060, 44, 28, 40, 34
NEURONS_MAX = 400  # rows that can still be told apart
SPIKES_MAX = 6_000  # marks drawn per layer, so that a page stays small
STEP = (24, 60)  # px, the least and the most for one timestep
STEP_MANY = 4  # px, the least where there are more than LAYERS_MANY
LAYERS_MANY = 6
ROW_MIN = 0.6  # px, the least for one neuron
PANEL_MIN = 240  # px, so that the text above a panel fits


@frozen
class Panel:
    """One layer: its spikes as a path in units of one timestep and one neuron shown."""

    name: str
    full: str
    text: str
    x: float
    y: float
    width: float
    height: float
    shown: int
    last: str
    timesteps: int
    path: str
    mark: float
    axis: Axis
    title: str

    @property
    def cell(self) -> tuple[float, float]:
        """Pixels per timestep and per neuron."""
        return self.width / self.timesteps, self.height / self.shown

    @property
    def stroke(self) -> float:
        """Height of a mark in neurons: most of a row, and never less than a pixel."""
        return max(0.72, min(1.0 / self.cell[1], 4.0))


@frozen
class Raster:
    """The panels of all neuron layers for one sample; `sampled` if some leave neurons out."""

    panels: tuple[Panel, ...]
    sampled: bool
    height: float
    width: int = WIDTH


def raster(prediction: Prediction, sample: int) -> Raster | None:
    """The spikes of `sample`; None if none were recorded for it."""
    found = {
        layer: np.unpackbits(packed[sample], axis=-1, count=prediction.neurons[layer])
        for layer, packed in prediction.spikes.items()
        if sample < len(packed) and packed.shape[1] and prediction.neurons[layer]
    }
    if not found:
        return None
    tallest = max(90.0, min(240.0, 1100.0 / len(found)))
    steps = max(len(spikes) for spikes in found.values())
    step = STEP[0] if len(found) <= LAYERS_MANY else STEP_MANY
    slot = LEFT + GAP + max(step * steps, PANEL_MIN)
    columns = min(len(found), max(1, (WIDTH + GAP) // slot))
    slot = (WIDTH + GAP) // columns
    width = min(slot - LEFT - GAP, max(STEP[1] * steps, PANEL_MIN))
    panels, y, sampled = [], 0.0, False
    layers = list(found.items())
    for first in range(0, len(layers), columns):
        row = []
        for column, (layer, spikes) in enumerate(layers[first : first + columns]):
            x = LEFT + column * slot
            row.append(_panel(layer, spikes, (x, y + HEADER), width, tallest))
        sampled |= any(panel.shown < found[panel.full].shape[1] for panel in row)
        panels += row
        y = max(panel.y + panel.height for panel in row) + FOOTER + 12
    return Raster(tuple(panels), sampled, y)


def _panel(
    layer: str, spikes: NDArray[np.uint8], at: tuple[float, float], width: float, tallest: float
) -> Panel:
    timesteps, neurons = spikes.shape
    chosen = _chosen(spikes, int(tallest / ROW_MIN))
    shown = len(chosen)
    cell = width / timesteps
    mark = min(0.72, 14 / cell)
    where = np.argwhere(spikes[:, chosen].T)
    total = int(spikes.sum(dtype=np.int64))
    which = number(neurons) if shown == neurons else f"{number(shown)} of {number(neurons)}"
    text = f"{which} neurons · {number(total)} spikes · rate {percent(total / spikes.size)}"
    return Panel(
        name=short(layer, max(20, int(width / 7.5))),
        full=layer,
        text=text,
        x=at[0],
        y=at[1],
        width=width,
        height=min(tallest, max(36.0, 9.0 * shown)),
        shown=shown,
        last=number(int(chosen[-1])),
        timesteps=timesteps,
        path="".join(f"M{t} {n}h{mark:.2g}" for n, t in where),
        mark=mark,
        axis=Axis.whole(0, timesteps - 1, at[0] + cell / 2, at[0] + width - cell / 2)
        if timesteps > 1
        else Axis(0, 1, at[0] + cell / 2, at[0] + 1.5 * cell, 2),
        title=f"{layer}: {number(total)} spikes of {number(neurons)} neurons",
    )


def _chosen(spikes: NDArray[np.uint8], rows: int) -> NDArray[np.int64]:
    """Neurons to show, evenly spaced; all of them unless `rows` are too few or spikes too many."""
    neurons = spikes.shape[1]
    shown = min(neurons, rows, NEURONS_MAX)
    chosen = np.linspace(0, neurons - 1, shown).round().astype(np.int64)
    while shown > 1 and spikes[:, chosen].sum(dtype=np.int64) > SPIKES_MAX:
        shown = (shown + 1) // 2
        chosen = np.linspace(0, neurons - 1, shown).round().astype(np.int64)
    return chosen
