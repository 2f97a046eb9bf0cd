"""SpikingJelly's own neuron classes as neuron kinds, each made when it is asked for by name."""

from __future__ import annotations

import inspect
import logging
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache, reduce
from importlib.util import find_spec
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Union, get_args, get_origin

from attrs import NOTHING, field, fields, frozen
from attrs.validators import in_

from snn_framework_spikingjelly.threads import patience
from snn_framework_spikingjelly.trials import failures
from snn_kernel import ConfigError, Fault, Kind
from snn_kernel.errors import near

if TYPE_CHECKING:
    from torch import nn

    from snn_kernel import Context

BACKENDS = ("torch", "cupy", "triton", "cuda", "inductor")
SCALARS = (bool, int, float, str)  # what a parameter in a file can be
_EMPTY = inspect.Parameter.empty


@frozen
class SpikingJellyNeurons:
    """Every class of `spikingjelly.activation_based.neuron`, as a neuron kind of the same name.

    The parameters of the class are the kind's keys, as far as a file can hold them. A neuron is
    tried on a few numbers when planning; one that does not take them, does not give as many, or
    lets no gradient through is refused. It trains; it has no normal form that a deployer could run.
    """

    def kinds(self, slot: str) -> Mapping[str, Kind]:
        """The classes' names, from the library's files; torch is imported for a kind, not for a
        name."""
        return _Natives() if slot == "neuron" else {}


class _Natives(Mapping[str, Kind]):
    def __getitem__(self, name: str) -> Kind:
        if name not in _names():
            raise KeyError(name)
        return Kind(name, native(name), ("torch", "spikingjelly"))

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())

    def __contains__(self, name: object) -> bool:
        return name in _names()


@cache
def _names() -> tuple[str, ...]:
    spec = find_spec("spikingjelly")
    folders = (spec and spec.submodule_search_locations) or ()
    files = [f for p in folders for f in Path(p, "activation_based", "neuron").glob("*.py")]
    classes = (re.findall(r"^class ([A-Z]\w*)\(", f.read_text("utf-8"), re.M) for f in files)
    return tuple(sorted(name for found in classes for name in found))


def _finite(_: Any, attribute: Any, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{attribute.name} must be a finite number, not {value}")


def _reset(_: Any, attribute: Any, value: float | bool) -> None:
    if value is True:
        raise ValueError(
            "v_reset is false for a soft reset (the threshold is subtracted) "
            "or the number to reset to, not true"
        )
    _finite(_, attribute, value)


def _surrogate(_: Any, attribute: Any, value: str) -> None:
    from spikingjelly.activation_based import surrogate

    base = surrogate.SurrogateFunctionBase
    classes = {n: c for n, c in vars(surrogate).items() if inspect.isclass(c) and c is not base}
    known = [n for n, c in classes.items() if issubclass(c, base)]
    if value not in known:
        raise ValueError(f"unknown surrogate_function '{value}' ({near(value, known)})")


@frozen(kw_only=True)
class Native:
    """A neuron class of SpikingJelly with its parameters; `native` makes a subclass of each."""

    node: ClassVar[type]
    parameters: ClassVar[Mapping[str, inspect.Parameter]]
    foreign: ClassVar[tuple[str, ...]]  # required parameters that a file cannot hold

    _step_mode: Literal["s", "m"] | None = field(default=None)
    backend: str = field(default="torch", validator=in_(BACKENDS))

    def __attrs_post_init__(self) -> None:
        name = self.node.__name__
        if self.foreign:
            raise ValueError(f"{name} takes {' and '.join(self.foreign)}, which no file can hold")
        wrong = failures(self)
        asked = (self._step_mode,) if self._step_mode else ("s", "m")
        if any(mode not in wrong for mode in asked):
            return
        reasons = [f"with step_mode '{mode}', {wrong[mode]}" for mode in asked]
        if len({wrong[mode] for mode in asked}) == 1 and not self._step_mode:
            reasons = [wrong["s"]]
        raise ValueError(f"SpikingJelly's {name} cannot be used so: {'; '.join(reasons)}")

    def __reduce__(self) -> Any:
        # Its class was made, not imported, so a pickle has to name what it was made of.
        given = {a.alias: getattr(self, a.name) for a in fields(type(self))}
        return _remade, (self.node.__name__, given)

    @property
    def step_mode(self) -> str:
        """The one asked for, or the only one there is; AttributeError if the framework's will do,
        as for a kind without."""
        modes = [m for m in ("s", "m") if m not in failures(self)]
        if self._step_mode is None and len(modes) > 1:
            raise AttributeError("either step mode will do")
        return self._step_mode or modes[0]

    def fit(self, timesteps: int) -> None:
        """ConfigError if the neuron is made for another number of timesteps."""
        if (made := getattr(self, "T", timesteps)) != timesteps:
            what = f"{self.node.__name__} has T = {made}, the model {timesteps} timesteps"
            raise ConfigError(Fault("[neuron]", what, hint=f"set params.T = {timesteps}"))

    def module(self, context: Context) -> Any:
        """SpikingJelly's own node."""
        from torch import cuda

        if self.backend != "torch" and not cuda.is_available():
            context.warn(f"backend '{self.backend}' needs CUDA, which is absent: 'torch' is used")
        return self.made(getattr(self, "step_mode", None))

    def given(self) -> dict[str, Any]:
        """The parameters of the class as the file gave them, step_mode aside."""
        own = [a.name for a in fields(type(self)) if a.name in self.parameters]
        return {name: getattr(self, name) for name in own}

    def made(self, step_mode: str | None) -> Any:
        """The node in a step mode, None for the class's own; whatever error the class raises."""
        given = self.given()
        if given.get("v_reset") is False:
            given["v_reset"] = None
        if "surrogate_function" in given:
            given["surrogate_function"] = self._surrogate_function()
        if step_mode and "step_mode" in self.parameters:
            given["step_mode"] = step_mode
        node: Any = self.node(**given)
        if step_mode and "step_mode" not in self.parameters:
            node.step_mode = step_mode
        return node

    def _surrogate_function(self) -> Any:
        from spikingjelly.activation_based import surrogate

        name: str = self.surrogate_function  # type: ignore[attr-defined]
        usual = self.parameters["surrogate_function"].default
        return usual if name == type(usual).__name__ else getattr(surrogate, name)()


@lru_cache
def native(name: str) -> type[Native]:
    """The config class of SpikingJelly's neuron class `name`."""
    patience()
    # SpikingJelly registers kernels for Triton, and torch says at each that there is no Triton.
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
    from spikingjelly.activation_based import neuron

    node = getattr(neuron, name)
    found = inspect.signature(node).parameters
    parameters = {n: p for n, p in found.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    keys = {n: tp for n, p in parameters.items() if (tp := _type(p)) is not None}
    foreign = [n for n, p in parameters.items() if n not in keys and p.default is _EMPTY]
    body = {
        **{n: _field(parameters[n]) for n in keys},
        **{"node": node, "parameters": parameters, "foreign": tuple(foreign)},
        **{"__doc__": _text(node, keys), "__module__": __name__, "__annotations__": keys},
    }
    return frozen(kw_only=True)(type(name, (Native,), body))


def _remade(name: str, given: Mapping[str, Any]) -> Native:
    return native(name)(**given)


def _type(parameter: inspect.Parameter) -> Any:
    """What of a parameter's type a file can hold, None if nothing."""
    name, tp, default = parameter.name, parameter.annotation, parameter.default
    if name in ("step_mode", "backend"):  # keys of every native
        return None
    if name == "v_reset":
        return float | bool
    if name == "surrogate_function":
        return None if default in (None, _EMPTY) else str
    if tp is _EMPTY:
        tp = int | float | None if default in (None, _EMPTY) else type(default)
    members = get_args(tp) if get_origin(tp) in (Union, UnionType) else (tp,)
    held = tuple(m for m in members if m in (*SCALARS, NoneType))
    return reduce(or_, held) if set(held) - {NoneType} else None


def _field(parameter: inspect.Parameter) -> Any:
    default = NOTHING if parameter.default is _EMPTY else parameter.default
    if parameter.name == "v_reset":
        return field(default=False if default is None else default, validator=_reset)
    if parameter.name == "surrogate_function":
        return field(default=type(default).__name__, validator=_surrogate)
    return field(default=default, validator=_finite)


_KEYS = {
    "v_reset": "false for a soft reset (the threshold is subtracted), or the number to reset to",
    "surrogate_function": "name of a class of spikingjelly.activation_based.surrogate",
}


def _text(node: type[nn.Module], keys: Mapping[str, Any]) -> str:
    """The English half of the class's documentation, of the parameters those in `keys`."""
    _, _, english = (node.__init__.__doc__ or "").rpartition("**English**")
    about, *rows = re.split(r"^ *:param ", english, flags=re.M)
    said = dict(_KEYS)
    for row in rows:
        name, _, text = row.partition(":")
        text = re.split(r"^ *:", text, flags=re.M)[0]
        said.setdefault(name, " ".join(text.split()))
    lines = [f"{n}: {said[n]}" for n in keys if n in said]
    first = f"SpikingJelly's {node.__name__}. It trains; it has no normal form for deployers."
    more = (
        'step_mode: "s" one timestep per call, "m" all at once (default: as the framework has it).',
        'backend: a request: without CUDA it runs as "torch", after one warning.',
    )
    return "\n\n".join(filter(None, (first, inspect.cleandoc(about), "\n".join((*lines, *more)))))
