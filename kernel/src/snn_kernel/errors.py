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
        place = f"{self.where} ({self.whose})" if self.whose else self.where
        text = f"{place.strip()}: {self.what}" if place else self.what
        return f"{text} ({self.hint})" if self.hint else text


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


def reason(error: BaseException) -> str:
    """Why something failed that others made, in one line."""
    return str(error) if isinstance(error, SnnkError) else f"{type(error).__name__}: {error}"


def near(name: str, known: Iterable[str]) -> str:
    """The hint that names the near miss of `name` among `known`, or all there is."""
    from difflib import get_close_matches

    folded = {n.casefold(): n for n in sorted(known)}
    if close := get_close_matches(name.casefold(), folded, n=1, cutoff=0.6):
        return f"did you mean '{folded[close[0]]}'?"
    return f"known: {', '.join(folded.values())}" if folded else ""
