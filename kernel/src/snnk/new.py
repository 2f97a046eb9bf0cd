"""A new distribution with one kind, ready to be installed, tested and changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

from snn_kernel.errors import ConfigError, Fault
from snn_kernel.record import write_atomic
from snn_kernel.registry import Registry, homes

TEMPLATES = Path(__file__).with_name("templates")
KERNEL = ("snn-kernel>=0.1,<0.2", "attrs>=24.2", "numpy>=2.0")
MORE = {"model": ("snn-framework-spikingjelly", "snn-neurons-lif")}


def write(slot: str, name: str, out: Path) -> Path:
    """The folder of distribution `name` in `out`, made anew; ConfigError where that cannot be."""
    parts = re.split(r"[-_. ]+", name)
    name, kind = "-".join(parts).lower(), "".join(part[:1].upper() + part[1:] for part in parts)
    module, folder = name.replace("-", "_"), out / name
    wrong = (*_wrong(name, module, folder), *_taken(slot, name, kind))
    if faults := [Fault("snnk new", what, "", hint) for what, hint in wrong]:
        raise ConfigError(*faults)
    dependencies = ", ".join(f'"{d}"' for d in (*KERNEL, *MORE.get(slot, ())))
    facts = {"slot": slot, "name": name, "module": module, "kind": kind}
    for path, template in _files(slot, module):
        text = Template((TEMPLATES / f"{template}.txt").read_text("utf-8"))
        write_atomic(folder / path, text.substitute(facts, dependencies=dependencies))
    return folder


def _files(slot: str, module: str) -> Iterator[tuple[str, str]]:
    """Which file is made from which template."""
    yield "pyproject.toml", "pyproject"
    yield "README.md", "readme"
    yield f"tests/test_{module}.py", "test_framework" if slot == "framework" else "test"
    if slot == "model":
        yield f"{module}/__init__.py", "model"
        yield f"{module}/network.py", "model_network"
    else:
        yield f"{module}.py", slot


def _taken(slot: str, name: str, kind: str) -> Iterator[tuple[str, str]]:
    """A second kind of one name, be the first installed or not, is one that files cannot name."""
    known = {n: home for home, slots in homes().items() for n in slots.get(slot, ())}
    known |= {o.kind.name: o.plugin for o in Registry.discover().offers if o.slot == slot}
    if kind in known:
        yield f"there is a {slot} '{kind}' already, in {known[kind]}", f"call it my-{name}"


def _wrong(name: str, module: str, folder: Path) -> Iterator[tuple[str, str]]:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or iskeyword(module):
        yield f"'{name}' cannot be the name of a distribution", "letters and digits: my-neuron"
    elif find_spec(module) is not None:
        yield f"there is a module '{module}' already", f"call it my-{name}"
    if folder.exists():
        yield f"{folder} is there already", "choose another name, or --out"
