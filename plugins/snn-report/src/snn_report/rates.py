"""How often the neurons of each layer spike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from attrs import frozen

from snn_kernel import Prediction, Processed
from snn_kernel.network import Neuron
from snn_report.bars import Bars, Row, bars
from snn_report.number import number, percent

WIDTH = 520


@frozen
class Rate:
    """Spikes of a layer per sample, out of `chances` (neurons times timesteps) per sample."""

    spikes: float
    chances: int

    @property
    def share(self) -> float:
        """Spikes per neuron and timestep."""
        return self.spikes / self.chances


def rates(processed: Processed) -> Mapping[str, Rate]:
    """The rate of every neuron layer: from its activity, or else from the predicted spikes."""
    if processed.network and processed.activity:
        neurons = {layer.name for layer in processed.network.only(Neuron)}
        return {
            a.layer: Rate(a.output.nonzeros / a.samples, a.output.elements * a.timesteps)
            for a in processed.activity
            if a.layer in neurons and a.samples * a.timesteps * a.output.elements
        }
    return _predicted(processed.prediction) if processed.prediction else {}


def _predicted(prediction: Prediction) -> Mapping[str, Rate]:
    found = {}
    for layer, packed in prediction.spikes.items():
        samples, timesteps, _ = packed.shape
        if chances := timesteps * prediction.neurons[layer]:
            spikes = int(np.bitwise_count(packed).sum(dtype=np.int64))
            found[layer] = Rate(spikes / max(samples, 1), chances)
    return found


def chart(found: Mapping[str, Rate]) -> Bars | None:
    """The rates as bars."""
    if not found:
        return None
    rows = [
        Row(
            layer,
            (100 * rate.share,),
            (f"{layer}: {number(rate.spikes)} spikes per sample, {number(rate.chances)} possible",),
            percent(rate.share) if rate.spikes else "silent",
        )
        for layer, rate in found.items()
    ]
    summary = "; ".join(f"{row.name} {row.value}" for row in rows)
    return bars("spikes per neuron and timestep (%)", rows, WIDTH, summary=summary)
