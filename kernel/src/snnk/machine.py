"""What is said to machines: JSON, where --json says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from snn_kernel.errors import ConfigError, Fault


def writable(where: str | None) -> None:
    """ConfigError, before anything is run, if nothing can be written where --json says."""
    if not where or where == "-":
        return
    if Path(where).is_dir():
        raise ConfigError(Fault("--json", f"{where} is a folder", "", "name a file"))
    folder = next(p for p in Path(where).parents if p.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(Fault("--json", f"{where}: {folder} is no folder to write in"))


def written(where: str | None, told: Any) -> bool:
    """Write `told` where --json says, if it says so; whether that was standard output."""
    if where:
        from snn_kernel.record import write_atomic

        text = json.dumps(told, indent=2, default=str)
        if where == "-":
            print(text)
        else:
            write_atomic(Path(where), text)
    return where == "-"
