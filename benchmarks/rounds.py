"""The rounds of a benchmark: how many are asked for, the ratios that they gave, where rows go."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snn_kernel import write_atomic


def command_line(
    about: str | None, rounds: int | None, meaning: str | None = None
) -> argparse.ArgumentParser:
    """A command line with --rounds, by default `rounds`, and --json."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--rounds", type=int, default=rounds, help=meaning)
    made.add_argument("--json", metavar="PATH")
    return made


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """What a row says of the ratios of all rounds."""
    return {
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def write(rows: Sequence[dict[str, Any]], path: str | None) -> None:
    """Write rows as JSON to the file `path`, to standard output if that is "-", else nowhere."""
    text = json.dumps(rows, indent=2)
    if path == "-":
        sys.stdout.write(text + "\n")
    elif path:
        write_atomic(Path(path), text)
