"""How long `snnk kinds` and `snnk --help` take with 50 plugins, against an empty Python.

    python benchmarks/startup.py [--rounds 10] [--json PATH|-]

The plugins are made for the occasion, each a module of its own with a neuron, found through entry
points beside those that are installed. Every command runs in a process of its own, in turn with
`python -c pass` of the same interpreter.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rounds import command_line, spread, write

PLUGINS = 50
# Which argument, which plugins are there, and the goal in ms.
COMMANDS = {
    "snnk kinds, these alone": ("kinds", "made", 300),
    "snnk kinds, those installed alone": ("kinds", "installed", 300),
    "snnk kinds, these beside those": ("kinds", "all", 300),
    "snnk --help": ("--help", "all", 150),
}
# The command, in a Python that sees only the plugins made here, or only the others, if so asked.
CODE = """import sys
from importlib import metadata
from snnk.command import main
if (which := sys.argv[2]) != "all":
    real, made = metadata.entry_points, which == "made"
    metadata.entry_points = lambda group: [
        e for e in real(group=group) if e.name.startswith("made-") == made
    ]
try:
    main(sys.argv[1:2])
finally:
    if "torch" in sys.modules:
        print("torch is imported")
"""

MODULE = '''"""Neuron number {i}."""

from attrs import field, frozen
from attrs.validators import gt

from snn_kernel import Kind, hookimpl


@frozen
class Neuron{i}:
    """A leaky neuron."""

    decay: float = 0.9
    threshold: float = field(default=1.0, validator=gt(0))

    def step(self, state, current, fire):
        """One timestep."""
        u = current if state is None else self.decay * state + current
        spikes = fire(u, self.threshold)
        return u - spikes * self.threshold, spikes


@hookimpl
def snnk_neurons():
    """What is offered."""
    return [Kind("Neuron{i}", Neuron{i})]
'''


def install(folder: Path) -> None:
    """Fifty plugins in `folder`, as pip would leave them there."""
    for i in range(PLUGINS):
        (folder / f"made_plugin_{i}.py").write_text(MODULE.format(i=i), "utf-8")
        about = folder / f"made_plugin_{i}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: made-plugin-{i}\nVersion: 1.0\n", "utf-8"
        )
        entry = f"[snn_kernel]\nmade-{i} = made_plugin_{i}\n"
        (about / "entry_points.txt").write_text(entry, "utf-8")


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """How long a command takes, how much of that the processor works on it, what it prints."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, worked, done.stdout


def measure(rounds: int) -> list[dict[str, Any]]:
    """A row for each command: its median, and its ratio to an empty Python's."""
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        environment = {**os.environ, "PYTHONPATH": folder}
        rows = []
        for name, (argument, which, goal) in COMMANDS.items():
            command = [sys.executable, "-c", CODE, argument, which]
            times = []
            for _ in range(rounds + 1):  # the first round warms both sides up
                empty, _, _ = timed([sys.executable, "-c", "pass"], environment)
                took, worked, shown = timed(command, environment)
                times.append((took, worked, empty))
            if "torch is imported" in shown:
                raise SystemExit(f"{name} imports torch")
            expected = 0 if which == "installed" else PLUGINS
            if argument == "kinds" and shown.count(" made-plugin-") != expected:
                raise SystemExit(f"not {expected} of the plugins made here are found:\n{shown}")
            taken, worked_on, empties = zip(*times[1:], strict=True)
            ratios = [t / e for t, e in zip(taken, empties, strict=True)]
            rows.append(
                {
                    "command": name,
                    "plugins": expected,
                    "ms_median": 1e3 * statistics.median(taken),
                    "processor_ms_median": 1e3 * statistics.median(worked_on),
                    "ms_goal": goal,
                    "python_ms_median": 1e3 * statistics.median(empties),
                    **spread(ratios),
                }
            )
    return rows


def main() -> None:
    """Measure, print, and write what was printed where --json says."""
    parser = command_line(__doc__, 10)
    given = parser.parse_args()
    print(f"the command with {PLUGINS} more plugins, against python -c pass; torch is not imported")
    rows = measure(given.rounds)
    for row in rows:
        line = "  {command:34} {ms_median:5.0f} ms (goal {ms_goal}), of which the processor works "
        line += "{processor_ms_median:3.0f} ms; {ratio_median:4.1f} times"
        print((line + " ({ratio_min:.1f} to {ratio_max:.1f})").format(**row))
    write(rows, given.json)


if __name__ == "__main__":
    main()
