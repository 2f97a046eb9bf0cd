"""How much faster the engine runs a network than SpikingJelly's own modules, clocked, one thread.

    python benchmarks/engine.py [--rounds 7] [--json PATH|-]

The network is that of examples/mnist.toml, untrained, its thresholds set so that the first layer
spikes at about the rate named; both sides get the same samples, in turn, in one process, and agree
on every spike and logit before anything is timed.
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

from snn_engine import Engine
from snn_framework_spikingjelly.framework import SpikingJellyMultiStep
from snn_kernel import Context, Samples, Shapes, Splits, Training, write_atomic
from snn_kernel.config import configure
from snn_kernel.results import Prediction, agree

SAMPLES, TIMESTEPS = 256, 4
THRESHOLDS = (2.0, 1.0, 0.5, 0.2)


def measure(threshold: float, rounds: int) -> dict[str, Any]:
    """Spike rate and ratios (SpikingJelly's time over the engine's) at one threshold."""
    import torch
    from spikingjelly.activation_based import functional

    params = {"v_threshold": threshold, "v_reset": False, "step_mode": "m"}
    table = {
        **{"filters": [16, 32], "kernel_sizes": [5, 5], "paddings": [2, 2], "pool_sizes": [2, 2]},
        **{"timesteps": TIMESTEPS, "neuron": {"kind": "IFNode", "params": params}},
    }
    rng = np.random.default_rng(0)
    x = (rng.integers(0, 256, (SAMPLES, 28, 28, 1)) / np.float32(255)).astype(np.float32)
    samples = Samples(x, np.arange(SAMPLES, dtype=np.int64) % 10, "NHWC")
    with tempfile.TemporaryDirectory() as folder:
        session: Any = SpikingJellyMultiStep().open(Context(0, Path(folder)))
        config = configure("model", "SCNN", table)
        model = config.build(Shapes((28, 28, 1), (10,)), session)
        model = session.train(model, Splits(samples, None, samples, 10), Training(0, 32)).model
        ours, frames = session.predict(model, samples), samples.channels_first()
        rate = sum(float(np.bitwise_count(p).sum()) for p in ours.spikes.values())
        rate /= SAMPLES * TIMESTEPS * sum(ours.neurons.values())
        times = []
        torch.set_num_threads(1)
        with Engine.load(session.lower(model)) as engine, torch.inference_mode():
            run = engine.run(frames, spikes=True, threads=1)
            found = agree(ours, Prediction(run.logits, run.spikes, run.neurons))
            if found.differing:
                raise SystemExit(f"{found.differing} spikes and logits differ: {found.first}")
            for _ in range(rounds + 1):  # the first round warms both sides up
                start = time.perf_counter()
                engine.run(frames, threads=1)
                middle = time.perf_counter()
                functional.reset_net(model)
                model(torch.from_numpy(frames).expand(TIMESTEPS, *frames.shape)).mean(0)
                times.append((time.perf_counter() - middle) / (middle - start))
    ratios = times[1:]
    return {
        "threshold": threshold,
        "spike_rate": rate,
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def main() -> None:
    """Measure, print, and write what was printed where --json says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="PATH")
    given = parser.parse_args()
    print("snn-engine against spikingjelly 2.0.0 multi-step, one thread, clocked, float32")
    rows = []
    for threshold in THRESHOLDS:
        row = measure(threshold, given.rounds)
        rows.append(row)
        line = "  {spike_rate:6.1%} spikes: {ratio_median:5.1f} times as fast"
        print((line + " ({ratio_min:.1f} to {ratio_max:.1f})").format(**row))
    text = json.dumps(rows, indent=2)
    if given.json == "-":
        sys.stdout.write(text + "\n")
    elif given.json:
        write_atomic(Path(given.json), text)


if __name__ == "__main__":
    main()
