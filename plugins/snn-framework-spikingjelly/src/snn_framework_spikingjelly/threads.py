"""How many threads a model is worth, and how they wait for each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Numbers in the largest tensor of a batch below which a second thread gains nothing.
WORK = 1 << 19


def patience() -> None:
    """Before torch is imported: let its threads sleep while they wait, unless the user says how.

    By default they spin, and with other processes beside them on two cores small networks have
    been seen to train thirty times slower on two threads than on one.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def threads(work: int) -> Iterator[None]:
    """Within, torch uses one thread if `work` is small, or else as many as it did before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if work < WORK else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
