"""One quantised network, one answer: torch's twin, the law, the engine and C, bit for bit."""

from pathlib import Path

import numpy as np
import pytest

from snn_kernel.network import Neuron
from snn_network.reference import Reference

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")
snn_engine = pytest.importorskip("snn_engine")
pytest.importorskip("snn_codegen")

from compiled_networks import SANITISED, Library  # noqa: E402
from quantised_networks import drawn  # noqa: E402

torch.set_num_threads(1)
BATCH = 50  # networks that are compiled at a time


def answers(network, x):
    """(the law's, the engine's) logits and spikes."""
    logits, spikes = Reference(network).run(x)
    yield "law", logits, {name: np.packbits(fired, axis=2) for name, fired in spikes.items()}
    with snn_engine.Engine.load(network) as engine:
        run = engine.run(x, spikes=True)
    yield "engine", run.logits, run.spikes


def compare(seeds, folder, flags=("-O0",)):
    found = [made for seed in seeds if (made := drawn(seed, folder)) is not None]
    for start in range(0, len(found), BATCH):
        part = found[start : start + BATCH]
        library = Library([n for n, _, _ in part], folder / str(start), flags=flags)
        for i, (network, samples, ours) in enumerate(part):
            x = samples.channels_first()
            made = library.predict(i, x)
            for who, logits, spikes in (*answers(network, x), ("C", made.logits, made.spikes)):
                what = f"{who}, network {start + i} of {seeds}"
                np.testing.assert_array_equal(ours.logits, logits, what)
                for layer in network.only(Neuron):
                    name = layer.name
                    np.testing.assert_array_equal(ours.spikes[name], spikes[name], name + what)
    refused = len(seeds) - len(found)
    print(f"{len(found)} random quantised networks agree fourfold, {refused} refused")
    assert len(found) > 0.7 * len(seeds)


def test_torch_law_engine_and_c_agree(tmp_path: Path) -> None:
    compare(range(60), tmp_path)


def test_c_does_nothing_undefined(tmp_path: Path) -> None:
    compare(range(60, 75), tmp_path, ("-O1", *SANITISED))


@pytest.mark.slow
def test_two_thousand_networks_agree(tmp_path: Path) -> None:
    compare(range(1000, 3600), tmp_path)
