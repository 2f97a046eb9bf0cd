"""The command as users meet it: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import snn_kernel
from snn_kernel import hookspecs

KERNEL = Path(snn_kernel.__file__).parent
ROOT = KERNEL.parents[2]


def snnk(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "snnk", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_line_budget() -> None:
    files = [p for p in KERNEL.rglob("*.py") if "testing" not in p.parts]
    assert sum(len(p.read_text().splitlines()) for p in files) <= 1500


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    resource = pytest.importorskip("resource", reason="the processor's time is asked of POSIX")
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert snnk("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.15  # of the processor, however busy the machine is
    loaded = snnk("--help", python=("-X", "importtime")).stderr
    names = {line.rpartition("|")[2].strip() for line in loaded.splitlines()}
    assert "snnk.command" in names
    assert not names & {"torch", "numpy", "rich", "pluggy", "attrs", "cattrs"}


def test_kinds_imports_no_torch() -> None:
    loaded = snnk("kinds", python=("-X", "importtime")).stderr
    names = {line.rpartition("|")[2].strip() for line in loaded.splitlines()}
    assert "snn_kernel.registry" in names
    assert not names & {"numpy", "torch", "spikingjelly", "sklearn", "matplotlib", "jinja2"}


def test_no_kind_is_heavy_to_import() -> None:
    code = (
        "import sys; from snn_kernel.registry import Registry as R; r = R.discover();"
        "assert not any(map(r.obstacle, r.offers)); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "spikingjelly", "sklearn", "scipy", "h5py", "jinja2"}
    assert not heavy & set(done.stdout.split())


def test_a_wrong_file_exits_1_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[bench]\nnam = "x"\n[dataset]\nkind = "Digit"\n')
    done = snnk("run", str(path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert "wrong.toml: [bench]: unknown key 'nam' (did you mean 'name'?)" in lines
    assert "wrong.toml: [dataset]: unknown dataset 'Digit' (did you mean 'Digits'?)" in lines
    assert "wrong.toml: section [model] is missing" in lines


def test_unknown_arguments_are_refused() -> None:
    assert snnk("run", "x.toml", "--frobnicate").returncode == 2
    assert snnk("kinds", "--a=3").returncode == 2


def test_unknown_kind_names_the_near_miss() -> None:
    done = snnk("kinds", "Nothing")
    assert done.returncode == 1
    assert "no kind 'Nothing'" in done.stderr


def test_doctor() -> None:
    done = snnk("doctor")
    assert f"snn-kernel {snn_kernel.__version__}" in done.stdout
    assert done.returncode == 0, done.stdout


def test_every_public_name_is_there() -> None:
    for name in snn_kernel.__all__:
        assert getattr(snn_kernel, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        snn_kernel.nonsense  # noqa: B018


HOOKS_PAGE = (ROOT / "docs" / "hooks.md").read_text("utf-8")
HOOKS = [name for name in vars(hookspecs) if name.startswith("snnk_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented(hook: str) -> None:
    import inspect

    function = getattr(hookspecs, hook)
    signature = f"`{hook}({', '.join(inspect.signature(function).parameters)})`"
    assert f"| {signature} | {' '.join(function.__doc__.split())} |\n" in HOOKS_PAGE


def test_no_other_hook_is_documented() -> None:
    import re

    assert set(re.findall(r"snnk_\w+", HOOKS_PAGE)) <= {*HOOKS}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_tested(hook: str) -> None:
    tests = [*(ROOT / "kernel" / "tests").glob("*.py"), *ROOT.glob("plugins/*/src/*/plugin.py")]
    slot = hook.removeprefix("snnk_").removesuffix("s")
    texts = [p.read_text() for p in tests if p.name != "test_kernel_command.py"]
    assert any(hook in t or f"{slot}=[" in t for t in texts), hook
