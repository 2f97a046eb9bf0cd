"""Where the recorded numbers lie, and what several tests take of them alike."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from snn_kernel import Context, Shapes, configure

_SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[2] / ".." / "shared"))
GOLDEN = Path(os.environ.get("SNNK_GOLDEN", _SHARED / "golden"))


def arrays(stem, prefix):
    """The arrays of a record whose names begin with `prefix`, by what follows it."""
    with np.load(GOLDEN / f"{stem}.npz") as file:
        return {k.removeprefix(prefix): file[k] for k in file.files if k.startswith(prefix)}


def built(case):
    """The model of a recorded case, with random weights, for shapes that its own take the place
    of."""
    params = {key: value for key, value in case["args"].items() if key != "backend"}
    session = SimpleNamespace(context=Context(0, Path()), multi_step=False)
    return configure("model", case["cls"], params).build(Shapes((9, 9, 9), (9,)), session)
