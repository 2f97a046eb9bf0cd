"""Event execution of what sensors recorded, and of handwritten digits by a trained network."""

import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from event_networks import chain, documented
from event_reference import reference
from test_engine_law import levels

from snn_engine import Engine, EventEngine
from snn_engine.events import Event
from snn_kernel.network import Conv, Flatten, Linear, Neuron, Pool
from snn_kernel.signals import EVENT

F = np.float32
DATA = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[2] / ".." / "shared")) / "data"


def found(*parts):
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def records(columns):
    made = np.zeros(len(columns[0]), EVENT)
    for name, column in zip("xytp", columns, strict=True):
        made[name] = column
    return made[np.argsort(made["t"], kind="stable")]


def gestures():
    """A gesture before a DVS of 128 × 128."""
    bs3 = pytest.importorskip("snn_datasets_events.bs3")
    path = found("dvs_gesture", "1.bs3")
    return documented("sensor"), records(bs3.decode(path.read_bytes(), str(path)))


def digits():
    """Twenty digits of N-MNIST, one after another, and a network with strides, pools, leak."""
    atis = pytest.importorskip("snn_datasets_events.atis")
    path = found("nmnist_small", "nmnist_small.zip")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".bin")][:20]
        columns, counts = atis.decode([archive.read(name) for name in names])
    columns[2] = columns[2] + np.repeat(400_000 * np.arange(len(counts)), counts)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0.1, s, n).astype(F) for s, n in ((0.3, (12, 2, 5, 5)), (0.2, (10, 432)))]
    layers = [
        *(
            Conv("conv", weights[0], None, (3, 3), (2, 2)),
            Neuron("n", 1.0, charge="lif_undecayed", tau=30.0),
        ),
        *(Pool("pool", "avg", (2, 2), (2, 2), (0, 0)), Flatten("flatten")),
        *(Linear("linear", weights[1], None), Neuron("out", 1.0)),
    ]
    return chain(layers, (2, 34, 34)), records(columns)


@pytest.mark.parametrize("recorded", [gestures, digits])
def test_recordings(recorded):
    """The first events are the reference's; all of them are the same at every level."""
    network, events = recorded()
    how = Event(dt_us=1000)
    assert len(events) > 20_000
    first = reference(network, events[:400], how)
    runs = []
    for cpu in levels():
        with EventEngine.load(network, how, cpu) as engine:
            run = engine.run(events[:400], monitor=list(first))
            for name, (emitted, _) in first.items():
                np.testing.assert_array_equal(run.monitors[name], emitted)
            runs.append(engine.run(events[400:]))
    assert all(run == runs[0] for run in runs)
    assert len(runs[0].records) > 0


@pytest.mark.slow
def test_accuracy_of_a_trained_network():
    """1,000 rate-coded MNIST images: event by event, and in 100 timesteps of the same spikes."""
    torch = pytest.importorskip("torch")
    path = found("sinabs_weights", "mnist_params.pt")
    weights = torch.load(path, weights_only=True, map_location="cpu").values()
    network = documented("mnist", [weight.numpy() for weight in weights])
    images, labels = (
        np.frombuffer(gzip.decompress(found("mnist", f"t10k-{name}.gz").read_bytes())[skip:], "u1")
        for name, skip in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8))
    )
    images, labels = images[:784_000].reshape(1000, 1, 1, 28, 28), labels[:1000]
    rng = np.random.default_rng(0)
    frames = (rng.random((1000, 100, 1, 28, 28), F) * 255 < images).astype(F)
    samples = []
    for sample in frames:
        step, _, y, x = np.nonzero(sample)
        samples.append(records((x, y, 1000 * step, 0 * step)))
    with EventEngine.load(network) as engine:
        emitted, _ = engine.samples(samples, threads=2)
    counts = np.array([np.bincount(out["p"], minlength=10) for out in emitted])
    with Engine.load(evolve(network, timesteps=100, mode="sequence")) as engine:
        logits = engine.run(frames, threads=2).logits
    right = [int((scores.argmax(1) == labels).sum()) for scores in (counts, logits)]
    print(f"of 1,000 images {right[0]} right in event, {right[1]} in clocked execution")
    assert min(right) > 900
