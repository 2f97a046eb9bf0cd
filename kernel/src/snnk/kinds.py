"""What the installed plugins offer: as a list, one kind in full, or all of it as a page."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType
from typing import Any, get_args, get_origin

import attrs

from snn_kernel.errors import ConfigError, Fault, near
from snn_kernel.hookspecs import SLOTS
from snn_kernel.kinds import Choice, Offer
from snn_kernel.registry import Registry
from snnk.keys import REQUIRED, Key, keys, told

_HEAD = """# Configuration

<!-- Written by `snnk kinds --markdown`; a test compares. -->

An experiment is one TOML file. Each heading with brackets is a section of it; below stand the kinds
that the installed plugins offer for its `kind`, with the keys of its `params`. `[model_template]`
may stand beside these sections: what it has and a `[[model]]` has not is merged into that model. An
integer does for a number; nothing else is converted.

`snnk check FILE` says everything that is wrong with a file, `snnk kinds NAME` shows one kind.
"""
_ELSEWHERE: Mapping[str, str] = {
    "neuron": "Neurons: `neuron = { kind, params }` of a model",
    "launcher": "Launchers: `snnk run --launcher KIND`",
    "catalogue": "Catalogues: kinds of whole libraries, found by name",
}


def listed(registry: Registry) -> Iterator[str]:
    """A line for each offer, by slot and name."""
    for o in sorted(registry.offers, key=lambda o: (o.slot, o.kind.name)):
        yield f"{o.slot:16} {o.kind.name:28} {o.plugin} {o.version}"
    if not registry.offers:
        yield "no plugin is installed (pip install snn-kernel[all] brings ours)"


def named(registry: Registry, name: str) -> list[Offer]:
    """Every offer of kind `name`, those of catalogues included; ConfigError with the near miss, or
    with why its class cannot be had."""
    found = [o for o in registry.offers if o.kind.name == name]
    if not found:
        more = {s: {n for _, kinds in registry.catalogued(s) for n in kinds} for s in SLOTS}
        found = [registry.find(s, name) for s, names in more.items() if name in names]
        if not found:
            hint = near(name, {o.kind.name for o in registry.offers}.union(*more.values()))
            raise ConfigError(Fault("", f"no kind '{name}'", "", hint))
    flaws = [Fault("", flaw, str(o)) for o in found if (flaw := registry.flaw(o))]
    if flaws:
        raise ConfigError(*flaws)
    return found


def document(offer: Offer) -> Iterator[str]:
    """One kind in full, for a terminal."""
    yield f"{offer}\n\n{inspect.cleandoc(offer.kind.config.__doc__ or '')}\n"
    for key in keys(offer.kind.config):
        about = f"{key.type}, {key.allowed}" if key.allowed else key.type
        default = key.default if key.default == REQUIRED else f"default {key.default}"
        yield f"  {key.name}: {about}, {default}"
    yield from (f"\n{line}" for line in _needs(offer))


def page(registry: Registry) -> Iterator[str]:
    """docs/config.md: every section of a file, and every kind that is installed, in Markdown."""
    from snn_kernel.plan import Plan

    yield _HEAD
    shown = set()
    for a in attrs.fields(attrs.resolve_types(Plan)):
        if not a.init:
            continue
        members = [m for m in get_args(a.type) if m not in (NoneType, Ellipsis)]
        cls, many = members[0] if members else a.type, get_origin(a.type) is tuple
        slot = a.metadata.get("slot") or _slot(cls)
        yield f"## {f'[[{a.alias}]]' if many else f'[{a.alias}]'}\n"
        yield from _section(cls, slot)
        if slot:
            shown.add(slot)
            yield from _kinds(registry, slot)
    for slot in sorted(set(SLOTS) - shown):
        yield f"## {_ELSEWHERE[slot]}\n"
        yield from _kinds(registry, slot)


def _slot(cls: Any) -> str:
    """The slot of the kinds that a section chooses from."""
    chosen = [a.metadata.get("slot", "") for a in attrs.fields(cls) if a.name == "choice"]
    return str(getattr(cls, "slot", "") or "".join(chosen))


def _section(cls: Any, slot: str) -> Iterator[str]:
    own: list[Key] = []
    if cls is not Choice:
        yield f"{told(cls)[0]}\n"
        own = list(keys(cls))
    if slot and slot not in {k.name for k in own}:
        kind = Key("kind", "a string", REQUIRED, "", f"the name of a {slot} below")
        own = [kind, Key("params", "a table", "{}", "", f"what that {slot} takes"), *own]
    yield from _rows(own)


def _kinds(registry: Registry, slot: str) -> Iterator[str]:
    offers = sorted((o for o in registry.offers if o.slot == slot), key=lambda o: o.kind.name)
    if not offers:
        yield f"No installed plugin offers a {slot}.\n"
    for offer in offers:
        yield f"### {slot} `{offer.kind.name}`\n\nfrom {offer.plugin}\n"
        if flaw := registry.flaw(offer):
            yield f"{flaw}\n"
            continue
        yield f"{told(offer.kind.config)[0]}\n"
        yield from _rows(keys(offer.kind.config))
        yield from (f"{line}\n" for line in _needs(offer))


def _needs(offer: Offer) -> Iterator[str]:
    for verb, names in (("needs", offer.kind.needs), ("runs if it is there", offer.kind.programs)):
        if names:
            yield f"{verb}: {', '.join(n.partition(':')[2] or n for n in names)}"


def _rows(rows: Iterable[Key]) -> Iterator[str]:
    found = list(rows)
    if not found:
        return
    yield "| key | type | default | allowed | meaning |\n|---|---|---|---|---|"
    for k in found:
        cells = (f"`{k.name}`", k.type, k.default, k.allowed, k.meaning)
        yield f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |"
    yield ""
