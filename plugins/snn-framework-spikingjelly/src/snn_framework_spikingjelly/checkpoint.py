"""What an interrupted training leaves, from which the same training goes on as if it had not been.

A checkpoint is keyed by everything that the result depends on: the framework's and the training's
parameters, the seed, the model with its weights at the start, the samples, and which training of a
session it is. So it is found by the training that made it, and by no other.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from attrs import frozen
from torch import nn

from snn_framework_spikingjelly import weights
from snn_kernel import Context, Samples, Training, write_atomic

STATE, BEST = "state.pt", "best.safetensors"


@frozen
class Checkpoint:
    """The folder `checkpoints/<key>` of one training: its state after the last whole epoch, and the
    weights of its best epoch."""

    folder: Path

    @classmethod
    def of(
        cls,
        context: Context,
        framework: Any,
        training: Training,
        number: int,
        model: nn.Module,
        *sets: Any,
    ) -> Checkpoint | None:
        """That of the training about to begin, the `number`-th of its session; None for a context
        without a folder of its own."""
        if context.folder == Path():
            return None
        key = hashlib.sha256(repr((context.seed, framework, training, number, model)).encode())
        tensors = [t.detach().cpu().contiguous().numpy() for t in model.state_dict().values()]
        samples = [array for s in sets if isinstance(s, Samples) for array in (s.x, s.y)]
        for array in (*tensors, *samples):
            key.update(f"{array.dtype}{array.shape}".encode())
            key.update(memoryview(array if array.flags.c_contiguous else array.copy()).cast("B"))
        return cls(context.folder / "checkpoints" / key.hexdigest()[:16])

    def read(self, context: Context, device: torch.device) -> Mapping[str, Any] | None:
        """The state kept last; None if there is none, or, with a warning, none that can be read."""
        path = self.folder / STATE
        try:
            state: Mapping[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except FileNotFoundError:
            return None
        except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
            context.warn(f"{path} cannot be read, training begins anew: {error}")
            return None
        return state

    def keep(self, state: Mapping[str, Any], best: nn.Module | None) -> None:
        """Write the state after an epoch, whole or not at all, and the model `best` if that epoch
        was the best so far."""
        if best is not None:
            weights.save(best, self.folder / BEST)
        content = io.BytesIO()
        torch.save(state, content)
        write_atomic(self.folder / STATE, content.getvalue())
