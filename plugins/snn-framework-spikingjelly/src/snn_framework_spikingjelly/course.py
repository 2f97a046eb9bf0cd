"""How far a training has come: all that changes from one epoch to the next."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from attrs import asdict, define, field
from torch import Tensor

from snn_framework_spikingjelly import optimizers
from snn_kernel import Epoch


@define
class Course:
    """A model with its optimiser, its generators and its history; `best` is the worth of the best
    epoch so far, and `best_weights` are the weights it had, where they are wanted."""

    model: Any
    optimizer: torch.optim.Optimizer
    scheduler: Any
    shuffle: np.random.Generator
    scaler: torch.amp.GradScaler
    history: list[Epoch] = field(factory=list)
    best: float = -math.inf
    best_weights: dict[str, Tensor] | None = None

    @classmethod
    def begin(cls, model: Any, section: Any, seed: int, dtype: torch.dtype) -> Course:
        """The start, from an [optimizer] section, for layers that compute in `dtype`; torch's own
        generator is seeded."""
        torch.manual_seed(seed)
        optimizer, scheduler = optimizers.build(section, model.parameters())
        scaler = torch.amp.GradScaler(enabled=dtype is torch.float16)
        return cls(model, optimizer, scheduler, np.random.default_rng(seed), scaler)

    def judge(self, worth: float, keep: bool) -> bool:
        """Whether the epoch just past is the best so far; its weights are kept if so asked."""
        if worth <= self.best:
            return False
        self.best = worth
        if keep:
            self.best_weights = copy.deepcopy(self.model.state_dict())
        return True

    def state(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        cuda = torch.cuda.is_available()
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "shuffle": self.shuffle.bit_generator.state,
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if cuda else [],
            "history": [asdict(epoch) for epoch in self.history],
            "best": self.best,
            "best_weights": self.best_weights,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be where `state` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.scaler.load_state_dict(state["scaler"])
        self.shuffle.bit_generator.state = state["shuffle"]
        torch.set_rng_state(state["torch"].cpu())
        torch.cuda.set_rng_state_all([generator.cpu() for generator in state["cuda"]])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best, self.best_weights = state["best"], state["best_weights"]
