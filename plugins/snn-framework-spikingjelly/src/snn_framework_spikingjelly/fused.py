"""IF and LIF neurons over all timesteps in one function, for training on a CPU.

Forward is what SpikingJelly's nodes compute, operation for operation. Backward is written out
rather than recorded, one timestep after another within memory that is used again, which is where
automatic differentiation spends most of a neuron's time (stacking, and pages it must be given).
With h the charged potential, s the spike, σ' the surrogate's derivative, v the potential after:

    ∂L/∂h[t] = ∂L/∂v[t]·∂v/∂h + (∂L/∂s[t] + ∂L/∂v[t]·∂v/∂s)·σ'(h[t] - threshold)

where soft reset has ∂v/∂h = 1, ∂v/∂s = -threshold and hard reset ∂v/∂h = 1 - s, ∂v/∂s = reset - h;
∂v/∂s counts as 0 with `detach_reset`. (Neftci et al., "Surrogate gradient learning in spiking
neural networks", IEEE SPM 2019; equations as in Fang et al., Science Advances 9, 2023.)
"""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor


@frozen
class Law:
    """What IFNode and LIFNode compute: `reset` None subtracts the threshold, `tau` None does not
    leak, `decayed` divides the input by tau, `alpha` is the slope of the sigmoid surrogate."""

    threshold: float
    reset: float | None
    detached: bool
    alpha: float
    tau: float | None = None
    decayed: bool = False

    @classmethod
    def of(cls, module: Any) -> Law | None:
        """That of a SpikingJelly node; None for any other module and for what is asked beside."""
        fire = getattr(module, "surrogate_function", None)
        plain = type(module) in (neuron.IFNode, neuron.LIFNode) and type(fire) is surrogate.Sigmoid
        if not plain or not fire.spiking or module.store_v_seq or module._neuron_precision:
            return None
        sizes = (module.v_threshold, module.v_reset, module.detach_reset, float(fire.alpha))
        if type(module) is neuron.IFNode:
            return cls(*sizes)
        return cls(*sizes, tau=module.tau, decayed=module.decay_input)

    @property
    def rest(self) -> float:
        """The potential that the neuron starts from and leaks towards."""
        return self.reset or 0.0

    def charge(self, v: Tensor, x: Tensor, h: Tensor, scratch: Tensor) -> None:
        """The charged potential into `h`."""
        if self.tau is None:
            torch.add(v, x, out=h)
            return
        above = torch.sub(v, self.rest, out=scratch) if self.rest else v
        if self.decayed:
            torch.sub(x, above, out=scratch).div_(self.tau)
            torch.add(v, scratch, out=h)
        else:
            torch.div(above, self.tau, out=scratch)
            torch.sub(v, scratch, out=h).add_(x)

    def discharge(self, h: Tensor, spikes: Tensor, v: Tensor) -> None:
        """The potential after the spikes into `v`."""
        if self.reset is None:
            torch.add(h, spikes, alpha=-self.threshold, out=v)
        else:
            v.copy_(h).masked_fill_(spikes.bool(), self.reset)


class _AllSteps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, law: Law) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = torch.empty(x.shape, dtype=x.dtype)
        spikes = torch.empty_like(h)
        v, scratch = torch.full_like(h[0], law.rest), torch.empty_like(h[0])
        for t in range(len(x)):
            law.charge(v, x[t], h[t], scratch)
            torch.ge(h[t], law.threshold, out=spikes[t])
            law.discharge(h[t], spikes[t], v)
        ctx.save_for_backward(h)
        ctx.law = law
        ctx.mark_non_differentiable(v)
        return spikes, v

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None]:  # type: ignore[override]
        (h,), law = ctx.saved_tensors, ctx.law
        leak = 1.0 if law.tau is None else 1.0 - 1.0 / law.tau
        made = torch.empty_like(h)
        slope, over = torch.empty_like(h[0]), torch.empty_like(h[0])
        later = torch.zeros_like(h[0])  # ∂L/∂v[t]
        for t in range(len(h) - 1, -1, -1):
            torch.sub(h[t], law.threshold, out=slope).mul_(law.alpha).sigmoid_()
            arriving = grad[t]
            if not law.detached:
                arriving = _through_reset(law, h[t], later, grad[t], over)
            torch.ops.aten.sigmoid_backward.grad_input(arriving, slope, grad_input=over)
            if law.reset is not None:
                later.masked_fill_(h[t] >= law.threshold, 0.0)
            torch.add(later, over, alpha=law.alpha, out=made[t])
            if t:
                torch.mul(made[t], leak, out=later)
        return made.div_(law.tau) if law.decayed else made, None


def _through_reset(law: Law, h: Tensor, later: Tensor, grad: Tensor, into: Tensor) -> Tensor:
    """∂L/∂s with what the reset adds to it."""
    if law.reset is None:
        return torch.add(grad, later, alpha=-law.threshold, out=into)
    return torch.sub(law.reset, h, out=into).mul_(later).add_(grad)


def fire(module: Any, law: Law, x: Tensor) -> Tensor:
    """Spikes [T, N, …] of the node `module` for currents [T, N, …], from rest."""
    spikes, v = _AllSteps.apply(x.float(), law)  # type: ignore[no-untyped-call]
    module.v = v
    made: Tensor = spikes
    return made
