"""What it costs to import a plugin."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache

from snn_kernel.testing.subject import Subject

SECONDS_MAX = 0.1  # of processor time, beyond what the kernel imports itself
HEAVY = ("torch", "spikingjelly", "tensorflow", "jax", "sklearn", "scipy", "matplotlib", "h5py")
ROUNDS = 3  # the quickest counts

PROBE = """import json, sys, time
sys.path[:] = json.loads(sys.argv[2])
import numpy, snn_kernel.network, snn_kernel.plan
before, start = set(sys.modules), time.process_time()
__import__(sys.argv[1])
print(json.dumps([time.process_time() - start, sorted(set(sys.modules) - before)]))"""


def import_is_cheap(subject: Subject) -> Iterator[str]:
    """its module is imported in a fresh Python, soon done and without torch."""
    module = type(subject.config).__module__
    seconds, found, error = _imported(module, tuple(sys.path))
    if error:
        yield (
            f"{module} cannot be imported in a fresh Python: {error}. Keep the class in a module "
            "of the distribution."
        )
    if heavy := [name for name in HEAVY if name in found]:
        yield (
            f"importing {module} imports {', '.join(heavy)}. Move that import into the verb that "
            "needs it."
        )
    elif seconds > SECONDS_MAX:
        yield (
            f"importing {module} takes {seconds:.2f} s, more than {SECONDS_MAX} s. Move what "
            "takes long into a verb."
        )


@lru_cache
def _imported(module: str, path: tuple[str, ...]) -> tuple[float, list[str], str]:
    """Seconds, modules, and the last line of the error if there is one."""
    command, seconds, found = [sys.executable, "-c", PROBE, module, json.dumps(path)], 9e9, []
    for _ in range(ROUNDS):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return 0.0, [], (done.stderr.strip().splitlines() or ["no message"])[-1]
        took, found = json.loads(done.stdout.splitlines()[-1])
        seconds = min(seconds, took)
        if seconds <= SECONDS_MAX or not set(HEAVY).isdisjoint(found):
            break
    return seconds, found, ""
