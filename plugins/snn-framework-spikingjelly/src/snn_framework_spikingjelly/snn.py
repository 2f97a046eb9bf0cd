"""`SNN`, the class that spiking models inherit from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from attrs import evolve
from spikingjelly.activation_based import base
from torch import nn

from snn_framework_spikingjelly.generic import GenericNeuron
from snn_framework_spikingjelly.natives import Native
from snn_kernel import ConfigError, Context, configure
from snn_kernel.registry import Registry

_lent: ContextVar[Context | None] = ContextVar("context lent to neurons", default=None)
_step_mode: ContextVar[str] = ContextVar("step mode of neurons that name none", default="s")


@contextmanager
def lending(context: Context, multi_step: bool = False) -> Iterator[None]:
    """Lend `context` to the neurons created within; each of their warnings is given once. Neurons
    of a kind without a step_mode take all timesteps at once if `multi_step`, else one."""
    said: set[str] = set()

    def warn(text: str) -> None:
        if text not in said:
            said.add(text)
            context.warn(text)

    lent, mode = _lent.set(evolve(context, warn=warn)), _step_mode.set("m" if multi_step else "s")
    try:
        yield
    finally:
        _lent.reset(lent)
        _step_mode.reset(mode)


class SNN(nn.Module, base.StepModule):  # type: ignore[misc]
    """A spiking model.

    input_shape: of one sample at one timestep, channels last; `model.input_shape` has the timesteps
        before it.
    output_shape: (classes,).
    timesteps: how many timesteps a sample is shown.
    neuron: {"kind": …, "params": {…}}, as in a TOML file, or the config object of a neuron kind. A
        kind is looked up among the installed neuron kinds, then in spikingjelly's neurons.
        v_reset = False means a soft reset.

    `forward` takes [N, C, …] where step_mode is "s" and [T, N, C, …] where it is "m".

    Raises ValueError without a neuron or a kind, TypeError where kind or step_mode is no string or
    params no table, AttributeError for an unknown kind, ConfigError for params that a kind refuses.
    """

    is_snn: bool = True

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_shape: tuple[int, ...],
        timesteps: int,
        neuron: Any,
    ) -> None:
        super().__init__()
        if neuron is None or (isinstance(neuron, Mapping) and not neuron):
            raise ValueError("a spiking model needs a neuron {kind, params}; it got none")
        self.timesteps = timesteps
        self.input_shape = (timesteps, *input_shape)
        self.output_shape = tuple(output_shape)
        self._law = _law(neuron) if isinstance(neuron, Mapping) else neuron
        if isinstance(self._law, Native):
            self._law.fit(timesteps)
        self.step_mode = getattr(self._law, "step_mode", _step_mode.get())

    def create_neuron(self, quant_params: Any = None) -> nn.Module:
        """One more population of the model's neuron; a quantised kind also gets `quant_params`."""
        law = self._law
        context = _lent.get() or Context(0, Path(), warn=warnings.warn)
        more = () if quant_params is None else (quant_params,)
        if not hasattr(law, "module"):
            return GenericNeuron(law, self.step_mode)
        module: Any = law.module(context, *more)
        if not hasattr(law, "step_mode"):
            module.step_mode = self.step_mode
        module.law = law  # what the module is lowered by
        made: nn.Module = module
        return made


def _law(neuron: Mapping[str, Any]) -> Any:
    """The config object that a table {kind, params} stands for."""
    if "kind" not in neuron:
        raise ValueError(f"the neuron has no 'kind': {dict(neuron)}")
    kind, params = neuron["kind"], neuron.get("params", {})
    if not isinstance(kind, str):
        raise TypeError(f"the neuron's 'kind' must be a string, not {kind!r}")
    if not isinstance(params, Mapping):
        raise TypeError(f"the neuron's 'params' must be a table, not {params!r}")
    if not isinstance(params.get("step_mode", "s"), str):
        raise TypeError(f"step_mode must be a string, not {params['step_mode']!r}")
    try:
        Registry.discover().find("neuron", kind)
    except ConfigError as error:
        raise AttributeError(f"no neuron '{kind}': {error}") from None
    return configure("neuron", kind, params, "[neuron]")
