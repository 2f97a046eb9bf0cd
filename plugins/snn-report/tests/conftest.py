"""Reports as runs make them: a whole one, two models in three runs, and barely anything."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from snn_kernel import (
    Activity,
    Agreement,
    Deployed,
    Epoch,
    Measure,
    ModelReport,
    Prediction,
    Processed,
    Report,
    Table,
    Tally,
    Trained,
)
from snn_kernel.network import BatchNorm, Conv, Flatten, Linear, Network, Neuron, Pool

CLASSES, SAMPLES, TIMESTEPS = 10, 300, 12
COLUMNS = ("name", "mem_pot", "mem_weights", "mem_bias", "mem_io", "ops", "addr", "total", "is_sj")


@pytest.fixture(scope="session")
def network() -> Network:
    rng = np.random.default_rng(1)

    def weight(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    layers = (
        Conv("conv1", weight(8, 1, 3, 3), None, (1, 1), (1, 1)),
        BatchNorm("bn1", weight(8), weight(8)),
        Neuron("neuron1", 1.0),
        Conv("conv2", weight(16, 8, 3, 3), weight(16), (1, 1), (1, 1)),
        Neuron("neuron2", 1.0, decay=0.5, charge="lif", tau=2.0),
        Pool("pool2", "max", (2, 2), (2, 2), (0, 0)),
        Flatten("flatten"),
        Linear("fc1", weight(CLASSES, 16 * 7 * 7), weight(CLASSES)),
        Neuron("neuron3", 1.0),
    )
    names = ["input", *(layer.name for layer in layers)]
    edges = tuple(pairwise(names))
    return Network(layers, edges, (1, 14, 14), TIMESTEPS)


def prediction_of(network: Network, labels: np.ndarray, seed: int = 0) -> Prediction:
    """Plausible spikes: a few channels busy, most quiet; logits are the rates of the last layer."""
    rng, spikes, neurons = np.random.default_rng(seed), {}, {}
    logits = np.zeros((len(labels), CLASSES), np.float32)
    for layer in network.only(Neuron):
        count = int(np.prod(network.shapes[layer.name]))
        chance = rng.beta(0.5, 6, size=count) * (1 + np.cos(np.arange(network.timesteps))[:, None])
        drive = np.broadcast_to(chance / 2, (len(labels), *chance.shape))
        if count == CLASSES:
            near = np.exp(-0.7 * np.abs(np.arange(CLASSES) - labels[:, None]))
            drive = np.broadcast_to(0.62 * near[:, None], (len(labels), network.timesteps, count))
        fired = rng.random(drive.shape, np.float32) < drive
        if count == CLASSES:
            logits = fired.mean(axis=1, dtype=np.float32)
        spikes[layer.name], neurons[layer.name] = np.packbits(fired, axis=-1), count
    return Prediction(logits, spikes, neurons)


def activity_of(network: Network, prediction: Prediction) -> tuple[Activity, ...]:
    n = len(prediction.logits)
    found = []
    for layer in network.layers:
        elements = int(np.prod(network.shapes[layer.name]))
        spikes = prediction.spikes.get(layer.name)
        nonzeros = int(np.bitwise_count(spikes).sum()) if spikes is not None else elements * n
        out = Tally(elements, nonzeros, float(nonzeros), spikes is not None)
        found.append(Activity(layer.name, Tally(1, n, float(n), False), out, n, network.timesteps))
    return tuple(found)


def energy_table() -> Table:
    rows = [
        ("conv1neuron1", 1705645.9, 304164.2, 135169.8, 22520.2, 74090.6, 4672.0, "Hybrid"),
        ("conv2neuron2", 923411.2, 812333.1, 66012.4, 41811.9, 51022.5, 30112.4, True),
        ("fc1neuron3", 33012.7, 402116.4, 912.2, 15010.1, 8019.1, 5511.0, True),
    ]
    whole = [(*r[:-1], sum(r[1:-1]), r[-1]) for r in rows]
    total = ("Total", *(sum(column) for column in list(zip(*whole, strict=True))[1:-1]), None)
    return Table("energy", COLUMNS, (*whole, total), "pJ", "saturation, 8 bit")


def history_of(epochs: int = 20) -> tuple[Epoch, ...]:
    def measures(e: int) -> dict[str, float]:
        fall, wave = np.exp(-e / 6), 0.02 * np.sin(3.0 * e)
        return {
            "train_loss": 2.1 * fall + 0.06 + wave / 2,
            "valid_loss": 2.0 * fall + 0.16 + wave,
            "train_acc": 0.99 - 0.75 * fall,
            "valid_acc": 0.955 - 0.7 * fall + wave / 2,
            "lr": 1e-3,
        }

    return tuple(Epoch(e, 31.4, measures(e)) for e in range(1, epochs + 1))


def model_report(
    network: Network, folder: Path, model: str = "scnn_small", run: int = 1, *, differing: int = 0
) -> ModelReport:
    labels = np.random.default_rng(7).integers(0, CLASSES, SAMPLES)
    prediction = prediction_of(network, labels, run)
    accuracy = prediction.accuracy(labels)
    table = energy_table()
    total = table.rows[-1][-2]
    measures = (
        Measure("accuracy", accuracy, "", "counted", "run", "test"),
        Measure("energy", total, "pJ", "estimated", "sample", "EnergyEstimationMetric"),
        Measure("spikes_total", 1234567.0, "", "counted", "run", "test"),
    )
    counters = Table(
        "operations",
        ("name", "syn_acc", "syn_mac", "mem_read", "mem_write"),
        tuple((f"layer{i}", 1000.5 * i, 12 * i, 3e9 * i, 1e-7 * i) for i in range(14)),
        source="OperationCounter",
    )
    processed = Processed(
        model,
        None,
        Trained(None, history_of()),
        network=network,
        prediction=prediction,
        activity=activity_of(network, prediction),
        measures=measures,
        tables=(table, counters),
    )
    at = folder / f"{model}_r{run}"
    files = {"weights": at / "weights.safetensors", "energy": at / "energy.csv"}
    compared = sum(s.size * 8 for s in prediction.spikes.values()) + prediction.logits.size
    first = "layer neuron2, sample 17, timestep 3, neuron 208" if differing else ""
    engine = Measure("time", 1.25, "ms", "measured", "sample", "engine")
    deployed = Deployed("engine", {"network": at / "network.snn"}, prediction, (engine,))
    return ModelReport(
        model,
        run,
        processed,
        labels,
        at,
        (deployed,),
        Agreement(compared, differing, first, {"engine": SAMPLES}),
        {**files, "network": at / "network.snn"},
    )


@pytest.fixture(scope="session")
def prediction(network: Network) -> Prediction:
    """Of ten samples, one of each class."""
    return prediction_of(network, np.arange(CLASSES))


@pytest.fixture(scope="session")
def activity(network: Network, prediction: Prediction) -> tuple[Activity, ...]:
    return activity_of(network, prediction)


@pytest.fixture(scope="session")
def energies() -> Table:
    return energy_table()


@pytest.fixture(scope="session")
def history() -> tuple[Epoch, ...]:
    return history_of()


DOCUMENT = {
    "bench": {"name": "nmnist", "seed": 42, "first_run": 1, "last_run": 1},
    "dataset": {"kind": "MNIST", "params": {"path": "data/mnist"}},
    "model": [
        {
            "name": "scnn_small",
            "kind": "SCNN",
            "epochs": 20,
            "params": {"filters": (8, 16), "neuron": {"kind": "LIFNode", "params": {"tau": 2.0}}},
        }
    ],
}
VERSIONS = {"python": "3.11.2", "snn-kernel": "0.1.0", "torch": "2.13.0"}


@pytest.fixture
def whole(network: Network, tmp_path: Path) -> Report:
    runs = (model_report(network, tmp_path),)
    return Report("nmnist", tmp_path, DOCUMENT, VERSIONS, runs)


@pytest.fixture
def several(network: Network, tmp_path: Path) -> Report:
    """Two models in three runs; the second model disagrees in run 2 and was not deployed in 3."""
    runs = [
        model_report(network, tmp_path, model, run, differing=3 * (model == "wide" and run == 2))
        for run in (1, 2, 3)
        for model in ("scnn_small", "wide")
    ]
    runs[-1] = evolve(runs[-1], deployed=(), agreement=None)
    return Report("two models", tmp_path, DOCUMENT, VERSIONS, tuple(runs))


@pytest.fixture
def bare(tmp_path: Path) -> Report:
    """A model that was neither trained, evaluated nor deployed."""
    processed = Processed("m", None, Trained(None))
    one = ModelReport("m", 1, processed, np.zeros(0, np.int64), tmp_path)
    return Report("bare", tmp_path, {}, {}, (one,))
