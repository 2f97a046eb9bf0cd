"""Quantised neuron kinds: for every installed kind X with a normal form a QuantizedX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import fields, frozen

from snn_kernel import ConfigError, Fault, Kind
from snn_kernel.registry import Registry
from snn_quantization.plugin import NEEDS
from snn_quantization.settings import checked

if TYPE_CHECKING:
    from snn_kernel import Context

PREFIX = "Quantized"


@frozen
class QuantizedNeurons:
    """Every installed neuron kind that has a normal form, quantised: IFNode as QuantizedIFNode.

    The keys are those of the plain kind. A quantised neuron rounds its potential once a step; the
    potential, v_threshold, v_reset and 1/tau are on one grid, which `quant_params` of the model
    describe. In a Quantized… model the plain and the quantised name mean the same.
    """

    def kinds(self, slot: str) -> Mapping[str, Kind]:
        """The quantised kinds by name; each is made when it is looked up."""
        return _Quantised(_plain()) if slot == "neuron" else {}


@frozen
class _Quantised(Mapping[str, Kind]):
    plain: Mapping[str, Kind]

    def __getitem__(self, name: str) -> Kind:
        kind = self.plain[name]
        return Kind(name, quantised(kind.config), (*kind.needs, *NEEDS))

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)


def _plain() -> dict[str, Kind]:
    kinds = [o.kind for o in Registry.discover().usable("neuron")]
    return {PREFIX + kind.name: kind for kind in kinds if hasattr(kind.config, "lower")}


class Quantised:
    """What a quantised kind adds to the plain kind that it derives from."""

    plain: ClassVar[type]

    def check(self, plan: Any, place: str) -> Iterator[str | Fault]:
        """A model that has no quant_params for it, and what the plain kind cannot live with."""
        name = type(self).__name__
        for model in plan.models:
            kind, within = model.choice.kind, f"{model.choice.place[:-1]}."
            if place.startswith(within) and not hasattr(model.choice.config, "quant_params"):
                yield Fault(
                    place,
                    f"{name} takes quant_params from a Quantized… model, and {kind} is none",
                    hint=f"use kind = '{PREFIX}{kind}' or neuron.kind = '{self.plain.__name__}'",
                )
        yield from getattr(self.plain, "check", lambda *_: ())(self, plan, place)

    def module(self, context: Context, quant_params: Any = None) -> Any:
        """A torch module; `quant_params` are a QuantParams or the table of one. ConfigError without
        them, and for a neuron that learns more than its threshold."""
        from snn_framework_spikingjelly import GenericNeuron
        from snn_quantization.neurons import populated

        name = type(self).__name__
        if quant_params is None:
            hint = "it takes them from a Quantized… model"
            raise ConfigError(Fault("[neuron]", f"{name} needs quant_params", hint=hint))
        if hasattr(self.plain, "module"):
            native = self.plain.module(self, context)
        else:
            native = GenericNeuron(self)
        return populated(self, checked(quant_params), native)

    def __reduce__(self) -> Any:
        # Its class was made, not imported, so a pickle has to name what it was made of.
        given = {a.alias: getattr(self, a.name) for a in fields(type(self)) if a.init}
        return _remade, (self.plain, given)


@cache
def quantised(plain: type) -> type:
    """The quantised form of the config class of a neuron kind: a subclass with the same fields."""
    if issubclass(plain, Quantised):
        return plain
    text = f"""{plain.__name__}, quantised: the potential is rounded once a step, on one grid with
    the hyperparameters. A Quantized… model gives it `quant_params`.

    {plain.__doc__ or ""}"""
    body = {"plain": plain, "__doc__": text, "__module__": plain.__module__}
    return frozen(type(PREFIX + plain.__name__, (Quantised, plain), body))


def quantise(config: Any) -> Any:
    """The config object of a neuron kind in its quantised form, with the same values; ConfigError
    where it has no normal form."""
    if not hasattr(config, "lower"):
        name = type(config).__name__
        what = f"neuron {name} has no normal form (no 'lower'), so it cannot be quantised"
        raise ConfigError(Fault("[neuron]", what))
    given = {a.alias: getattr(config, a.name) for a in fields(type(config)) if a.init}
    return quantised(type(config))(**given)


def _remade(plain: type, given: Mapping[str, Any]) -> Any:
    return quantised(plain)(**given)


def unquantised(config: Any) -> Any:
    """The config object of the plain kind that a quantised one was made of, or `config` itself."""
    if not isinstance(config, Quantised):
        return config
    given = {a.alias: getattr(config, a.name) for a in fields(type(config)) if a.init}
    return config.plain(**given)
