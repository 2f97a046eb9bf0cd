"""What killed processes leave behind."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether there is a process `pid`, be it somebody else's; where none can be asked, as if."""
    if os.name == "nt":  # signal 0 is Ctrl+C there
        return True
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def sweep(folder: Path) -> None:
    """Remove the partial files that killed processes left in `folder` and below."""
    for partial in folder.rglob(".*.partial"):
        with suppress(ValueError, IndexError, FileNotFoundError, PermissionError):
            if not alive(int(partial.name.split(".")[-3])):
                partial.unlink()
