"""From TOML tables to checked attrs objects: every fault at once, nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
from attrs import field, frozen

from snn_kernel.errors import ConfigError, Fault, near
from snn_kernel.kinds import Choice
from snn_kernel.registry import Registry

_WORDS = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}
_ABSENT: Any = object()  # stands for a value that has a fault


def words(tp: Any) -> str:
    """A type as a reader of TOML would call it."""
    origin, args = get_origin(tp), get_args(tp)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin in (Union, UnionType):
        return " or ".join(words(a) for a in args if a is not NoneType)
    if origin in (tuple, list):
        return f"a list, each {words(args[0])}"
    return _WORDS.get(tp, "a table")


@frozen
class Checker:
    """Checks tables against attrs classes; what is wrong gathers in `faults`.

    A wrong table still gives an object, on which what is wrong is absent (AttributeError), so that
    the checks that look at the whole can say what else is wrong.
    """

    registry: Registry
    faults: list[Fault] = field(factory=list)

    def table(self, cls: type, table: Any, place: str, whose: str = "") -> Any:
        """An instance of `cls`. A class with a `slot` takes its field `choice` from the keys kind
        and params."""
        if not isinstance(table, Mapping):
            return self._fault(place, f"must be a table, not {table!r:.40}", whose)
        before, slot = len(self.faults), getattr(cls, "slot", "")
        fields = {a.alias: a for a in attrs.fields(attrs.resolve_types(cls)) if a.init}
        known = [n for n in fields if not slot or n != "choice"] + ["kind", "params"] * bool(slot)
        for key in [k for k in table if k not in known and not slot]:
            what = f"unknown key '{key}'" if place else f"unknown section [{key}]"
            self._fault(place, what, whose, near(str(key), known))
        values: dict[str, Any] = {}
        for key, attribute in fields.items():
            if slot and key == "choice":
                values[key] = self.choose(slot, table, place, whose, known)
            elif key in table and (inner := attribute.metadata.get("slot")):
                values[key] = self._chosen(attribute, inner, table[key], _below(place, key), whose)
            elif key in table:
                values[key] = self._value(attribute.type, table[key], key, place, whose)
            elif attribute.default is attrs.NOTHING:
                what = f"missing key '{key}'" if place else f"section [{key}] is missing"
                self._fault(place, what, whose)
        partial = self._validated(cls, fields, values, place, whose)
        if len(self.faults) == before:
            try:
                return cls(**values)
            except (ValueError, TypeError) as error:
                self._fault(place, _text(error), whose)
        return partial

    def choose(
        self, slot: str, table: Any, place: str, whose: str = "", known: Any = ("kind", "params")
    ) -> Any:
        """The Choice that kind and params of a table make for `slot`, its params checked."""
        if not isinstance(table, Mapping):
            return self._fault(place, "must be a table {kind, params}", whose)
        for key in table.keys() - set(known):
            self._fault(place, f"unknown key '{key}'", whose, near(key, known))
        if not isinstance(kind := table.get("kind"), str):
            return self._fault(place, "needs 'kind', a string", whose)
        try:
            offer = self.registry.find(slot, kind, place)
        except ConfigError as error:
            self.faults.extend(error.faults)
            return _ABSENT
        if obstacle := self.registry.obstacle(offer):
            return self._fault(place, obstacle, str(offer))
        params, below = table.get("params", {}), _below(place, "params")
        return Choice(place, offer, self.table(offer.kind.config, params, below, str(offer)))

    def _chosen(self, attribute: Any, slot: str, table: Any, place: str, whose: str) -> Any:
        """A field that names another kind: its config object, or Choices where the type says so."""
        tp = attribute.type
        if get_origin(tp) is tuple:
            if not isinstance(table, list):
                return self._fault(place, f"is a list: write [{place}]", whose)
            rows = [self.choose(slot, t, _below(place, str(i)), whose) for i, t in enumerate(table)]
            return tuple(row for row in rows if row is not _ABSENT)
        choice, whole = self.choose(slot, table, place, whose), Choice in (tp, *get_args(tp))
        return choice if whole else getattr(choice, "config", _ABSENT)

    def _value(self, tp: Any, value: Any, key: str, place: str, whose: str) -> Any:
        origin, args = get_origin(tp), get_args(tp)
        if tp is Any:
            return value
        if origin in (Union, UnionType):
            return self._union(tp, args, value, key, place, whose)
        if attrs.has(tp):
            return self.table(tp, value, _below(place, key), whose)
        if origin is Literal:
            if any(type(value) is type(a) and value == a for a in args):
                return value
        elif origin is tuple and attrs.has(args[0]):
            if not isinstance(value, list):
                return self._fault(place, f"'{key}' is a list: write [[{key}]]", whose)
            below, rows = _below(place, key), enumerate(value)
            return tuple(self.table(args[0], v, _below(below, str(i)), whose) for i, v in rows)
        elif origin in (tuple, list) and isinstance(value, list | tuple):
            types = [args[0]] * len(value) if origin is list or args[1:] == (...,) else args
            if len(types) == len(value):
                items = [
                    self._value(t, v, f"{key}.{i}", place, whose)
                    for i, (t, v) in enumerate(zip(types, value, strict=True))
                ]
                return origin(i for i in items if i is not _ABSENT)
        elif origin is dict and isinstance(value, Mapping):
            pairs = value.items()
            return {k: self._value(args[1], v, f"{key}.{k}", place, whose) for k, v in pairs}
        elif type(value) is tp or (tp is float and type(value) is int):
            return tp(value)
        return self._fault(place, f"'{key}' must be {words(tp)}, not {value!r:.40}", whose)

    def _union(self, tp: Any, args: Any, value: Any, key: str, place: str, whose: str) -> Any:
        if value is None and NoneType in args:
            return None
        for member in args:
            quiet = Checker(self.registry)
            found = quiet._value(member, value, key, place, whose)
            if not quiet.faults:
                return found
        if isinstance(value, Mapping) and (tables := [a for a in args if attrs.has(a)]):
            return self.table(tables[0], value, _below(place, key), whose)
        return self._fault(place, f"'{key}' must be {words(tp)}, not {value!r:.40}", whose)

    def _validated(
        self, cls: type, fields: Mapping[str, Any], values: dict[str, Any], place: str, whose: str
    ) -> Any:
        """A partial object, every validator run, also after one that failed (attrs would stop)."""
        partial: Any = object.__new__(cls)
        for key, attribute in fields.items():
            if key not in values and isinstance(attribute.default, attrs.Factory):  # type: ignore[arg-type]
                continue
            value = values.get(key, attribute.default)
            if value is not _ABSENT and value is not attrs.NOTHING:
                object.__setattr__(partial, attribute.name, value)
        for key, attribute in fields.items():
            if attribute.validator and values.get(key, _ABSENT) is not _ABSENT:
                try:
                    attribute.validator(partial, attribute, values[key])
                except (ValueError, TypeError) as error:
                    self._fault(place, _text(error), whose)
                except AttributeError:  # it looks at a field that has a fault of its own
                    continue
        return partial

    def _fault(self, place: str, what: str, whose: str = "", hint: str = "") -> Any:
        self.faults.append(Fault(place, what, whose, hint))
        return _ABSENT


def configure(slot: str, kind: str, params: Mapping[str, Any], where: str = "") -> Any:
    """The checked config object of an installed kind; ConfigError with every fault of `params`."""
    checker = Checker(Registry.discover())
    choice = checker.choose(slot, {"kind": kind, "params": params}, where)
    if checker.faults:
        raise ConfigError(*checker.faults)
    return choice.config


def _text(error: Exception) -> str:
    return str(error.args[0] if error.args else type(error).__name__)


def _below(place: str, key: str) -> str:
    return f"{place[:-1]}.{key}]" if place.endswith("]") else f"{place}[{key}]"
