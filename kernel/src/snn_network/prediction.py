"""What a network answers to samples, and whether two answers are one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from snn_network.layers import equal


@frozen
class Prediction:
    """Logits float32 [N, K]; spikes per neuron layer, bits packed as numpy.packbits does along the
    neurons (channel, y, x): uint8 [N, T, ceil(neurons/8)]; `neurons` tells how many bits count."""

    logits: NDArray[np.float32] = field(eq=equal)
    spikes: Mapping[str, NDArray[np.uint8]] = field(factory=dict, eq=False)
    neurons: Mapping[str, int] = field(factory=dict)

    def take(self, limit: int | None) -> Prediction:
        """The first `limit` samples of it (None: all)."""
        spikes = {layer: packed[:limit] for layer, packed in self.spikes.items()}
        return evolve(self, logits=self.logits[:limit], spikes=spikes)

    def accuracy(self, y: NDArray[np.int64]) -> float:
        """The share of samples whose first largest logit is at the label."""
        return float(np.mean(self.logits.argmax(axis=1) == y))


@frozen
class Agreement:
    """Spikes and logits of `others` (a deployed network, the integer law) against the framework's,
    element by element; `first` names the first difference: layer, sample, timestep, neuron.
    `others` tells on how many samples each was compared."""

    compared: int
    differing: int
    first: str = ""
    others: Mapping[str, int] = field(factory=dict)

    def __add__(self, other: Agreement) -> Agreement:
        counts = (self.compared + other.compared, self.differing + other.differing)
        others = dict(self.others)
        for who, samples in other.others.items():
            others[who] = others.get(who, 0) + samples
        return Agreement(*counts, self.first or other.first, others)

    @property
    def whom(self) -> str:
        """The names of `others` as a text, empty where they are not known."""
        *rest, last = self.others or ("",)
        return f"{', '.join(rest)} and {last}" if rest else last


def agree(ours: Prediction, theirs: Prediction, who: str = "") -> Agreement:
    """Compare spike for spike, and logits bit for bit; what is not there differs throughout. `who`
    made theirs."""
    compared = sum(len(s) * s.shape[1] * ours.neurons[layer] for layer, s in ours.spikes.items())
    found = list(_differences(ours, theirs))
    first = f"{who}: {found[0][1]}" if who and found else found[0][1] if found else ""
    others = {who: len(ours.logits)} if who else {}
    return Agreement(compared + ours.logits.size, sum(n for n, _ in found), first, others)


def _differences(ours: Prediction, theirs: Prediction) -> Iterator[tuple[int, str]]:
    """How many differ, and where first, for each layer and for the logits."""
    for layer, expected in ours.spikes.items():
        found = theirs.spikes.get(layer)
        if found is None or found.shape != expected.shape:
            count = len(expected) * expected.shape[1] * ours.neurons[layer]
            yield count, f"layer {layer}: no spikes of shape {expected.shape}"
        elif not np.array_equal(found, expected):
            other = expected ^ found
            sample, step, byte = np.argwhere(other)[0]
            neuron = 8 * byte + np.unpackbits(other[sample, step, byte : byte + 1]).argmax()
            place = f"layer {layer}, sample {sample}, timestep {step}, neuron {neuron}"
            yield int(np.bitwise_count(other).sum(dtype=np.int64)), place
    if ours.logits.shape != theirs.logits.shape:
        yield ours.logits.size, "logits: other shape"
    # A NaN equals nothing, so it differs.
    elif len(where := np.argwhere(~(ours.logits == theirs.logits))):
        yield len(where), f"logits, sample {where[0][0]}, class {where[0][1]}"
