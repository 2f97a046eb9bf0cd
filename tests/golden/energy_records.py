"""The models whose energy was recorded, and their layers as ours."""

import math

import numpy as np
from golden_records import GOLDEN

from snn_kernel.network import (
    Add,
    BatchNorm,
    Conv,
    Flatten,
    GlobalSum,
    Linear,
    Neuron,
    Pool,
    Relu,
)

MODELS = sorted(p for p in GOLDEN.glob("energy_*.json") if p.stem != "energy_elementary")


def near(ours, record, relative=1e-9, absolute=1e-9):
    """Whether two cells say the same: numbers nearly, anything else exactly."""
    if isinstance(record, bool | str) or record is None or isinstance(ours, bool) or ours is None:
        return ours == record and type(ours) is type(record)
    return math.isclose(ours, record, rel_tol=relative, abs_tol=absolute)


def rebuilt(name, lay):
    """A recorded layer as one of ours; weights are zeros, they are only counted."""
    cin, cout = lay["input_shape"][0][-1], lay["output_shape"][0][-1]
    dims = len(lay["input_shape"][0]) - 2
    kind = lay["type"].removeprefix("T").removesuffix("Layer")
    bias = np.zeros(cout, np.float32) if lay.get("use_bias") else None
    if kind.startswith("Conv"):
        weight = np.zeros((cout, cin // lay["groups"], *lay["kernel_size"]), np.float32)
        padding = tuple(p if isinstance(p, int) else p[0] for p in lay["padding"])[:dims]
        return Conv(name, weight, bias, tuple(lay["strides"]), padding, lay["groups"])
    if kind == "Dense":
        return Linear(name, np.zeros((cout, cin), np.float32), bias)
    if kind.startswith("MaxPooling"):
        size, stride = (
            tuple(lay[key] * (dims if len(lay[key]) == 1 else 1))
            for key in ("pool_size", "strides")
        )
        return Pool(name, "max", size, stride, (0,) * dims)
    if kind.startswith("BatchNormalization"):
        return BatchNorm(name, np.ones(cout, np.float32), np.zeros(cout, np.float32))
    if kind in ("If", "Lif"):
        return Neuron(name, 1.0, charge={"If": "normal", "Lif": "lif"}[kind], tau=2.0)
    return {"Flatten": Flatten, "Sum": GlobalSum, "Add": Add, "Activation": Relu}[kind](name)
