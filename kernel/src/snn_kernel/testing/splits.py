"""Small data of every layout, for kinds that need some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import evolve

from snn_kernel.signals import EVENT, Events, Samples, Splits

LAYOUTS = {
    **{"NC": (6,), "NLC": (16, 2), "NHWC": (8, 8, 1)},
    **{"NTC": (4, 6), "NTLC": (4, 16, 2), "NTHWC": (4, 8, 8, 1)},
}
CLASSES = 3


def samples(layout: Any = "NHWC", count: int = 24, seed: int = 0, timesteps: int = 4) -> Samples:
    """Noise on a coarse grid, brighter the higher the label; intensities of 0 to 1."""
    rng, y = np.random.default_rng(seed), np.arange(count, dtype=np.int64) % CLASSES
    shape = LAYOUTS[layout] if "T" not in layout else (timesteps, *LAYOUTS[layout][1:])
    x = rng.uniform(0, 0.5, (count, *shape)) + 0.25 * y.reshape(count, *[1] * len(shape))
    return Samples((np.round(16 * x) / 16).astype(np.float32), y, layout)


def events(count: int = 12, seed: int = 0) -> Events:
    """200 events per sample over 20 ms on 8×8 pixels, in the order of time."""
    rng, each = np.random.default_rng(seed), 200
    records = np.zeros(count * each, EVENT)
    for name, high in (("x", 8), ("y", 8), ("p", 2)):
        records[name] = rng.integers(0, high, len(records))
    records["t"] = np.sort(rng.integers(0, 20_000, (count, each)), axis=1).ravel()
    labels = np.arange(count, dtype=np.int64) % CLASSES
    return Events(records, np.arange(count + 1) * each, labels, (8, 8, 2))


def splits(layout: str = "NHWC", timesteps: int = 4) -> Splits:
    """Training and test sets of one layout ("events" for events)."""
    if layout == "events":
        return Splits(events(), None, events(6, seed=1), CLASSES)
    test = samples(layout, 12, seed=1, timesteps=timesteps)
    return Splits(samples(layout, timesteps=timesteps), None, test, CLASSES)


def every() -> Iterator[tuple[str, Splits]]:
    """Splits of every layout and of events, with and without a test set."""
    for layout in (*LAYOUTS, "events"):
        whole = splits(layout)
        yield layout, whole
        yield f"{layout} without a test set", evolve(whole, test=None)
