"""Quantised models: every installed spiking model, with quantising layers and neurons."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from textwrap import indent
from typing import Any

from attrs import Factory, evolve, field, fields_dict, frozen

from snn_kernel import Kind
from snn_kernel.registry import Registry
from snn_quantization.kinds import PREFIX, unquantised
from snn_quantization.settings import QuantParams

TEXT = "    quant_params: a table, how it is quantised (default: 8 bits, fixed point):\n"


@frozen
class QuantizedModels:
    """For every installed spiking model, the same of name Quantized… .

    It has the parameters of the plain model and the table quant_params. Training sets the ranges of
    its tensors; what is evaluated, costed and deployed is computed by the fixed-point law.
    """

    def kinds(self, slot: str) -> Mapping[str, Kind]:
        """Quantized<Name> for each spiking model <Name>."""
        if slot != "model":
            return {}
        offers = Registry.discover().usable(slot)
        plain = [o.kind for o in offers if "neuron" in fields_dict(o.kind.config)]
        return {
            f"{PREFIX}{kind.name}": Kind(
                f"{PREFIX}{kind.name}", _quantised(kind.config), (*kind.needs, "torch")
            )
            for kind in plain
        }


@lru_cache
def _quantised(plain: type) -> type:
    """The config class of the quantised form of model class `plain`."""
    name = f"{PREFIX}{plain.__name__}"

    def build(self: Any, shapes: Any, session: Any) -> Any:
        """The plain model with quantising layers."""
        from snn_quantization.conversion import quantised

        config = evolve(self, neuron=unquantised(self.neuron))
        made = plain.build(config, shapes, session)  # type: ignore[attr-defined]
        return quantised(made, self.quant_params)

    def params_of(self: Any, _: Any) -> QuantParams:
        """How it is quantised; of QuantizationAwareTraining, how that quantises a [[model]]."""
        params: QuantParams = self.quant_params
        return params

    body = {
        "__doc__": f"{(plain.__doc__ or '').rstrip()}\n{TEXT}{_keys()}",
        "__module__": __name__,
        "__annotations__": {"quant_params": QuantParams},
        "quant_params": field(default=Factory(QuantParams)),
        "build": build,
        "params_of": params_of,
    }
    return frozen(kw_only=True)(type(name, (plain,), body))


def _keys() -> str:
    """What QuantParams says of its keys, two steps further in."""
    _, _, keys = inspect.getdoc(QuantParams).partition("\n\n")  # type: ignore[union-attr]
    return indent(keys, "        ")
