"""How it stands with this installation: versions, plugins, and what kinds would like to have."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from attrs import define

from snn_kernel import __version__
from snn_kernel.errors import reason
from snn_kernel.hookspecs import SLOTS
from snn_kernel.registry import Registry

# Who installs programs here, most likely first.
INSTALLERS = {
    "apt-get": "sudo apt-get install",
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "brew": "brew install",
    "winget": "winget install",
}


@define
class Doctor:
    """Looks at a registry; `healthy` until something is broken, which what is missing is not."""

    registry: Registry
    healthy: bool = True

    def findings(self) -> Iterator[str]:
        """Line by line, what is broken last among its kind."""
        numpy = metadata.version("numpy")
        yield f"python {platform.python_version()}, snn-kernel {__version__}, numpy {numpy}"
        yield platform.platform()
        for title, lines in (
            ("plugins", self._plugins()),
            ("what they say", self._sayings()),
            ("kinds that cannot be used", self._kinds()),
            ("catalogues that cannot be read", self._catalogues()),
            ("kinds that are offered twice", self._twice()),
            ("programs that kinds run", self._programs()),
        ):
            if found := list(lines):
                yield f"\n{title}"
                yield from (f"  {line}" for line in found)
        verdict = "nothing is broken" if self.healthy else "something is broken: see above"
        yield f"\n{verdict}"

    def _plugins(self) -> Iterator[str]:
        for plugin in sorted(self.registry.plugins, key=lambda p: (bool(p.fault), p.name)):
            yield f"{plugin.name} {plugin.version}: {plugin.fault or 'ok'}"
            self.healthy &= not plugin.fault
        if not self.registry.plugins:
            yield "none is installed (pip install snn-kernel[all] brings ours)"

    def _sayings(self) -> Iterator[str]:
        """What plugins tell of their surroundings, each asked inside a guard of its own."""
        for hook in self.registry.manager.hook.snnk_doctor.get_hookimpls():
            try:
                said: Any = hook.function()
                yield from [f"{name}: {text}" for name, text in said.items()]
            except (Exception, SystemExit) as error:  # whatever it is, it is that plugin's fault
                name, _, _ = hook.plugin_name.partition(":")
                yield f"{name}: broken: {reason(error)}"
                self.healthy = False

    def _kinds(self) -> Iterator[str]:
        for offer in self.registry.offers:
            if hint := self.registry.lacks(offer):
                yield f"{offer}: modules it needs are missing ({hint})"
            elif flaw := self.registry.flaw(offer):
                yield f"{offer}: {flaw}"
                self.healthy = False

    def _catalogues(self) -> Iterator[str]:
        for offer in self.registry.usable("catalogue"):
            try:
                for slot in SLOTS:
                    list(offer.kind.config().kinds(slot))
            except (Exception, SystemExit) as error:
                yield f"{offer}: its {slot} kinds cannot be listed ({reason(error)})"
                self.healthy = False

    def _twice(self) -> Iterator[str]:
        """Which is no fault of anybody, but a file that names one has to choose."""
        who: dict[str, list[str]] = {}
        for offer in self.registry.offers:
            who.setdefault(f"{offer.slot} '{offer.kind.name}'", []).append(offer.plugin)
        for kind, plugins in who.items():
            if len(plugins) > 1:
                yield f"{kind}: by {' and '.join(plugins)} ([bench] without = [...] chooses)"

    def _programs(self) -> Iterator[str]:
        users: dict[str, list[str]] = {}
        for offer in self.registry.offers:
            for program in offer.kind.programs:
                users.setdefault(program, []).append(offer.kind.name)
        for program, names in sorted(users.items()):
            name, _, package = program.partition(":")
            found = shutil.which(name) or f"missing, optional ({_install(package or name)})"
            yield f"{name}, for {', '.join(dict.fromkeys(names))}: {found}"


def _install(package: str) -> str:
    """The command that installs a package of the operating system."""
    command = next((c for name, c in INSTALLERS.items() if shutil.which(name)), "install")
    return f"{command} {package}"
