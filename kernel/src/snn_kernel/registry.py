"""Discovery: who offers what. A broken plugin becomes a fault here, never a crash."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pluggy
from attrs import field, frozen

from snn_kernel import hookspecs
from snn_kernel.errors import ConfigError, Fault, near
from snn_kernel.hookspecs import PROJECT, SLOTS
from snn_kernel.kinds import Kind, Offer

OURS = "qualia_plugin_snn"  # how existing files name the set of plugins that ours stands for


@frozen
class Plugin:
    """One installed distribution with an entry point of ours, and what is wrong with it, if so."""

    name: str
    version: str
    module: str
    fault: str = ""


@frozen(eq=False)
class Registry:
    """All installed plugins, healthy or not, and what the healthy ones offer."""

    manager: pluggy.PluginManager
    plugins: tuple[Plugin, ...]
    offers: tuple[Offer, ...] = field(repr=False)

    @classmethod
    @lru_cache
    def discover(cls) -> Registry:
        """Load every entry point of group snn_kernel, each inside a guard of its own."""
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        plugins, offers = [], []
        for entry in sorted(metadata.entry_points(group=PROJECT), key=lambda e: (e.value, e.name)):
            name, version = (d.name, d.version) if (d := entry.dist) else (entry.name, "?")
            plugin = Plugin(name, version, entry.module)
            try:
                module = entry.load()
                offers += _offers(module, plugin)
                manager.register(module, f"{name}:{entry.name}")
            except (Exception, SystemExit) as error:  # whatever it is, it is this plugin's fault
                plugin = attrs.evolve(plugin, fault=f"{type(error).__name__}: {error}")
            plugins.append(plugin)
        return cls(manager, tuple(plugins), tuple(offers))

    def without(self, names: Iterable[str]) -> Registry:
        """The same registry, blind to the offers of the plugins `names`."""
        return attrs.evolve(self, offers=tuple(o for o in self.offers if o.plugin not in names))

    def find(self, slot: str, name: str, where: str = "") -> Offer:
        """The one offer of kind `name`; ConfigError with the near miss, or with who offers it."""
        offers = [o for o in self.offers if o.slot == slot]
        found = [o for o in offers if o.kind.name == name]
        more = [] if found else self.catalogued(slot)
        found += [attrs.evolve(o, slot=slot, kind=k[name]) for o, k in more if name in k]
        if len(found) == 1:
            return found[0]
        known = {name: home for home, slots in homes().items() for name in slots.get(slot, ())}
        if found:
            what = f"{slot} '{name}' is offered by {' and '.join(o.plugin for o in found)}"
            hint = f"choose with [bench] without = ['{found[0].plugin}']"
        elif home := known.get(name):
            faults = [p.fault for p in self.plugins if p.name == home and p.fault]
            what = f"{slot} '{name}' is not installed"
            hint = f"{home} is broken: {faults[0]}" if faults else f"pip install {home}"
        else:
            what = f"unknown {slot} '{name}'"
            names = {o.kind.name for o in offers}.union(*(k for _, k in more))
            hint = near(name, known.keys() | names)
        raise ConfigError(Fault(where, what, "", hint))

    def catalogued(self, slot: str) -> list[tuple[Offer, Mapping[str, Kind]]]:
        """What catalogues have for `slot`, where no plugin lists it, with each one's own offer."""
        offers = [o for o in self.offers if o.slot == "catalogue" and not self.lacks(o)]
        return [(o, o.kind.config().kinds(slot)) for o in offers]

    def lacks(self, offer: Offer) -> str:
        """Modules that `offer` needs and this Python does not have, as a hint; empty if none."""
        needs = [n.partition(":") for n in offer.kind.needs]
        missing = [home or module for module, _, home in needs if find_spec(module) is None]
        return f"pip install {' '.join(missing)}" if missing else ""

    def require(self, names: Iterable[str], where: str) -> list[Fault]:
        """Faults for the plugins `names` (distribution or import names) that are not there."""
        known = {n: p for p in self.plugins for n in (p.name, p.module.partition(".")[0])}
        faults = []
        for name in (n for n in names if n != OURS):
            if name not in known:
                hint = near(name, known) or f"pip install {name}"
                faults.append(Fault(where, f"plugin '{name}' is not installed", "", hint))
            elif known[name].fault:
                faults.append(Fault(where, f"plugin '{name}' is broken", "", known[name].fault))
        return faults


@lru_cache
def homes() -> Mapping[str, Mapping[str, list[str]]]:
    """Which distribution of ours offers which kinds, by slot, installed or not."""
    return tomllib.loads(Path(__file__).with_name("homes.toml").read_text("utf-8"))


def _offers(module: Any, plugin: Plugin) -> list[Offer]:
    """What `module` registers; raises if a hook is misspelt or returns what is no Kind."""
    offers = []
    hooks = [n for n in vars(hookspecs) if n.startswith("snnk_")]
    for name, function in inspect.getmembers(module, inspect.isroutine):
        if not name.startswith("snnk_"):
            continue
        if name not in hooks:
            raise TypeError(f"there is no hook '{name}' ({near(name, hooks)})")
        if not hasattr(function, f"{PROJECT}_impl"):
            raise TypeError(f"{name} lacks the decorator @hookimpl")
        for slot in (s for s, hook in SLOTS.items() if hook == name):
            for kind in function():
                if not isinstance(kind, Kind) or not attrs.has(kind.config):
                    raise TypeError(f"{name} returned {kind!r:.60}, not a Kind with an attrs class")
                attrs.resolve_types(kind.config)  # raises for types that are not there
                offers.append(Offer(slot, kind, plugin.name, plugin.version))
    return offers
