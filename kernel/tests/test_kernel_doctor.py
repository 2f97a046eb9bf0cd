"""`snnk doctor`: what is there, what is missing, what is broken."""

from __future__ import annotations

import shutil
import types
from typing import Any

import pytest

from snn_kernel import Kind, hookimpl
from snnk.command import main
from toys import TOY, Entry, Mirror, plugin


def says(told: Any) -> types.ModuleType:
    module = types.ModuleType("says")
    module.snnk_doctor = hookimpl(told)  # type: ignore[attr-defined]
    module.snnk_doctor.__name__ = "snnk_doctor"
    return module


def broken() -> Any:
    raise ImportError("libfoo.so is gone")


def examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    status = main(["doctor"])
    return status, [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_a_healthy_installation(install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install(Entry("toy", TOY), Entry("says", says(lambda: {"torch": "2.13.0, no GPU"})))
    status, lines = examined(capsys)
    assert status == 0
    assert lines[0].startswith("python 3.")
    assert " numpy " in lines[0]
    assert {"says 1.2: ok", "toy 1.2: ok", "torch: 2.13.0, no GPU"} <= set(lines)
    assert lines[-1] == "nothing is broken"


def test_what_is_broken_is_told_with_the_reason(
    install: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = plugin(neuron=[Kind("Gone", "no_such_module:Gone")])
    sick = says(lambda: 1 / 0)
    odd = says(lambda: None)
    install(Entry("a-bad", broken), Entry("gone", gone), Entry("sick", sick), Entry("odd", odd))
    status, lines = examined(capsys)
    assert status == 2
    assert "a-bad 1.2: ImportError: libfoo.so is gone" in lines
    assert "sick: broken: ZeroDivisionError: division by zero" in lines
    assert any(line.startswith("odd: broken: AttributeError") for line in lines)
    reason = "its class cannot be used (ModuleNotFoundError: No module named 'no_such_module')"
    assert f"neuron 'Gone' from gone 1.2: {reason}" in lines
    assert lines.index("gone 1.2: ok") < lines.index("a-bad 1.2: ImportError: libfoo.so is gone")
    assert lines[-1] == "something is broken: see above"


@pytest.mark.parametrize(
    ("installers", "command"),
    [
        (("apt-get",), "sudo apt-get install qemu-system"),
        (("winget",), "winget install qemu-system"),
        (("brew", "dnf"), "sudo dnf install qemu-system"),
        ((), "install qemu-system"),
    ],
)
def test_what_is_missing_is_told_with_its_command_and_is_no_fault(
    install: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    installers: tuple[str, ...],
    command: str,
) -> None:
    there = {name: f"/bin/{name}" for name in (*installers, "node")}
    monkeypatch.setattr(shutil, "which", there.get)
    programs = ("node:nodejs", "qemu-system-arm:qemu-system")
    needs = ("no_such_module:no-such-dist",)
    kinds = [Kind("Board", Mirror, (), programs), Kind("Chip", Mirror, needs, programs[1:])]
    install(Entry("needy", plugin(deployer=kinds)))
    status, lines = examined(capsys)
    assert status == 0
    assert "node, for Board: /bin/node" in lines
    assert f"qemu-system-arm, for Board, Chip: missing, optional ({command})" in lines
    missing = "modules it needs are missing (pip install no-such-dist)"
    assert f"deployer 'Chip' from needy 1.2: {missing}" in lines
    assert lines[-1] == "nothing is broken"


def test_without_plugins(install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install()
    status, lines = examined(capsys)
    assert status == 0
    assert "none is installed (pip install snn-kernel[all] brings ours)" in lines
