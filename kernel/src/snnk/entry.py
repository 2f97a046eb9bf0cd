"""What the ledger knows of one run: what was asked, what became of it, what it made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, field, fields, frozen

from snn_kernel.results import Deployed, Measure, ModelReport
from snn_network import Agreement
from snnk.folder import LOCK
from snnk.leftovers import alive

RUNNING, DONE, FAILED, INTERRUPTED = "running", "done", "failed", "interrupted"
DISAGREES = "disagrees"  # done, and a deployed network does not answer as the framework does
ENDED = (DONE, DISAGREES)
DAMAGED = "damaged"  # what the ledger has of it cannot be read


@frozen
class Conditions:
    """What a run was asked, and with what it ran: the file and what the command line overrode, the
    document that they make, every setting with defaults included, the last step that was to be
    made (empty where it is not known), and versions."""

    file: str = ""
    overrides: tuple[str, ...] = ()
    document: Mapping[str, Any] = field(factory=dict)
    settings: Mapping[str, Any] = field(factory=dict)
    versions: Mapping[str, str] = field(factory=dict)
    platform: str = ""
    until: str = ""


@frozen
class Made:
    """What one model in one run of the bench came to; `limited` are targets that did not see all
    test samples, with how many, the first ones, they saw."""

    model: str
    run: int
    measures: tuple[Measure, ...]
    agreement: Agreement | None
    files: Mapping[str, Path]
    limited: Mapping[str, int] = field(factory=dict)

    @classmethod
    def of(cls, one: ModelReport, files: Mapping[str, Path] | None = None) -> Made:
        """What is reported of one model, with the files of the whole report."""
        every = {**one.files, **(files or {})}
        seen = ((d.target, _samples(d)) for d in one.deployed)
        limited = {who: n for who, n in seen if n is not None and n < len(one.labels)}
        return cls(one.model, one.run, one.measures, one.agreement, every, limited)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Made:
        """From what `as_json` gave."""
        measures = tuple(Measure(**m | {"value": 0 + m["value"]}) for m in told["measures"])
        agreement = Agreement(**told["agreement"]) if told["agreement"] else None
        files = {name: Path(path) for name, path in told["files"].items()}
        known = (told["model"], told["run"], measures, agreement, files)
        return cls(*known, told.get("limited", {}))  # ledgers once did not have it

    @property
    def label(self) -> str:
        """Its name in files and steps."""
        return f"{self.model}_r{self.run}"

    def as_json(self) -> dict[str, Any]:
        """As `snnk run --json` has it."""
        return asdict(self) | {"files": {name: str(path) for name, path in self.files.items()}}


@frozen
class Entry:
    """One invocation of `snnk run`; `fault` says why it did not end well, and at which step;
    times are local, and None where they are not known."""

    id: int
    name: str
    folder: Path
    started: datetime | None
    finished: datetime | None
    state: str
    fault: str
    conditions: Conditions
    made: tuple[Made, ...]

    @classmethod
    def read(cls, row: Mapping[str, Any], out: Path) -> Entry:
        """The entry of a row of the ledger in `out`, be it from before some of the columns, or
        damaged. Files are where they are now, should `out` have been moved with all that is in
        it."""
        try:
            return cls._read(row, out)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            name, folder = str(row["name"]), Path(str(row["folder"]))
            fault = f"its row in the ledger cannot be read: {error}"
            return cls(row["id"], name, folder, None, None, DAMAGED, fault, Conditions(), ())

    @classmethod
    def _read(cls, row: Mapping[str, Any], out: Path) -> Entry:
        then = Path(row["folder"])
        folder = out / row["name"] / then.name if then.parent.name == row["name"] else then

        def now(path: Path) -> Path:
            return folder / path.relative_to(then) if path.is_relative_to(then) else path

        made = [Made.read(told) for told in json.loads(row["results"] or "{}").get("runs", ())]
        made = [evolve(m, files={n: now(p) for n, p in m.files.items()}) for m in made]
        state, fault = _ended(row, made)
        times = (_time(row["started"]), _time(row["finished"]))
        known = (row["id"], row["name"], folder, *times, state, fault)
        return cls(*known, _conditions(row["conditions"], folder), tuple(made))

    @property
    def whole(self) -> bool:
        """Whether it was to go to the end; as if, where that is not known."""
        return self.conditions.until in ("", "evaluate")

    def files(self) -> Iterator[tuple[str, Path]]:
        """Every file that was made and what it is; of a run that did not end well, what lies in its
        folder."""
        if not self.made and (self.folder / LOCK).is_file():  # else it is no folder of a run
            lying = (p for p in sorted(self.folder.rglob("*")) if p.is_file() and p.name != LOCK)
            yield from ((str(path.relative_to(self.folder)), path) for path in lying)
        found: set[Path] = set()
        for made in self.made:
            for name, path in made.files.items():
                if path not in found:
                    own = len(self.made) > 1 and made.label in path.parts
                    yield f"{made.label} {name}" if own else name, path
                found.add(path)

    def as_json(self) -> dict[str, Any]:
        """What `snnk show` writes for machines."""
        known = asdict(self.conditions) | {"overrides": list(self.conditions.overrides)}
        own = {a.name: getattr(self, a.name) for a in fields(Entry) if a.name != "conditions"}
        runs = [made.as_json() for made in own.pop("made")]
        own |= {"started": as_text(self.started), "finished": as_text(self.finished)}
        return own | {"folder": str(self.folder)} | known | {"runs": runs}


def as_text(time: datetime | None) -> str:
    """As ISO 8601 has it; empty where it is not known."""
    return time.isoformat() if time else ""


def _samples(deployed: Deployed) -> int | None:
    """On how many samples it ran, if it did and says so."""
    return len(deployed.prediction.logits) if deployed.prediction else deployed.samples


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _ended(row: Mapping[str, Any], made: list[Made]) -> tuple[str, str]:
    """How a run stands, and why it did not end well."""
    status, fault = row["status"] or "", str(row["fault"] or "")
    if status == DONE:
        return DISAGREES if any(m.agreement and m.agreement.differing for m in made) else DONE, ""
    if status == RUNNING:
        return (RUNNING if row["pid"] and alive(row["pid"]) else INTERRUPTED), ""
    kind = status.partition("(")[2].rstrip(")")  # ledgers once had the type of the error alone
    if kind == "KeyboardInterrupt":
        return INTERRUPTED, fault
    return status.partition(" ")[0], fault or kind


def _conditions(text: str | None, folder: Path) -> Conditions:
    """As they were recorded, or else as far as the lock file in the folder of the run has them."""
    if text:
        found = json.loads(text)
        return Conditions(**found | {"overrides": tuple(found["overrides"])})
    with suppress(OSError, ValueError):
        return Conditions(**json.loads((folder / LOCK).read_text("utf-8")))
    return Conditions()
