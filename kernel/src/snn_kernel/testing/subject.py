"""What is checked, and how what is wrong is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs
from attrs import field, frozen

from snn_kernel.config import Checker, configure
from snn_kernel.errors import ConfigError
from snn_kernel.kinds import Context, Kind
from snn_kernel.registry import Registry


class SkippedError(Exception):
    """A check has nothing to look at here; the text says what it would need."""


class IncompleteError(AssertionError):
    """A check was not given what it needs; the text says what."""


@frozen
class Subject:
    """A kind under check: its slot and name, its config object, a folder for what it writes, and
    what else the check was given (a framework, a model, splits)."""

    slot: str
    name: str
    config: Any
    folder: Path
    given: Mapping[str, Any] = field(factory=dict)

    @classmethod
    def of(cls, slot: str, kind: Any, params: Any, folder: Path, **given: Any) -> Subject:
        """The subject that `kind` is: a Kind, its class, or a config object. A class takes
        `params`, or else its class variable `example`; AssertionError where they do not do. Its
        class variable `example_beside` names a framework and a model where none are given."""
        name = kind.name if isinstance(kind, Kind) else getattr(kind, "__name__", "")
        made = kind.config if isinstance(kind, Kind) else kind
        if isinstance(made, type):
            made = configured(made, getattr(made, "example", {}) if params is None else params)
        return cls(slot, name or type(made).__name__, made, folder, {**_beside(made), **given})

    @property
    def context(self) -> Context:
        """What verbs are lent: seed 1 and the folder."""
        return Context(1, self.folder)


Check: TypeAlias = Callable[[Subject], Iterator[str]]


def configured(cls: type, params: Any) -> Any:
    """The config object of a table of params, checked as if it stood in a file."""
    if not attrs.has(cls):
        raise IncompleteError(f"{cls.__name__} is no attrs class. Decorate it with attrs.frozen.")
    checker = Checker(Registry.discover())
    made = checker.table(cls, params, "[params]")
    if checker.faults:
        raise IncompleteError(
            f"{cls.__name__} cannot be made: {'; '.join(map(str, checker.faults))}. Give the check "
            "params, or the class a variable `example: ClassVar[Mapping[str, Any]] = {…}`."
        )
    return made


def _beside(config: Any) -> dict[str, Any]:
    """Config objects of the kinds {slot: {kind, params}} that `example_beside` names."""
    tables = getattr(type(config), "example_beside", {})
    try:
        return {s: _exemplary(s, t["kind"], t.get("params", {})) for s, t in tables.items()}
    except ConfigError as error:
        text = f"example_beside of {type(config).__name__}: {error}. Name installed kinds."
        raise IncompleteError(text) from None


def _exemplary(slot: str, kind: str, params: Mapping[str, Any]) -> Any:
    """The config object of an installed kind: `params`, and what only its own example has."""
    registry = Registry.discover()
    offer = registry.find(slot, kind, slot)
    example = {} if registry.obstacle(offer) else getattr(offer.kind.config, "example", {})
    return configure(slot, kind, {**example, **params}, slot)


def failures(check: Check, subject: Subject) -> list[str]:
    """What `check` finds wrong, an error that the kind raised included."""
    try:
        return list(check(subject))
    except SkippedError:
        raise
    except IncompleteError as error:
        return [str(error)]
    except (Exception, SystemExit) as error:  # a kind that ends the process ends no check
        what = f"{subject.name} raised {type(error).__name__}: {error}. "
        return [f"{what}Let it take what this check gives it: {_purpose(check)}"]


def title(check: Check) -> str:
    """A check's name as words."""
    return str(getattr(check, "__name__", "")).replace("_", " ")


def _purpose(check: Check) -> str:
    return (check.__doc__ or "").split("\n\n")[0].replace("\n    ", " ")
