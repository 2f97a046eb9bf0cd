"""Verbs that other distributions bring to the command.

Each is an entry point of group `snn_kernel.verbs`: its name is the verb, its object a function
that takes the arguments behind the verb and returns the exit status.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

GROUP = "snn_kernel.verbs"

# Those of ours: what they do, and where they come from.
OURS = {
    "engine": ("run, measure or serve the Zig engine", "snn-deploy-engine"),
    "nir": ("read, write or show graphs of NIR", "snn-nir"),
}

Verb = Callable[[Sequence[str]], int]


def find(name: str) -> Verb | None:
    """The verb `name`, None if there is none; ConfigError if it is missing, broken or ambiguous."""
    from importlib import metadata

    from snn_kernel.errors import ConfigError, Fault

    found = list(metadata.entry_points(group=GROUP, name=name))
    where = f"snnk {name}"
    if len(found) > 1:
        whose = " and ".join(sorted(entry.dist.name for entry in found if entry.dist))
        raise ConfigError(Fault(where, f"is offered by {whose}", "", "uninstall one of them"))
    if found:
        try:
            verb: Verb = found[0].load()
        except Exception as error:  # whatever it is, it is this distribution's fault
            raise ConfigError(Fault(where, f"{found[0].value} is broken: {error}")) from error
        return verb
    if name in OURS:
        raise ConfigError(Fault(where, "is not installed", "", f"pip install {OURS[name][1]}"))
    return None
