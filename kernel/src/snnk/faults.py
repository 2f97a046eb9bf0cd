"""What an exception tells the user: its lines, and the exit status."""

from __future__ import annotations

from snn_kernel.errors import SnnkError
from snn_network import NetworkError


def status(error: BaseException) -> int:
    """The exit status that `error` ends the command with."""
    return int(getattr(error, "status", SnnkError.status))


def lines(error: BaseException) -> list[str]:
    """What is said of `error`; what nobody meant to raise is called so."""
    if isinstance(error, SnnkError):
        return [str(fault) for fault in error.faults]
    if isinstance(error, OSError) and error.strerror:  # the world's: no room, no permission
        return [f"{error.filename}: {error.strerror}" if error.filename else error.strerror]
    if isinstance(error, NetworkError):
        return [str(error)]
    return [f"unexpected {type(error).__name__}: {error}"]
