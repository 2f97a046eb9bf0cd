"""Whether a neuron of SpikingJelly can be trained, found out by trying it."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from snn_framework_spikingjelly.natives import Native

CHANNELS_MAX = 1 << 16  # a neuron is tried with no more, whatever its parameters say


@lru_cache
def failures(config: Native) -> Mapping[str, str]:
    """Why the node of `config` cannot be trained, for each step mode in which it cannot."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        return {mode: why for mode in ("s", "m") if (why := _failure(config, mode))}


def _failure(config: Native, mode: str) -> str:
    """Empty if the node takes numbers of one shape out of several. A layer that is made for a
    number of channels has that number among its parameters."""
    sizes = {n for n in config.given().values() if type(n) is int and 0 < n <= CHANNELS_MAX}
    reasons = []
    for shape in [s for c in (3, *sizes) for s in ((2, c, 2, 2), (2, c))]:
        try:
            why = _tried(config.made(mode), mode, (getattr(config, "T", 2), *shape))
        except Exception as error:  # whatever the library raises is why it cannot
            why = _reason(error)
        if not why:
            return ""
        reasons.append(why)
    return reasons[0]


def _tried(node: nn.Module, mode: str, shape: tuple[int, ...]) -> str:
    import torch

    x = torch.ones(shape, requires_grad=True)
    out: Any = node(x) if mode == "m" else [node(step) for step in x]
    first = out if mode == "m" else out[0]
    if not isinstance(first, torch.Tensor):
        return f"it gives a {type(first).__name__} instead of spikes"
    spikes = out if mode == "m" else torch.stack(out)
    if spikes.shape != x.shape:
        return f"it gives {tuple(spikes.shape)} for {shape}"
    spikes.sum().backward()
    return ""


def _reason(error: Exception) -> str:
    """An error of the library in words; a bare assertion's is what was asserted."""
    text = str(error).partition("\n")[0]
    if isinstance(error, NotImplementedError):
        return "it is a base for other neurons"
    if isinstance(error, AssertionError) and not text:
        at = traceback.extract_tb(error.__traceback__)[-1]
        line = linecache.getline(at.filename, at.lineno or 0).rstrip()
        whole = at.end_lineno == at.lineno
        return f"it requires {(line[at.colno : at.end_colno] if whole else line).strip()}"
    return text or type(error).__name__
