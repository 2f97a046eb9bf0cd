"""docs/errors.md: every error class, every status, every kind of fault, as they are."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snn_kernel
from snn_kernel import (
    ConfigError,
    DataError,
    Kind,
    Measure,
    NetworkError,
    Samples,
    SnnkError,
    hookimpl,
)
from snn_kernel.network import Network
from snn_kernel.plan import plan
from snn_kernel.registry import Registry, homes
from snnk import command
from snnk.document import read
from toys import TOY, Count, Entry, Layered, Listen, Page, Points, Shift, Step, plugin

ROOT = Path(snn_kernel.__file__).parents[3]
PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
# A long example may go on in the next line.
SHOWN = {" ".join(text.split()) for text in re.findall(r"(?<!`)`([^`]+(?:`\w+`[^`]+)?)`", PAGE)}
BLOCKS = "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", BLOCKS, re.M)


def ours() -> bool:
    Registry.discover.cache_clear()
    return homes().keys() <= {p.name for p in Registry.discover().plugins}


@pytest.mark.parametrize(("line", "said"), COMMANDS, ids=[line for line, _ in COMMANDS])
def test_a_command_says_what_the_page_shows(
    line: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not ours():
        pytest.skip("the page shows what is said beside all plugins of ours")
    monkeypatch.chdir(ROOT)
    assert command.main(shlex.split(line)[1:]) == 1
    assert capsys.readouterr().err == said


def test_every_status_is_on_the_page() -> None:
    meanings = dict(re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.M))
    known = {command.WRONG, command.FAILED, command.DISAGREE, command.INTERRUPTED}
    assert set(meanings) == {"0", *map(str, known)}


def classes(root: type[BaseException] = SnnkError) -> set[type[BaseException]]:
    return {root}.union(*(classes(c) for c in root.__subclasses__()))


def test_every_class_is_on_the_page_with_its_status() -> None:
    pytest.importorskip("snn_engine")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d) \|", PAGE, re.M))
    modules = ("snn_kernel.errors", "snn_engine.library")
    known = {c.__name__: str(c.status) for c in classes() if c.__module__ in modules}
    assert rows == {**known, "NetworkError": str(command.FAILED)}
    assert issubclass(NetworkError, ValueError)


def shown(text: str) -> None:
    assert " ".join(text.split()) in SHOWN


def test_what_the_classes_say(experiment: Path, monkeypatch: Any, capsys: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        plan({"bench": {}}, "digits.toml")
    shown(next(str(f) for f in caught.value.faults if "[model]" in f.what))
    with pytest.raises(DataError) as data:
        Samples(np.array([[np.nan]], np.float32), np.zeros(1, np.int64), "NC")
    shown(str(data.value))
    with pytest.raises(NetworkError) as network:
        Network.unpack(b"")
    shown(str(network.value))
    monkeypatch.chdir(experiment.parent)
    assert command.main(["run", "toy.toml", "model.0.load=true"]) == command.FAILED
    shown(capsys.readouterr().err.splitlines()[-1])
    change = "deploy.deployer.params.wrong=true"
    assert command.main(["run", "toy.toml", change]) == command.DISAGREE
    lines = capsys.readouterr().out.partition("\nagreement with")[2]
    shown("agreement with" + lines.partition("\n\n")[0])


def test_what_stands_in_the_way_of_keeping_a_run(
    experiment: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(experiment.parent)
    for change in (("--out", "toy.toml/out"), ("--json", "toy.toml/x.json")):
        assert command.main(["run", "toy.toml", *change]) in (command.WRONG, command.FAILED)
        shown(capsys.readouterr().err.strip())
    Path("out").mkdir()
    Path("out/runs.sqlite").write_text("no database")
    assert command.main(["run", "toy.toml"]) == command.FAILED
    shown(capsys.readouterr().err.strip())


def test_runs_that_are_not_there(experiment: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(experiment.parent)
    for _ in range(2):
        command.main(["run", "toy.toml"])
    for words in ("show 9", "show toy", "show 2/on", "compare 1"):
        capsys.readouterr()
        assert command.main(words.split()) == command.WRONG
        shown(capsys.readouterr().err.strip())


def test_an_error_that_nobody_meant(experiment: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(Points, "load", lambda *_: 1 / 0)
    monkeypatch.chdir(experiment.parent)
    assert command.main(["run", "toy.toml"]) == command.FAILED
    shown(capsys.readouterr().err.splitlines()[-1])


def test_what_plugins_do_wrong_in_a_run(experiment: Path, monkeypatch: Any, capsys: Any) -> None:
    def leave(*_: Any) -> None:
        raise SystemExit(0)

    def fail(*_: Any) -> None:
        raise OSError("no room")

    def seven(*_: Any) -> None:
        Measure("layers", "seven", "", "counted", "run", "Count")  # type: ignore[arg-type]

    class Observer:
        @hookimpl
        def snnk_step_start(self, step: str) -> None: ...

    monkeypatch.chdir(experiment.parent)
    for kind, verb, wrong in (
        (Count, "apply", lambda *_: None),
        (Count, "apply", leave),
        (Layered, "build", leave),
        (Count, "apply", seven),
        (Listen, "observe", lambda *_: Observer()),
        (Page, "write", fail),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(kind, verb, wrong)
            assert command.main(["run", "toy.toml"]) == command.FAILED
        shown(capsys.readouterr().err.splitlines()[-1])


def test_what_the_engine_says() -> None:
    engine = pytest.importorskip("snn_engine")
    from snn_kernel.network import INPUT, Linear

    layer = Linear("a", np.ones((2, 3), np.float32), None)
    with pytest.raises(engine.EngineError) as caught:
        engine.Engine.load(Network((layer,), ((INPUT, "a"),), (3,), 1), cpu="z80")
    if "x86_64_v4" in str(caught.value):  # other processors have other levels
        shown(str(caught.value))


def broken() -> Any:
    raise ImportError("libfoo.so is gone")


def test_kinds_that_cannot_be_had(experiment: Path, install: Any, monkeypatch: Any) -> None:
    def said(change: str) -> str:
        with pytest.raises(ConfigError) as caught:
            plan(read(experiment, [change]))
        return next(str(f.what) + (f" ({f.hint})" if f.hint else "") for f in caught.value.faults)

    shown(said("dataset.kind=Digits"))
    install(Entry("toy", TOY), Entry("snn-datasets", broken))
    shown(said("dataset.kind=Digits"))
    install(Entry("rival", plugin(dataset=[Kind("Points", Shift)])), Entry("toy", TOY))
    shown(said("bench.seed=1"))
    needy = Kind("Needy", Shift, needs=("no_such_module:no-such-dist",))
    lost = Kind("Lost", "no_such_module:Lost")
    install(Entry("bad", plugin(preprocessing=[needy, lost])), Entry("toy", TOY))
    shown(said("preprocessing.0.kind=Needy"))
    shown(said("preprocessing.0.kind=Lost"))
    install(Entry("bad", plugin(preprocessing=[Kind("Idle", Points)])), Entry("toy", TOY))
    shown(said("preprocessing.0.kind=Idle"))
    monkeypatch.setattr(Shift, "check", lambda *_: 1 / 0, raising=False)
    install(Entry("toy", TOY))
    shown(said("bench.seed=1"))


def test_files_beside_the_configuration(experiment: Path, capsys: Any) -> None:
    for text in ("\n\n\n1 / 0", "x = 1", "class Mine:\n    step = 1"):
        (experiment.parent / "mine.py").write_text(text)
        assert command.main(["check", str(experiment), "bench.inline=['mine.py']"]) == 1
        shown(capsys.readouterr().err.strip().removeprefix("toy.toml: [bench]: "))


def test_plugins_that_are_broken(install: Any) -> None:
    misspelt, plain = plugin(), plugin()
    misspelt.snnk_neuron = hookimpl(lambda: [])  # type: ignore[attr-defined]
    plain.snnk_neurons = lambda: []  # type: ignore[attr-defined]
    for load in (
        broken,
        lambda: misspelt,
        lambda: plain,
        lambda: plugin(neuron=["IFNode"]),
        lambda: plugin(neuron=[Kind("Step", Step), Kind("Step", Step)]),
        lambda: plugin(neuron=[Kind("IFNode", int)]),
    ):
        install(Entry("bad", load))
        shown(Registry.discover().plugins[0].fault)
    install(Entry("new", TOY, "1.2", ("snn-kernel>=9",)))
    shown(Registry.discover().plugins[0].fault)


def test_a_wrong_command_line_ends_with_2() -> None:
    done = subprocess.run([sys.executable, "-m", "snnk", "rnu"], capture_output=True, check=False)
    assert done.returncode == command.FAILED
