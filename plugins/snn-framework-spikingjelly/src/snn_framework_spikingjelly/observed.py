"""What the layers of a formal network are seen to put out, so that their grids need not reach to
what never occurs (see exact.py)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from snn_framework_spikingjelly.exact import GRIDDED
from snn_framework_spikingjelly.framework import SpikingJelly
from snn_framework_spikingjelly.lowering import Lowered, lower
from snn_framework_spikingjelly.rollout import Rollout
from snn_framework_spikingjelly.training import shapes
from snn_kernel import Context, NetworkError, Samples, Training
from snn_kernel.network import Relu

BATCH = 128  # samples at a time


class _Watch(fx.Interpreter):
    """Runs a graph and keeps the largest magnitude that each layer with a `format` puts out."""

    def __init__(self, found: Lowered) -> None:
        super().__init__(found.graph)
        layers = [layer.name for layer in found.network.layers if isinstance(layer, GRIDDED)]
        self.names = {found.nodes[name]: name for name in layers}
        self.seen = dict.fromkeys(layers, 0.0)

    def run_node(self, n: fx.Node) -> Any:
        """The value of one node."""
        value = super().run_node(n)
        if name := self.names.get(n.name):
            self.seen[name] = max(self.seen[name], float(value.abs().max()))
        return value


def observe(model: Any, framework: SpikingJelly, x: NDArray[np.float32]) -> None:
    """Keep in `model.seen` what its layers put out for x [N, …, C], if it has ReLU."""
    model.seen = {}
    try:
        found = lower(model, framework.timed, exact=False)
    except NetworkError:
        return
    if not found.network.only(Relu):
        return
    watch, rollout = _Watch(found), Rollout(framework.multi_step, framework.timed)
    first = np.moveaxis(x, -1, 2 if framework.timed else 1)
    with torch.inference_mode():
        for start in range(0, len(first), BATCH):
            part = torch.from_numpy(np.ascontiguousarray(first[start : start + BATCH]))
            rollout(model, part, model.timesteps, watch.run)
    model.seen = {name: peak for name, peak in watch.seen.items() if math.isfinite(peak)}


def evaluated(
    model: Any, train: Samples, training: Training, context: Context
) -> NDArray[np.float32]:
    """The samples of `train` as a model is evaluated on them."""
    x, y = train.x, train.y
    for augmentation in training.augmentations:
        if getattr(augmentation, "evaluate", False):
            x, y = augmentation.apply(x, y, context, shapes(train, model))
    return np.asarray(x, np.float32)
