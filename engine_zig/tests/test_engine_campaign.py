"""The fuzzer in Zig: damaged messages to an engine whose memory is counted and made to fail.

    python engine_zig/tests/test_engine_campaign.py [MESSAGES] [SEED]

runs a campaign (10 million messages, seed 0), built with Zig's safety checks and optimised.
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import engine_corpus
import pytest

ROOT = Path(__file__).parents[1]
CODES = ("malformed", "invalid", "unsupported", "limit", "state", "frames", "events", "memory")

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None,
    reason="ziglang is a build requirement, and is not installed here",
)


def built(folder, mode):
    """The fuzzer, compiled in a mode that keeps the checks."""
    command = [sys.executable, "-m", "ziglang", "build", "fuzz", f"-Doptimize={mode}"]
    command += ["--prefix", str(folder), "--cache-dir", str(ROOT / ".zig-cache")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next((folder / "bin").glob("fuzz*"))


def campaign(folder, mode, messages, seed):
    """What the fuzzer tells; AssertionError with its last words if it found something."""
    corpus = folder / "corpus"
    corpus.mkdir()
    engine_corpus.write(corpus)
    command = [built(folder, mode), corpus, str(messages), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = {name: int(n) for name, n in re.findall(r"(\w+) (\d+)", done.stdout)}
    granted = int(re.search(r"(\d+) granted", done.stdout)[1])
    made = int(re.search(r"(\d+) messages", done.stdout)[1])
    assert made >= messages
    # What is refused at the door says little; enough must get further.
    assert granted > made / 10, done.stdout
    for code in (
        "malformed",
        "invalid",
        "unsupported",
        "limit",
        "state",
        "frames",
        "events",
        "memory",
    ):
        assert counts[code] > 0, done.stdout
    return done.stdout


def test_damaged_messages(tmp_path):
    """In Debug mode: what it is built of, the unit tests have compiled already."""
    print(campaign(tmp_path, "Debug", 50_000, 1))


@pytest.mark.slow
def test_a_million_damaged_messages(tmp_path):
    print(campaign(tmp_path, "ReleaseSafe", 1_000_000, 2))


if __name__ == "__main__":
    messages, seed = (*map(int, sys.argv[1:]), *(10_000_000, 0)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as folder:
        print(campaign(Path(folder), "ReleaseSafe", messages, seed), end="")
