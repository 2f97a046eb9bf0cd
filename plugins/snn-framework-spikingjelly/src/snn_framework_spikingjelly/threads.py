"""How many threads a model is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Numbers in the largest tensor of a batch, below which a second thread gains nothing. Threads that
# wait for each other keep their cores busy: with other processes beside them, small networks have
# been seen to train thirty times slower on two threads than on one.
WORK = 1 << 19


@contextmanager
def threads(work: int) -> Iterator[None]:
    """Within, torch uses one thread if `work` is small, or else as many as it did before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if work < WORK else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
