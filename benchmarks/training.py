"""How much longer a session trains than a bare SpikingJelly loop over the same model and samples.

    python benchmarks/training.py [--rounds 5] [--json PATH|-]

Both sides use the architecture of examples/mnist.toml, the same seeded samples in MNIST's shape,
batches of 32, Adam, and one thread; they take turns in one process, and the median ratio counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from snn_framework_spikingjelly.framework import SpikingJellyMultiStep
from snn_kernel import Context, Samples, Shapes, Splits, Training, write_atomic
from snn_kernel.config import configure

SAMPLES, BATCH, TIMESTEPS = 640, 32, 4


def samples() -> Splits:
    """Noise in MNIST's shape, labels in turn."""
    rng = np.random.default_rng(0)
    x = (rng.integers(0, 256, (SAMPLES, 28, 28, 1)) / np.float32(255)).astype(np.float32)
    y = np.arange(SAMPLES, dtype=np.int64) % 10
    return Splits(Samples(x, y, "NHWC"), None, None, 10)


def ours(session: Any, config: Any, splits: Splits) -> float:
    """Seconds of one epoch in a session."""
    model = config.build(Shapes((28, 28, 1), (10,)), session)
    start = time.perf_counter()
    session.train(model, splits, Training(1, BATCH))
    return time.perf_counter() - start


def bare(splits: Splits) -> float:
    """Seconds of one epoch in a loop of SpikingJelly's own."""
    import torch
    from spikingjelly.activation_based import functional, layer, neuron
    from torch import nn

    def fire() -> Any:
        return neuron.IFNode(v_threshold=1.0, v_reset=None, detach_reset=True)

    model = nn.Sequential(
        *(layer.Conv2d(1, 16, 5, padding=2), fire(), layer.MaxPool2d(2)),
        *(layer.Conv2d(16, 32, 5, padding=2), fire(), layer.MaxPool2d(2)),
        *(layer.Flatten(), layer.Linear(32 * 7 * 7, 10)),
    )
    functional.set_step_mode(model, "m")
    optimizer = torch.optim.Adam(model.parameters())
    train = splits.samples("train")
    x, y = torch.from_numpy(train.channels_first()), torch.from_numpy(train.y)
    start = time.perf_counter()
    order = torch.randperm(SAMPLES)
    for batch in order.split(BATCH):
        functional.reset_net(model)
        out = model(x[batch].expand(TIMESTEPS, *x[batch].shape)).mean(0)
        optimizer.zero_grad()
        nn.functional.cross_entropy(out, y[batch]).backward()
        optimizer.step()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, and write what was printed where --json says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="PATH")
    given = parser.parse_args()
    import torch

    params = {"v_threshold": 1.0, "v_reset": False, "detach_reset": True, "step_mode": "m"}
    table = {
        **{"filters": [16, 32], "kernel_sizes": [5, 5], "paddings": [2, 2], "pool_sizes": [2, 2]},
        **{"timesteps": TIMESTEPS, "neuron": {"kind": "IFNode", "params": params}},
    }
    config = configure("model", "SCNN", table)
    splits, pairs = samples(), []
    with tempfile.TemporaryDirectory() as folder:
        context = Context(0, Path(folder))
        session = SpikingJellyMultiStep(metrics=("acc",)).open(context)
        for _ in range(given.rounds + 1):  # the first round warms both sides up
            torch.set_num_threads(1)
            pairs.append((ours(session, config, splits), bare(splits)))
    ratios = [a / b for a, b in pairs[1:]]
    result = {
        "ours": "Session.train of snn-framework-spikingjelly",
        "theirs": "a bare loop over spikingjelly.activation_based 2.0.0",
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }
    print(f"{result['ours']}\n  against {result['theirs']}")
    print("  time: {ratio_median:.2f} times ({ratio_min:.2f} to {ratio_max:.2f})".format(**result))
    text = json.dumps(result, indent=2)
    if given.json == "-":
        sys.stdout.write(text + "\n")
    elif given.json:
        write_atomic(Path(given.json), text)


if __name__ == "__main__":
    main()
