"""A plugin in one file beside the configuration, [bench] inline = ["my_neurons.py"]."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from attrs import has

from snn_kernel.errors import ConfigError, near
from snn_kernel.hookspecs import hookimpl
from snn_kernel.kinds import Kind


def read(path: Path) -> tuple[bytes, str]:
    """The content of a file, or else why it cannot be read."""
    try:
        return path.read_bytes(), ""
    except OSError as error:
        hint = near(path.name, (p.name for p in path.parent.glob("*.py")))
        return b"", f"{path} cannot be read: {error.strerror}" + (f" ({hint})" if hint else "")


def version(source: bytes) -> str:
    """What stands for a version: another content, another version."""
    return hashlib.sha256(source).hexdigest()[:12]


def load(path: Path, source: bytes) -> ModuleType:
    """The module that `source` makes, executed once; a file without hooks offers its attrs classes
    that have `step`, as neurons. ConfigError with file and line where it raises."""
    name = f"{path.stem}_{version(source)}"
    if name not in sys.modules:
        module = ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module  # where pickle and type hints look for what it holds
        try:
            exec(compile(source, path, "exec"), vars(module))
            if not any(n.startswith("snnk_") for n in vars(module)):
                _offer(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            if isinstance(error, ConfigError):
                raise
            what = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
            raise ConfigError(f"{path}:{_line(error, path)}: {what}") from error
    return sys.modules[name]


def _offer(module: Any) -> None:
    """Give a module without hooks the one by which its neurons are found."""
    own = [c for c in vars(module).values() if getattr(c, "__module__", "") == module.__name__]
    neurons = [c for c in own if isinstance(c, type) and hasattr(c, "step")]
    if not neurons:
        raise ConfigError(
            f"{module.__file__} offers nothing (it has neither a hook nor an attrs "
            "class with `step`)"
        )
    if plain := [c.__name__ for c in neurons if not has(c)]:
        raise ConfigError(
            f"{module.__file__}: {', '.join(plain)} has `step` and is no attrs class "
            "(decorate it with @attrs.frozen)"
        )
    kinds = [Kind(c.__name__, c) for c in neurons if not c.__name__.startswith("_")]
    module.snnk_neurons = hookimpl(lambda: kinds)


def _line(error: BaseException, path: Path) -> int:
    """The last line of the file that `error` passed through, or that could not be read."""
    line, trace = getattr(error, "lineno", None) or 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
