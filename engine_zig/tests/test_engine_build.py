"""The Zig side's own tests and style, and the wheel."""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None,
    reason="ziglang is a build requirement, and is not installed here",
)


def run(*command, **options):
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return done


@needs_zig
def test_zig_unit_tests():
    """In Debug mode, which checks every index, every overflow and every leak."""
    done = run("ziglang", "build", "test", "--summary", "all", cwd=ROOT)
    passed = re.search(r"(\d+) pass", done.stderr)
    assert passed
    assert int(passed[1]) > 10


@needs_zig
def test_zig_style():
    run("ziglang", "fmt", "--check", "src", "build.zig", cwd=ROOT)
    for file in ROOT.glob("src/*.zig"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            assert len(line) <= 100, f"{file.name}:{number}"


@needs_zig
@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "tag", "name", "magic"),
    [
        ("x86_64-linux-gnu.2.17", "manylinux2014_x86_64", "libsnn_engine.so", b"\x7fELF"),
        ("aarch64-linux-gnu.2.17", "manylinux2014_aarch64", "libsnn_engine.so", b"\x7fELF"),
        ("aarch64-macos.11.0", "macosx_11_0_arm64", "libsnn_engine.dylib", b"\xcf\xfa\xed\xfe"),
        ("x86_64-windows", "win_amd64", "snn_engine.dll", b"MZ"),
    ],
)
def test_the_wheels_tag_is_honest(tmp_path, target, tag, name, magic):
    run(
        *("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)),
        str(ROOT),
        env={**os.environ, "SNN_ENGINE_TARGET": target},
    )
    (wheel,) = tmp_path.iterdir()
    assert re.fullmatch(rf"snn_engine-[\d.]+-py3-none-.*{tag}\.whl", wheel.name)
    executable = "snn-engine.exe" if "windows" in target else "snn-engine"
    with zipfile.ZipFile(wheel) as archive:
        library = archive.read(f"snn_engine/_lib/{name}")
        assert archive.read(f"snn_engine/_lib/{executable}").startswith(magic)
        assert archive.getinfo(f"snn_engine/_lib/{executable}").external_attr >> 16 & 0o111
        assert b"snn_call" in archive.read("snn_engine/_lib/snn_engine.h")
        assert b"Root-Is-Purelib: false" in archive.read(
            next(n for n in archive.namelist() if n.endswith("WHEEL"))
        )
    assert library.startswith(magic)
    assert b"snn_call" in library
    versions = {tuple(map(int, v.split(b"."))) for v in re.findall(rb"GLIBC_([\d.]+)\0", library)}
    assert all(version <= (2, 17) for version in versions), versions
    assert bool(versions) == ("linux" in target)


@needs_zig
@pytest.mark.slow
def test_an_unknown_platform_is_told_which_ones_there_are(tmp_path):
    command = ("pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT))
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SNN_ENGINE_TARGET": "sparc-solaris"},
    )
    assert done.returncode != 0
    assert "x86_64-linux-gnu.2.17" in done.stdout + done.stderr


@needs_zig
@pytest.mark.slow
def test_a_library_is_compiled_from_its_own_sources(tmp_path):
    """Two folders that differ in one number: neither may get the other's library from a cache."""
    libraries = []
    for number in ("1", "77"):
        folder = tmp_path / f"copy{number}"
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns("_lib", ".zig-cache", "tests"))
        abi = folder / "src" / "root.zig"
        abi.write_text(
            abi.read_text().replace("abi_version: u32 = 1", f"abi_version: u32 = {number}")
        )
        wheels = tmp_path / f"wheel{number}"
        run(
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(wheels),
            str(folder),
        )
        with zipfile.ZipFile(next(wheels.iterdir())) as archive:
            names = [n for n in archive.namelist() if "_lib/" in n]
            libraries.append(tmp_path / number)
            libraries[-1].write_bytes(archive.read(next(n for n in names if ".so" in n)))
    assert [ctypes.CDLL(str(path)).snn_abi_version() for path in libraries] == [1, 77]
