"""Discovery: who offers what. A broken plugin becomes a fault here, never a crash."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pluggy
from attrs import evolve, field, frozen

from snn_kernel import __version__, hookspecs
from snn_kernel.errors import ConfigError, Fault, RunError, near, reason
from snn_kernel.hookspecs import PROJECT, SLOTS
from snn_kernel.kinds import VERBS, Kind, Offer


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
                    fault = reason(error)
            plugins.append(evolve(plugin, fault=fault))
        return Registry(manager, tuple(plugins), tuple(offers))

    def without(self, names: Iterable[str]) -> Registry:
        """The same registry, blind to what the plugins `names` offer and observe."""
        named = self.manager.list_name_plugin()
        manager = _manager((n, m) for n, m in named if n.partition(":")[0] not in names)
        offers = tuple(o for o in self.offers if o.plugin not in names)
        return evolve(self, manager=manager, offers=offers)

    def listen(self, observer: Any, offer: Offer, place: str) -> None:
        """Tell `observer`, which `offer` made, what happens; RunError if its hooks are none."""
        try:
            if not hooks(observer):
                raise ConfigError(f"{type(observer).__name__} has no hook of an observer")
            self.manager.register(observer, str(offer))
        except (ConfigError, pluggy.PluginValidationError) as error:
            raise RunError(Fault(place, str(error).replace("\n", " "), str(offer))) from error

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
            hint = "choose with [bench] without = " + " or ".join(f"['{o.plugin}']" for o in found)
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
        found = []
        for offer in self.usable("catalogue"):
            with suppress(Exception, SystemExit):  # which hurts nobody else; `snnk doctor` tells
                kinds = offer.kind.config().kinds(slot)
                list(kinds)  # raises for names that cannot be listed
                found.append((offer, kinds))
        return found

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
            attrs.resolve_types(cls := offer.kind.config)  # raises for types that are not there
        except (Exception, SystemExit) as error:
            return f"its class cannot be used ({reason(error)})"
        verbs = VERBS[offer.slot]
        return "" if {*verbs.split(" or ")} & {*dir(cls)} else f"its class has no method {verbs}"

    def lacks(self, offer: Offer) -> str:
        """Modules that `offer` needs and this Python does not have, as a hint; empty if none."""
        needs = [n.partition(":") for n in offer.kind.needs]
        missing = [home or m for m, _, home in needs if find_spec(m.partition(".")[0]) is None]
        return f"pip install {' '.join(missing)}" if missing else ""

    def require(self, wanted: Iterable[str], where: str) -> Iterator[Fault]:
        """Faults for the plugins `wanted` that are not there: distribution or import names, with
        versions if so wished, as pip takes them ("snn-neurons-lif>=0.2")."""
        from packaging.requirements import InvalidRequirement, Requirement
        from packaging.utils import canonicalize_name

        names = [(n, p) for p in self.plugins for n in (p.name, p.module.partition(".")[0])]
        known = {canonicalize_name(name): p for name, p in names}
        for text in wanted:
            try:
                asked = Requirement(text)
            except InvalidRequirement:
                what = f"plugin '{text}' is no requirement"
                yield Fault(where, what, "", "write 'snn-neurons-lif>=0.2'")
                continue
            if (name := canonicalize_name(asked.name)) == "qualia-plugin-snn":
                continue  # how existing files name the set of plugins that ours stands for
            hint = f"pip install '{text}'"
            if not (plugin := known.get(name)):
                what, hint = "is not installed", hint if name in homes() else near(name, known)
            elif plugin.fault:
                what, hint = "is broken", plugin.fault
            elif not asked.specifier.contains(plugin.version, prereleases=True):
                what = f"has version {plugin.version}, not {asked.specifier}"
            else:
                continue
            yield Fault(where, f"plugin '{asked.name}' {what}", "", hint)


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


def hooks(of: Any) -> list[tuple[str, Any]]:
    """The hooks of a module or an observer; ConfigError if one is misspelt or not marked."""
    known = [n for n in vars(hookspecs) if n.startswith("snnk_")]
    found = [m for m in inspect.getmembers(of, inspect.isroutine) if m[0].startswith("snnk_")]
    for name, function in found:
        if name not in known:
            raise ConfigError(f"there is no hook '{name}' ({near(name, known)})")
        if not hasattr(function, f"{PROJECT}_impl"):
            raise ConfigError(f"{name} lacks the decorator @hookimpl")
    return found


def _offers(module: Any, plugin: Plugin) -> list[Offer]:
    """What `module` registers; ConfigError if that are no Kinds, or one of them twice."""
    offers: list[Offer] = []
    for name, function in hooks(module):
        for slot in (s for s, hook in SLOTS.items() if hook == name):
            for kind in function():
                if not isinstance(kind, Kind):
                    raise ConfigError(f"{name} returned {kind!r:.60}, not a Kind")
                if any(o.slot == slot and o.kind.name == kind.name for o in offers):
                    raise ConfigError(f"{name} returned two kinds '{kind.name}'")
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
