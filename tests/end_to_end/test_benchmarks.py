"""Every benchmark runs and prints its ratios, or what differs, also as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "benchmarks"
BENCHMARKS = sorted(p for p in ROOM.glob("*.py") if "__main__" in p.read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("script", BENCHMARKS, ids=lambda p: p.stem)
def test_benchmark(script: Path, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    command = [sys.executable, str(script), "--rounds", "1", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads(path.read_text())
    rows = rows if isinstance(rows, list) else [rows]
    ratios = [row["ratio_median"] for row in rows if "ratio_median" in row]
    assert all(0 < ratio < 1000 for ratio in ratios)
    assert ("times" in done.stdout) == bool(ratios)
    assert len(ratios) == len(rows) or all(row["differing"] == 0 for row in rows)


@pytest.mark.slow
def test_the_median_of_processes_is_one_of_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    asked = ["--rounds", "1", "--networks", "mlp", "--rates", "0.5", "--processes", "3"]
    command = [sys.executable, str(ROOM / "engine.py"), *asked, "--json", str(path)]
    subprocess.run(command, capture_output=True, check=True)
    rows = json.loads(path.read_text())
    assert len({(row["side"], row["versus"]) for row in rows}) == len(rows) >= 4
    assert all(row["ratio_min"] <= row["ratio_median"] <= row["ratio_max"] for row in rows)
