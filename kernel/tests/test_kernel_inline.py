"""A plugin in one file beside the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from snn_kernel import ConfigError
from snn_kernel.plan import plan
from snn_kernel.registry import Registry
from snnk.command import main
from snnk.document import read
from toys import TOY, Entry

NEURON = '''
from attrs import frozen
from fractions import Fraction


@frozen
class Mine:
    """A neuron.

    threshold: where it fires.
    """

    threshold: float = 1.0

    def step(self, state, current, fire):
        u = current if state is None else state + current
        return u, fire(u, self.threshold)


@frozen
class _Hidden:
    def step(self, state, current, fire):
        return state, current
'''
HOOKS = """
from attrs import frozen
from snn_kernel import Kind, hookimpl

TOLD = []


@frozen
class Twice:
    def apply(self, splits, context):
        return splits


@hookimpl
def snnk_preprocessings():
    return [Kind("Twice", Twice)]


@hookimpl
def snnk_run_planned(plan):
    TOLD.append(plan)
    print("told")
"""


@pytest.fixture
def inline(experiment: Path) -> Any:
    """Write a file beside the experiment, and name it (or others) there."""

    def write(text: str, *names: str, name: str = "mine.py") -> Path:
        (experiment.parent / name).write_text(text, "utf-8")
        listed = json.dumps(list(names) or [name])
        text = experiment.read_text().replace("seed = 5", f"seed = 5\ninline = {listed}")
        experiment.write_text(text.replace('"Step"', '"Mine"'))
        return experiment

    return write


def refused(file: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["check", str(file)]) == 1
    return capsys.readouterr().err.splitlines()


def test_a_class_with_step_is_a_neuron(inline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = inline(NEURON)
    before = Registry.discover().offers
    assert main(["check", str(file)]) == 0
    assert main(["run", str(file), "--out", str(file.parent / "out")]) == 0
    (folder,) = (file.parent / "out" / "toy").iterdir()
    assert (folder / "mine.py").read_text() == NEURON
    version = json.loads((folder / "lock.json").read_text())["versions"]["mine.py"]
    assert len(version) == 12
    assert Registry.discover().offers == before


def test_its_neuron_is_named_with_its_file(inline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = inline(NEURON)
    assert main(["check", str(file), "model.0.params.neuron.params.treshold=1"]) == 1
    said = capsys.readouterr().err
    assert "(neuron 'Mine' from mine.py " in said
    assert "unknown key 'treshold' (did you mean 'threshold'?)" in said
    assert main(["check", str(file), "model.0.params.neuron.kind=_Hidden"]) == 1
    assert "unknown neuron '_Hidden'" in capsys.readouterr().err


def test_a_file_may_have_hooks(inline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = inline(NEURON)
    (file.parent / "other.py").write_text(HOOKS)
    change = ["bench.inline=['mine.py', 'other.py']", "preprocessing.0={kind='Twice'}"]
    out = str(file.parent / "out")
    assert main(["run", str(file), "bench.name=b", *change, "--out", out]) == 0
    assert "told" in capsys.readouterr().out
    (folder,) = (file.parent / "out" / "b").iterdir()
    assert {"mine.py", "other.py"} <= {p.name for p in folder.iterdir()}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("import nothing_of_the_kind\n", "line 1: ModuleNotFoundError: No module named 'nothing_"),
        ("x = 1\n\ndef f():\n    return 1 / 0\n\n\nf()\n", "line 4: ZeroDivisionError: division"),
        ("x = 1\nclass :\n", "line 2: SyntaxError: invalid syntax"),
        ("raise SystemExit(3)\n", "line 1: SystemExit: 3"),
        ("x = 1\n", "it offers nothing: write a class with `step`, or a hook (docs/hooks.md)"),
        ("class Mine:\n    step = 1\n", "Mine has `step`: make it an attrs class (@frozen)"),
        ("snnk_neuron = print\n", "there is no hook 'snnk_neuron' (did you mean 'snnk_neurons'?)"),
        ("def snnk_neurons(): return []\n", "snnk_neurons lacks the decorator @hookimpl"),
        ("\0", "SyntaxError: source code string cannot contain null bytes"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    inline: Any, capsys: pytest.CaptureFixture[str], text: str, fault: str
) -> None:
    lines = refused(inline(text), capsys)
    assert any(s.startswith("toy.toml: [bench]: inline 'mine.py': ") and fault in s for s in lines)


def test_a_file_that_is_not_there_is_named(inline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = inline(NEURON, "mien.py", "mine.py")
    place = file.parent / "mien.py"
    expected = f"inline 'mien.py': {place} cannot be read: No such file or directory (did you mean"
    assert any(expected in line for line in refused(file, capsys))
    file.with_name("folder.py").mkdir()
    lines = refused_with(file, "bench.inline=['folder.py']", capsys)
    assert any("folder.py cannot be read: Is a directory" in line for line in lines)


def refused_with(file: Path, change: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["check", str(file), change]) == 1
    return capsys.readouterr().err.splitlines()


def test_names_that_are_none(inline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = inline(NEURON)
    (file.parent / "more").mkdir()
    (file.parent / "more" / "mine.py").write_text(NEURON)
    lines = refused_with(file, "bench.inline=['mine.py', 'more/mine.py']", capsys)
    assert any("inline 'more/mine.py': another file has this name" in line for line in lines)
    lines = refused_with(file, "bench.inline=[3]", capsys)
    assert any("'inline.0' must be a string, not 3" in line for line in lines)
    lines = refused_with(file, "bench.inline='mine.py'", capsys)
    assert any("'inline' must be a list, each a string" in line for line in lines)


def test_a_kind_that_is_installed_too_is_no_secret(
    inline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = inline(NEURON.replace("Mine", "Step"))
    lines = refused_with(file, "model.0.params.neuron.kind=Step", capsys)
    expected = "'Step' is offered by toy and mine.py (choose with [bench] without = ['toy'] or ["
    assert any(expected in line for line in lines)
    change = ["bench.without=['mine.py']", "model.0.params.neuron.kind=Step"]
    assert main(["check", str(file), *change]) == 0


def test_another_content_is_another_run(
    inline: Any, install: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = inline(HOOKS.replace("return splits", "raise OSError('gone')"))
    out = file.parent / "out"
    changes = ["preprocessing.0={kind='Twice'}", "model.0.params.neuron.kind=Step"]
    run = ["run", str(file), *changes, "--out", str(out), "--resume"]
    assert main(run) == main(run) == 2
    assert len(list((out / "toy").iterdir())) == 1
    (file.parent / "mine.py").write_text(HOOKS)
    assert main(run) == 0
    assert "nothing to resume" in capsys.readouterr().err
    assert len(list((out / "toy").iterdir())) == 2


def test_a_plan_without_its_files_says_so(inline: Any) -> None:
    with pytest.raises(ConfigError, match=r"inline 'mine.py': it was not loaded"):
        plan(read(inline(NEURON)))


def test_a_file_beside_does_not_reach_other_plans(
    inline: Any, install: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    install(Entry("toy", TOY))
    assert main(["check", str(inline(HOOKS, name="hooks.py")), "bench.inline=['hooks.py']"]) == 1
    named = {name for name, _ in Registry.discover().manager.list_name_plugin()}
    assert not any("hooks" in name for name in named)
