"""Compiles the engine while its wheel is built, with the Zig that comes as a build requirement."""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Target(NamedTuple):
    """A platform: Python's names for it, the wheel's, and where Zig puts the library and the
    executable."""

    system: str
    machines: tuple[str, ...]
    tag: str
    files: tuple[str, str]


LINUX = ("lib/libsnn_engine.so", "bin/snn-engine")
MACOS = ("lib/libsnn_engine.dylib", "bin/snn-engine")
WINDOWS = ("lib/snn_engine.dll", "bin/snn-engine.exe")


# glibc 2.17 is what manylinux2014 promises, macOS 11 the first for arm64.
TARGETS = {
    "x86_64-linux-gnu.2.17": Target(
        "Linux",
        ("x86_64", "amd64"),
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        LINUX,
    ),
    "aarch64-linux-gnu.2.17": Target(
        "Linux",
        ("aarch64", "arm64"),
        "manylinux_2_17_aarch64.manylinux2014_aarch64",
        LINUX,
    ),
    "aarch64-macos.11.0": Target("Darwin", ("arm64", "aarch64"), "macosx_11_0_arm64", MACOS),
    "x86_64-macos.11.0": Target("Darwin", ("x86_64",), "macosx_11_0_x86_64", MACOS),
    "x86_64-windows": Target("Windows", ("amd64", "x86_64"), "win_amd64", WINDOWS),
}


class EngineBuild(BuildHookInterface):  # type: ignore[type-arg]
    """`SNN_ENGINE_TARGET` (a key of TARGETS) builds for another platform than this one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add header, library and executable to the wheel, or put them beside the sources for an
        editable install."""
        name = os.environ.get("SNN_ENGINE_TARGET") or _here()
        if name not in TARGETS:
            raise SystemExit(f"SNN_ENGINE_TARGET is '{name}'; known: {', '.join(TARGETS)}")
        target = TARGETS[name]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{target.tag}"
        prefix = Path(tempfile.mkdtemp(prefix="snn-engine-"))
        atexit.register(shutil.rmtree, prefix, ignore_errors=True)
        _compile(Path(self.root), name, prefix)
        header = Path(self.root, "include", "snn_engine.h")
        for made in (header, *(prefix / file for file in target.files)):
            if version == "editable":
                _place(made, Path(self.root, "src", "snn_engine", "_lib", made.name))
            else:
                build_data["force_include"][str(made)] = f"snn_engine/_lib/{made.name}"


def _place(made: Path, place: Path) -> None:
    """A process that has the old file mapped keeps it; a half-written one is never seen."""
    place.parent.mkdir(exist_ok=True)
    partial = place.with_name(f"{place.name}.{os.getpid()}.partial")
    shutil.copy2(made, partial)
    os.replace(partial, place)


def _here() -> str:
    system, machine = platform.system(), platform.machine().lower()
    for name, target in TARGETS.items():
        if target.system == system and machine in target.machines:
            return name
    raise SystemExit(f"snn-engine is not built for {system} on {machine}: {', '.join(TARGETS)}")


def _cache(root: Path) -> Path:
    """Where Zig keeps what it has compiled from `root`: a second build is quick, two may run at
    once.

    Never shared between folders: Zig 0.16 then takes the files of the one for those of the other,
    and hands out a library that was compiled from other sources.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = caches / "snn-engine-zig" / sha256(str(root.resolve()).encode()).hexdigest()[:16]
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:  # no home, or a read-only one
        return Path(tempfile.mkdtemp(prefix="snn-engine-zig-"))
    return place


def _compile(root: Path, target: str, prefix: Path) -> None:
    """Put what is made for `target` under `prefix`, or end the build with Zig's own words."""
    cache = _cache(root)
    command = [
        *(sys.executable, "-m", "ziglang", "build", "-Doptimize=ReleaseFast"),
        *(f"-Dtarget={target}", "-Dcpu=baseline", "--prefix", str(prefix)),
        *("--cache-dir", str(cache), "--global-cache-dir", str(cache.parent / "global")),
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"zig build failed:\n{done.stderr}")
