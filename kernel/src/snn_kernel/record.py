"""What stays on disk: files written whole, and the folder of a run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from snn_kernel.errors import RunError


def write_atomic(path: Path, data: bytes | str) -> Path:
    """`data` (text as UTF-8) at `path`, whole or not at all, whatever interrupts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name[:40]}.{os.getpid()}."  # a name may be as long as file systems take
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

    def weights(self, label: str) -> Path:
        """The newest weights of `label` from an earlier run of the same bench; RunError if none."""
        earlier = sorted(path for path in self.path.parent.iterdir() if path != self.path)
        found = [p for run in earlier if (p := run / label / "weights.safetensors").is_file()]
        if not found:
            raise RunError(f"load = true, but no earlier run in {self.path.parent} saved '{label}'")
        return found[-1]
