"""What stays on disk: files written whole, the folder of a run, what it was made with."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from snn_kernel.errors import RunError

if TYPE_CHECKING:
    from snn_kernel.plan import Plan
    from snn_kernel.results import ModelReport

LOCK = "lock.json"


def write_atomic(path: Path, data: bytes | str) -> Path:
    """`data` (text as UTF-8) at `path`, whole or not at all, whatever interrupts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.{os.getpid()}."
    handle, partial = tempfile.mkstemp(prefix=prefix, suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)
        raise
    return path


def cache() -> Path:
    """Where downloads are kept between runs: SNNK_CACHE, or the user's cache folder."""
    return Path(os.environ.get("SNNK_CACHE") or Path.home() / ".cache" / "snn-kernel")


@frozen
class RunFolder:
    """The folder <out>/<bench name>/<time> of one invocation."""

    path: Path
    versions: Mapping[str, str]
    warn: Callable[[str], None]

    @classmethod
    def open(
        cls, plan: Plan, out: Path, warn: Callable[[str], None], left: Iterable[Path] = ()
    ) -> RunFolder:
        """A new folder, with a lock file that says what ran with which versions of what; or else
        the first of the folders `left` by interrupted runs that has just this lock file."""
        stem, twins = out / plan.bench.name / time.strftime("%Y-%m-%d_%H-%M-%S"), 0
        names = {"snn-kernel", "numpy", "torch", *(c.offer.plugin for c in plan.choices())}
        found = sorted((d.name, d.version) for d in metadata.distributions() if d.name in names)
        inline = {p.name: p.version for p in plan.registry.plugins if p.module in plan.bench.inline}
        versions = {"python": platform.python_version(), **dict(found), **inline}
        lock = {"platform": platform.platform(), "versions": versions, "document": plan.document}
        text = json.dumps(lock, indent=2, default=str)
        same = [p for p in left if (p / LOCK).is_file() and (p / LOCK).read_text("utf-8") == text]
        stem.parent.mkdir(parents=True, exist_ok=True)
        while not same:
            path = stem.with_name(f"{stem.name}_{twins}") if twins else stem
            with suppress(FileExistsError):  # be it made by another run at this very moment
                path.mkdir()
                same = [write_atomic(path / LOCK, text).parent]
            twins += 1
        return cls(same[0], versions, warn)

    def weights(self, label: str) -> Path:
        """The newest weights of `label` from an earlier run of the same bench; RunError if none."""
        earlier = sorted(path for path in self.path.parent.iterdir() if path != self.path)
        found = [p for run in earlier if (p := run / label / "weights.safetensors").is_file()]
        if not found:
            raise RunError(f"load = true, but no earlier run in {self.path.parent} saved '{label}'")
        return found[-1]

    def keep(self, report: ModelReport) -> ModelReport:
        """The report with its tables written as CSV beside its other files."""
        files = dict(report.files)
        for table in report.tables:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
            name, number = table.name, 2
            while name in files:
                name, number = f"{table.name} {number}", number + 1
            path = report.folder / f"{name.replace(' ', '_')}.csv"
            files[name] = write_atomic(path, text.getvalue())
        return evolve(report, files=files)
