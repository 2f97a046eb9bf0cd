"""Generated C against the integer law: random documents of every kind of layer and format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from compiled_networks import SANITISED, Library
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quantised_documents import runs
from snn_kernel.network import Network, Neuron
from snn_network.reference import Reference

BATCH = 10  # networks for one start of the compiler
# A batch of networks is more than hypothesis thinks one example should be.
LARGE = settings(
    max_examples=3,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking would compile for minutes
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)


def agrees(cases: Any, convolution: str, flags: tuple[str, ...], lanes: bool = False) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = Library([n for n, _ in cases], Path(folder), convolution, flags, lanes)
        for i, (network, x) in enumerate(cases):
            logits, spikes = Reference(network).run(x)
            made = library.predict(i, x)
            np.testing.assert_array_equal(made.logits, logits)
            for layer in network.only(Neuron):
                packed = np.packbits(spikes[layer.name], axis=2)
                np.testing.assert_array_equal(made.spikes[layer.name], packed)


@LARGE
@given(st.lists(runs(), min_size=BATCH, max_size=BATCH))
def test_whatever_the_kernels_what_they_compute_is_the_law(
    cases: list[tuple[Network, Any]],
) -> None:
    for convolution in ("auto", "dense", "gather", "scatter"):
        agrees(cases, convolution, ("-O0",))
    for convolution in ("gather", "scatter"):
        agrees(cases, convolution, ("-O0",), lanes=True)


@settings(LARGE, max_examples=2)
@given(st.lists(runs(), min_size=BATCH, max_size=BATCH), st.booleans())
def test_nothing_in_it_is_undefined(cases: list[tuple[Network, Any]], lanes: bool) -> None:
    agrees(cases, "auto", ("-O1", *SANITISED), lanes)
