"""Plugins in one file beside the configuration, without packaging: [bench] inline."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from attrs import frozen, has

from snn_kernel.errors import ConfigError, near
from snn_kernel.hookspecs import hookimpl
from snn_kernel.kinds import Kind
from snn_kernel.record import write_atomic
from snn_kernel.registry import Plugin


@frozen
class Inline:
    """A file of Python: its name in the configuration, where it is, what it holds, and why it
    cannot be read, if so."""

    name: str
    path: Path
    source: bytes = b""
    fault: str = ""

    @property
    def plugin(self) -> Plugin:
        """The plugin that it is; its version stands for its content."""
        return Plugin(self.path.name, self.version, self.name, self.fault)

    @property
    def version(self) -> str:
        """Another content, another version."""
        return hashlib.sha256(self.source).hexdigest()[:12]

    def load(self) -> ModuleType:
        """The module that it makes, executed once; without hooks it gets the one that offers its
        attrs classes with `step` as neurons. ConfigError with the line where it raises."""
        name = f"{self.path.stem}_{self.version}"
        if name not in sys.modules:
            module = ModuleType(name)
            module.__file__ = str(self.path)
            sys.modules[name] = module  # where pickle and type hints look for what it holds
            try:
                exec(compile(self.source, self.path, "exec"), vars(module))
                if not any(n.startswith("snnk_") for n in vars(module)):
                    kinds = _neurons(module)
                    module.snnk_neurons = hookimpl(lambda: kinds)  # type: ignore[attr-defined]
            except (Exception, SystemExit) as error:
                del sys.modules[name]
                if isinstance(error, ConfigError):
                    raise
                text = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
                raise ConfigError(f"line {self._line(error)}: {text}") from error
        return sys.modules[name]

    def keep(self, folder: Path) -> None:
        """A copy in `folder`, for whoever wants to run the same again."""
        write_atomic(folder / self.path.name, self.source)

    def _line(self, error: BaseException) -> int:
        """The last of its lines that `error` went through, or which is no Python."""
        line, trace = getattr(error, "lineno", None) or 0, error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename == str(self.path):
                line = trace.tb_lineno
            trace = trace.tb_next
        return line


def files(document: Mapping[str, Any], folder: Path) -> list[Inline]:
    """What [bench] inline of a document names, relative to the folder where the document is."""
    bench = document.get("bench")
    names = bench.get("inline") if isinstance(bench, Mapping) else ()
    found: list[Inline] = []
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str):  # of another type it is a fault of its own
            twice = any(f.path.name == Path(name).name for f in found)
            fault = "another file has this name, and a run keeps a copy of both"
            path = folder / name
            found.append(Inline(name, path, fault=fault) if twice else _read(name, path))
    return found


def _read(name: str, path: Path) -> Inline:
    try:
        return Inline(name, path, path.read_bytes())
    except (OSError, ValueError) as error:
        hint = near(path.name, (p.name for p in path.parent.glob("*.py")))
        what = f"{path} cannot be read: {getattr(error, 'strerror', error)}"
        return Inline(name, path, fault=f"{what} ({hint})" if hint else what)


def _neurons(module: ModuleType) -> list[Kind]:
    own = [c for c in vars(module).values() if getattr(c, "__module__", "") == module.__name__]
    neurons = {c.__name__: c for c in own if isinstance(c, type) and hasattr(c, "step")}
    if plain := [name for name, c in neurons.items() if not has(c)]:
        raise ConfigError(f"{', '.join(plain)} has `step`: make it an attrs class (@frozen)")
    if kinds := [Kind(name, c) for name, c in neurons.items() if not name.startswith("_")]:
        return kinds
    raise ConfigError("it offers nothing: write a class with `step`, or a hook (docs/hooks.md)")
