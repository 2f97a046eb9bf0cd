"""Discovery: who offers what. A broken plugin becomes a fault here, never a crash."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pluggy
from attrs import evolve, field, frozen

from snn_kernel import __version__, hookspecs
from snn_kernel.errors import ConfigError, Fault, SnnkError, near
from snn_kernel.hookspecs import PROJECT, SLOTS
from snn_kernel.kinds import Kind, Offer

OURS = "qualia-plugin-snn"  # how existing files name the set of plugins that ours stands for


@frozen
class Plugin:
    """A distribution, or a file beside a configuration, and what is wrong with it, if so."""

    name: str
    version: str
    module: str
    fault: str = ""


@frozen(eq=False)
class Registry:
    """All plugins, healthy or not, and what the healthy ones offer."""

    manager: pluggy.PluginManager
    plugins: tuple[Plugin, ...] = ()
    offers: tuple[Offer, ...] = field(default=(), repr=False)

    @classmethod
    @lru_cache
    def discover(cls) -> Registry:
        """Every entry point of group snn_kernel, each loaded inside a guard of its own."""
        found = []
        for entry in sorted(metadata.entry_points(group=PROJECT), key=lambda e: (e.value, e.name)):
            name, version = getattr(entry.dist, "name", ""), getattr(entry.dist, "version", "")
            plugin = Plugin(name or entry.name, version or "0+unknown", entry.module)
            found.append((plugin, partial(_load, entry)))
        return cls(_manager(())).beside(found)

    def beside(self, more: Iterable[tuple[Plugin, Callable[[], Any]]]) -> Registry:
        """The same registry with more plugins, and what loads the module of each."""
        manager = _manager(self.manager.list_name_plugin())
        plugins, offers = list(self.plugins), list(self.offers)
        for plugin, load in more:
            fault = plugin.fault
            if not fault:
                try:
                    module = load()
                    offers += _offers(module, plugin)
                    manager.register(module, f"{plugin.name}:{plugin.module}")
                except (Exception, SystemExit) as error:  # whatever it is, it is this plugin's
                    fault = _reason(error)
            plugins.append(evolve(plugin, fault=fault))
        return Registry(manager, tuple(plugins), tuple(offers))

    def without(self, names: Iterable[str]) -> Registry:
        """The same registry, blind to the offers of the plugins `names`."""
        return evolve(self, offers=tuple(o for o in self.offers if o.plugin not in names))

    def find(self, slot: str, name: str, where: str = "") -> Offer:
        """The one offer of kind `name`; ConfigError with the near miss, or with who offers it."""
        offers = [o for o in self.offers if o.slot == slot]
        found = [o for o in offers if o.kind.name == name]
        more = [] if found else self.catalogued(slot)
        found += [evolve(o, slot=slot, kind=k[name]) for o, k in more if name in k]
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
        return [(o, o.kind.config().kinds(slot)) for o in self.usable("catalogue")]

    def usable(self, slot: str) -> list[Offer]:
        """The offers for `slot` that nothing stands in the way of."""
        return [o for o in self.offers if o.slot == slot and not self.obstacle(o)]

    def obstacle(self, offer: Offer) -> str:
        """Why `offer` cannot be used here; empty if it can."""
        hint = self.lacks(offer)
        return f"modules it needs are missing ({hint})" if hint else self.flaw(offer)

    def flaw(self, offer: Offer) -> str:
        """Why the class of `offer` cannot be had; empty if it can."""
        try:
            attrs.resolve_types(offer.kind.config)  # raises for types that are not there
        except (Exception, SystemExit) as error:
            return f"its class cannot be used ({_reason(error)})"
        return ""

    def lacks(self, offer: Offer) -> str:
        """Modules that `offer` needs and this Python does not have, as a hint; empty if none."""
        needs = [n.partition(":") for n in offer.kind.needs]
        missing = [home or m for m, _, home in needs if find_spec(m.partition(".")[0]) is None]
        return f"pip install {' '.join(missing)}" if missing else ""

    def require(self, wanted: Iterable[str], where: str) -> list[Fault]:
        """Faults for the plugins `wanted` that are not there: distribution or import names, with
        versions if so wished, as pip takes them ("snn-neurons-lif>=0.2")."""
        from packaging.requirements import InvalidRequirement, Requirement
        from packaging.utils import canonicalize_name

        names = [(n, p) for p in self.plugins for n in (p.name, p.module.partition(".")[0])]
        known, faults = {canonicalize_name(name): p for name, p in names}, []
        for text in wanted:
            try:
                asked = Requirement(text)
            except InvalidRequirement:
                what, hint = f"plugin '{text}' is no requirement", "write 'snn-neurons-lif>=0.2'"
                faults.append(Fault(where, what, "", hint))
                continue
            if (name := canonicalize_name(asked.name)) == OURS:
                continue
            hint = f"pip install '{text}'"
            if not (plugin := known.get(name)):
                what, hint = "is not installed", hint if name in homes() else near(name, known)
            elif plugin.fault:
                what, hint = "is broken", plugin.fault
            elif not asked.specifier.contains(plugin.version, prereleases=True):
                what = f"has version {plugin.version}, not {asked.specifier}"
            else:
                continue
            faults.append(Fault(where, f"plugin '{asked.name}' {what}", "", hint))
        return faults


@lru_cache
def homes() -> Mapping[str, Mapping[str, list[str]]]:
    """Which distribution of ours offers which kinds, by slot, installed or not."""
    return tomllib.loads(Path(__file__).with_name("homes.toml").read_text("utf-8"))


def _manager(plugins: Iterable[tuple[str, Any]]) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    for name, module in plugins:
        manager.register(module, name)
    return manager


def _offers(module: Any, plugin: Plugin) -> list[Offer]:
    """What `module` registers; ConfigError if a hook is misspelt or returns what is no Kind."""
    offers = []
    hooks = [n for n in vars(hookspecs) if n.startswith("snnk_")]
    for name, function in inspect.getmembers(module, inspect.isroutine):
        if not name.startswith("snnk_"):
            continue
        if name not in hooks:
            raise ConfigError(f"there is no hook '{name}' ({near(name, hooks)})")
        if not hasattr(function, f"{PROJECT}_impl"):
            raise ConfigError(f"{name} lacks the decorator @hookimpl")
        for slot in (s for s, hook in SLOTS.items() if hook == name):
            for kind in function():
                if not isinstance(kind, Kind):
                    raise ConfigError(f"{name} returned {kind!r:.60}, not a Kind")
                offers.append(Offer(slot, kind, plugin.name, plugin.version))
    return offers


def _load(entry: metadata.EntryPoint) -> Any:
    """The module of an entry point; ConfigError if its distribution is for another kernel."""
    from packaging.requirements import Requirement

    requires = (entry.dist and entry.dist.requires) or ()
    for text in (r for r in requires if re.match(r"snn[-_.]kernel(?![-_.]*\w)", r, re.I)):
        asked = Requirement(text)
        wanted = not asked.marker or asked.marker.evaluate()
        if wanted and not asked.specifier.contains(__version__, prereleases=True):
            new = f"snn-kernel{asked.specifier}"
            raise ConfigError(f"it needs {new}, not {__version__} (pip install '{new}')")
    return entry.load()


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, SnnkError) else f"{type(error).__name__}: {error}"
