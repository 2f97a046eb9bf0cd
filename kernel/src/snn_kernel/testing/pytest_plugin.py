"""`pytest --snnk-conformance [DISTRIBUTION]`: each check of each kind, as a test."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

OPTION = "--snnk-conformance"


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option; without it nothing else is imported."""
    parser.getgroup("snn-kernel").addoption(
        OPTION,
        nargs="?",
        const="",
        metavar="DISTRIBUTION",
        help="check what an installed distribution offers to snn-kernel (default: the one whose "
        "pyproject.toml is in the root folder, else all)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect no tests beside the checks, unless files or folders are named."""
    if config.getoption(OPTION) is not None and config.args_source != config.ArgsSource.ARGS:
        config.args = []


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks of every kind that the distribution offers."""
    asked = config.getoption(OPTION)
    if asked is not None:
        items += _items(session, asked or _here(config.rootpath))


class Conformance(pytest.Item):
    """One check of one kind."""

    def __init__(self, *, offer: Any, check: Any, given: Any, **more: Any) -> None:
        super().__init__(**more)
        self._offer, self._check, self._given = offer, check, given

    def runtest(self) -> None:
        """Pass, fail with what is wrong, or skip."""
        import tempfile
        from shutil import which

        from snn_kernel.testing.subject import SkippedError, Subject, failures

        for program in self._offer.kind.programs:
            if which(name := program.partition(":")[0]) is None:
                pytest.skip(f"{name} is not installed")
        with tempfile.TemporaryDirectory() as folder:
            offer, given = self._offer, self._given()
            subject = Subject.of(offer.slot, offer.kind, None, Path(folder), **given)
            try:
                found = failures(self._check, subject)
            except SkippedError as reason:
                pytest.skip(str(reason))
        if found:
            raise AssertionError("\n".join(found))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """What is wrong, without the kit's own lines."""
        if excinfo.errisinstance(AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """How it is called in the summary."""
        return self.path, None, self.name


def _items(session: pytest.Session, asked: str) -> Iterator[pytest.Item]:
    from snn_kernel.registry import Registry
    from snn_kernel.testing.conformance import CHECKS
    from snn_kernel.testing.subject import title

    registry = Registry.discover()
    plugins = [p for p in registry.plugins if asked in ("", p.name)]
    if not plugins:
        known = ", ".join(sorted({p.name for p in registry.plugins}))
        raise pytest.UsageError(f"{OPTION}: no plugin '{asked}' is installed (known: {known})")
    if faults := [f"{p.name}: {p.fault}" for p in plugins if p.fault]:
        raise pytest.UsageError(f"{OPTION}: {'; '.join(faults)}")
    names = {p.name for p in plugins}
    offers = [o for o in registry.offers if o.plugin in names and not registry.lacks(o)]
    if flaws := [f"{o}: {flaw}" for o in offers if (flaw := registry.obstacle(o))]:
        raise pytest.UsageError(f"{OPTION}: {'; '.join(flaws)}")
    for offer in offers:
        checks = CHECKS[offer.slot]
        for check in checks if _makeable(offer) else checks[:1]:
            name = f"{offer.slot} {offer.kind.name}: {title(check)}"
            facts = {"offer": offer, "check": check, "given": lambda o=offer: _given(o, offers)}
            yield Conformance.from_parent(
                session, name=name, nodeid=f"{offer.plugin}::{name}", **facts
            )


def _makeable(offer: Any) -> bool:
    """Whether a kind can be made without parameters or with its example; if not, one check will
    say so."""
    from snn_kernel.testing.subject import IncompleteError, configured

    try:
        configured(offer.kind.config, getattr(offer.kind.config, "example", {}))
    except IncompleteError:
        return False
    return True


def _given(offer: Any, offers: list[Any]) -> dict[str, Any]:
    """For a framework the first model of its distribution, for what follows a model its
    distribution's framework and model, where it offers both and the kind names no others."""
    from snn_kernel.testing.subject import configured

    own = [o for o in offers if o.plugin == offer.plugin]
    first = {s: next((o.kind.config for o in own if o.slot == s), None) for s in PAIR}
    needed = {"framework": ("model",), "model": ("framework",)}.get(offer.slot, PAIR)
    if hasattr(offer.kind.config, "example_beside") or not all(first[slot] for slot in needed):
        return {}
    return {
        slot: configured(cls, getattr(cls, "example", {}))
        for slot in needed
        if (cls := first[slot])
    }


PAIR = ("framework", "model")


def _here(root: Path) -> str:
    """The name of the distribution whose root this is, if it is one."""
    path = root / "pyproject.toml"
    found = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    return str(found.get("project", {}).get("name", ""))
