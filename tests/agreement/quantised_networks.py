"""Random quantised networks of torch layers, for whoever must agree with torch about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import layer as sj

from snn_framework_spikingjelly import SNN
from snn_framework_spikingjelly.framework import (
    SpikingJelly,
    SpikingJellyMultiStep,
    SpikingJellyMultiStepTimeStepsInData,
    SpikingJellyTimeStepsInData,
)
from snn_framework_spikingjelly.layers import Add, GlobalSumPool1d, GlobalSumPool2d
from snn_kernel import Context, NetworkError, RunError, Samples, Splits, Training
from snn_neurons_atif.adaptive_threshold import ATIF
from snn_neurons_lif.integrate_and_fire import IFNode, LIFNode
from snn_quantization.conversion import quantised
from snn_quantization.settings import QuantParams, TensorParams

FRAMEWORKS = {
    ("s", False): SpikingJelly,
    ("m", False): SpikingJellyMultiStep,
    ("s", True): SpikingJellyTimeStepsInData,
    ("m", True): SpikingJellyMultiStepTimeStepsInData,
}
# What 2 bits here and 16 there can come to, and what is then said of it.
REFUSALS = (
    *("is rounded to 0", "no multiple of", "training diverged"),
    *("more than 53 bits", "more than the 53 bits", "further than 60", "beyond ±60"),
)
SUMS = {1: GlobalSumPool1d, 2: GlobalSumPool2d}


class Network(SNN):
    """Convolutions, normalisations, neurons, pools and now and then a shortcut, drawn at random."""

    def __init__(self, rng, shape, timesteps, law, mode):
        super().__init__(shape, (3,), timesteps, law)
        self.rng, self.dims, self.mode = rng, len(shape) - 1, {"step_mode": mode}
        *self.map, self.channels = shape
        self.names = []
        for i in range(rng.integers(1, 5)):
            getattr(self, rng.choice(["convolve", "convolve", "pool", "shortcut"]))(i)
        if rng.random() < 0.3:
            self.put("sum", SUMS[self.dims]())
            size = self.channels
        else:
            self.put("flatten", sj.Flatten(**self.mode))
            size = self.channels * int(np.prod(self.map))
        self.put("last", sj.Linear(size, 3, bias=bool(rng.random() < 0.7), **self.mode))

    def put(self, name, module, source=None):
        self.add_module(name, module)
        self.names.append((name, source))

    def convolve(self, i):
        rng, out = self.rng, int(self.rng.integers(1, 5))
        kernel, padding = int(rng.integers(1, 4)), int(rng.integers(0, 2))
        stride = int(rng.integers(1, 3))
        found = [(n + 2 * padding - kernel) // stride + 1 for n in self.map]
        if min(found) < 1:
            return
        sizes = {"padding": padding, "stride": stride, "bias": bool(rng.random() < 0.6)}
        conv = getattr(sj, f"Conv{self.dims}d")
        self.put(f"conv{i}", conv(self.channels, out, kernel, **sizes, **self.mode))
        self.map, self.channels = found, out
        if rng.random() < 0.4:
            self.put(f"bn{i}", getattr(sj, f"BatchNorm{self.dims}d")(out, **self.mode))
        if rng.random() < 0.8:
            self.put(f"neuron{i}", self.create_neuron())

    def pool(self, i):
        size = int(self.rng.integers(1, 4))
        if min(self.map) < size:
            return
        kind = self.rng.choice(["MaxPool", "AvgPool"])
        self.put(f"pool{i}", getattr(sj, f"{kind}{self.dims}d")(size, **self.mode))
        self.map = [n // size for n in self.map]

    def shortcut(self, i):
        if not self.names:
            return
        before = self.names[-1][0]
        conv = getattr(sj, f"Conv{self.dims}d")
        self.put(f"body{i}", conv(self.channels, self.channels, 3, padding=1, **self.mode))
        if self.rng.random() < 0.8:
            self.put(f"inner{i}", self.create_neuron())
        self.put(f"add{i}", Add(), before)

    def forward(self, x):
        made = {}
        for name, source in self.names:
            module = getattr(self, name)
            x = module(x) if source is None else module(x, made[source])
            made[name] = x
        return x


def neuron(rng, mode):
    reset = [False, 0.0, float(rng.normal(0, 0.3))][rng.integers(3)]
    threshold = float(rng.uniform(0.1, 1.0))
    kind = rng.integers(4)
    if kind == 3:
        return ATIF(v_threshold=threshold, step_mode=mode)
    if kind == 0:
        return IFNode(v_threshold=threshold, v_reset=reset, step_mode=mode)
    tau, decayed = float(rng.uniform(1.1, 6.0)), bool(rng.random() < 0.5)
    return LIFNode(
        v_threshold=threshold, v_reset=reset, tau=tau, decay_input=decayed, step_mode=mode
    )


def settings(rng):
    """2 to 16 bits, mixed per tensor."""

    def one(low=2):
        force = int(rng.integers(-1, 8)) if rng.random() < 0.1 else None
        return {
            "bits": int(rng.integers(low, 17)),
            "roundtype": str(rng.choice(["floor", "nearest", "ceil"])),
            "force_q": force,
            "LSQ": bool(rng.random() < 0.1),
            "range_setting": str(rng.choice(["minmax", "minmax", "mse_pot"])),
        }

    own = {
        name: TensorParams(**one()) for name in ("input", "act", "w", "bias") if rng.random() < 0.5
    }
    if rng.random() < 0.2:
        own["input"] = TensorParams(quant_enable=False)
    own["v"] = TensorParams(**one(4))
    more = {"hyperparams": str(rng.choice(["shared", "own"]))}
    return QuantParams(**one(), **own, **more)


def drawn(seed: int, folder: Any) -> Any:
    """(document, samples, torch's prediction), or None for a network that cannot be."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    mode, timed = str(rng.choice(["s", "m"])), bool(rng.random() < 0.3)
    timesteps = int(rng.integers(1, 9))
    shape = (*rng.integers(3, 8, rng.integers(1, 3)).tolist(), int(rng.integers(1, 3)))
    plain = Network(rng, shape, timesteps, neuron(rng, mode), mode)
    axes = (9, timesteps, *shape) if timed else (9, *shape)
    layout = "N" + "T" * timed + ("LC" if len(shape) == 2 else "HWC")
    x = (rng.normal(0, 1, axes) * rng.choice([0.1, 1, 20])).astype(np.float32)
    samples = Samples(x, np.arange(9) % 3, layout)
    session = FRAMEWORKS[mode, timed]().open(Context(seed, folder))
    model = quantised(plain, settings(rng))
    try:
        session.train(model, Splits(samples, None, samples, 3), Training(1, 9, fit=False))
        network = session.lower(model)
    except (RunError, NetworkError) as error:
        if not any(reason in str(error) for reason in REFUSALS):
            raise
        return None
    assert network.quantised
    return network, samples, session.predict(model, samples)
