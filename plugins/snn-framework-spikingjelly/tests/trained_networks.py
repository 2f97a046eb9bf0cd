"""A network with everything that training must get right, and samples that it can learn."""

import numpy as np
from spikingjelly.activation_based import layer as sj
from spikingjelly.activation_based import neuron

from snn_framework_spikingjelly import SNN
from snn_kernel import Samples, Splits


class Law:
    """A SpikingJelly node in one step mode."""

    def __init__(self, step_mode, kind=neuron.LIFNode, **params):
        self.step_mode, self.kind, self.params = step_mode, kind, params

    def module(self, context):
        return self.kind(step_mode=self.step_mode, **self.params)


class Net(SNN):
    """Everything that may mind a time axis: pools, normalisation, dropout, two populations."""

    def __init__(self, law):
        super().__init__((8, 8, 2), (3,), 4, law)
        mode = {"step_mode": law.step_mode}
        self.pool = sj.AvgPool2d(2, **mode)
        self.conv = sj.Conv2d(2, 6, 3, padding=1, bias=False, **mode)
        self.bn = sj.BatchNorm2d(6, **mode)
        self.first = self.create_neuron()
        self.drop = sj.Dropout(0.2, **mode)
        self.most = sj.MaxPool2d(2, **mode)
        self.flatten = sj.Flatten(**mode)
        self.hidden = sj.Linear(24, 10, **mode)
        self.second = self.create_neuron()
        self.last = sj.Linear(10, 3, **mode)

    def forward(self, x):
        x = self.most(self.drop(self.first(self.bn(self.conv(self.pool(x))))))
        return self.last(self.second(self.hidden(self.flatten(x))))


def splits():
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    x = rng.random((48, 8, 8, 2)).astype(np.float32)
    x[np.arange(48), y * 2, :, 0] += 1
    samples = Samples(x, y.astype(np.int64), "NHWC")
    return Splits(samples, samples.take(slice(16)), samples, 3)
