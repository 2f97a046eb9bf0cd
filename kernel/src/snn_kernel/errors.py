"""What can go wrong, as types: where – what – whose – hint."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen


@frozen
class Fault:
    """One thing that is wrong: `where` it stands, `what` it is, `whose` kind says so, a `hint`."""

    where: str
    what: str
    whose: str = ""
    hint: str = ""

    def __str__(self) -> str:
        whose = f" ({self.whose})" if self.whose else ""
        hint = f" ({self.hint})" if self.hint else ""
        place = f"{self.where}{whose}: " if self.where or whose else ""
        return f"{place}{self.what}{hint}"


class SnnkError(Exception):
    """Whatever snn-kernel raises on purpose; `faults` holds all of it, `status` the exit status."""

    status = 2

    def __init__(self, *faults: Fault | str) -> None:
        self.faults = tuple(Fault("", f) if isinstance(f, str) else f for f in faults)
        super().__init__("\n".join(map(str, self.faults)))


class ConfigError(SnnkError):
    """The configuration is wrong; nothing has been run."""

    status = 1


class RunError(SnnkError):
    """A step of a run failed; what was made before it is kept."""


class DataError(RunError):
    """A data set, a sample or a file handed in is not what it should be."""


class NetworkError(SnnkError):
    """A network document contradicts itself, or a model cannot be expressed as one."""


def near(name: str, known: Iterable[str]) -> str:
    """The hint that names the near miss of `name` among `known`, or what there is to choose from."""
    from difflib import get_close_matches

    names = sorted(known)
    folded = {n.casefold(): n for n in names}
    if close := get_close_matches(name.casefold(), folded, n=1, cutoff=0.6):
        return f"did you mean '{folded[close[0]]}'?"
    return f"known: {', '.join(names)}" if names else ""
