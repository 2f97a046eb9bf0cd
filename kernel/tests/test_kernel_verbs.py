"""What plugins do wrong when their verbs are called is told as theirs, and hurts nobody else."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen

from said import Said, told
from snn_kernel import DataError, Kind, Measure, Outcome, Samples, hookimpl
from snn_kernel.hookspecs import SLOTS
from snn_kernel.kinds import VERBS
from snn_kernel.registry import Registry
from snnk.toml import literal
from toys import TOY, Backwards, Count, Entry, Layered, Listen, Mirror, Page, Points, Shift, plugin


def fails(error: BaseException) -> Any:
    def verb(*_: Any) -> None:
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "said"), [(SystemExit(0), "SystemExit: 0"), (SystemExit("bye"), "SystemExit: bye")]
)
def test_a_plugin_that_exits_ends_no_run_well(
    snnk: Said, monkeypatch: Any, error: SystemExit, said: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Count, "apply", fails(error))
        status, _, err = snnk("run", "toy.toml")
    whose = "[postprocessing.0] (postprocessing 'Count' from toy 1.2)"
    assert (status, err.splitlines()[-1]) == (2, f"{whose}: apply ends with {said}")
    assert f"Count one_r1: {whose}: apply ends with {said}" in snnk("show", "last")[1]
    monkeypatch.setattr(Layered, "build", fails(error))
    status, _, err = snnk("run", "toy.toml")
    hint = "a plugin ends the program; --traceback shows where"
    assert (status, err.splitlines()[-1]) == (2, f"unexpected {said} ({hint})")
    assert "failed" in snnk("runs")[1]


def test_an_observer_that_exits_changes_nothing(snnk: Said, monkeypatch: Any) -> None:
    module = types.ModuleType("leaver")
    module.snnk_step_started = hookimpl(lambda step: fails(SystemExit(0))())  # type: ignore[attr-defined]
    registry = Registry.discover().manager
    registry.register(module)
    status, _, err = snnk("run", "toy.toml")
    registry.unregister(module)
    assert status == 0
    assert "an observer of snnk_step_started failed: SystemExit(0)" in err


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), SystemExit(0), AttributeError("oh")])
def test_a_check_that_fails_is_a_fault_beside_the_others(
    snnk: Said, monkeypatch: Any, error: BaseException
) -> None:
    monkeypatch.setattr(Count, "check", fails(error), raising=False)
    wrong = "toy.toml: [postprocessing.0] (postprocessing 'Count' from toy 1.2): its check failed: "
    status, _, err = snnk("check", "toy.toml")
    assert (status, err) == (1, f"{wrong}{type(error).__name__}: {error}\n")
    _, _, err = snnk("check", "toy.toml", "model.0.epochs=-1")
    assert "'epochs' must be >= 0" in err
    assert (wrong in err) == (not isinstance(error, AttributeError))  # which misses what is wrong


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), KeyError("oh"), SystemExit(0)])
def test_a_validator_that_fails_is_a_fault_of_its_kind(
    snnk: Said, install: Any, error: BaseException
) -> None:
    @frozen
    class Early(Count):
        a: int = field(default=1, validator=fails(error))

    late = frozen(type("Late", (Count,), {"__attrs_post_init__": fails(error)}))
    kinds = [Kind("Early", Early), Kind("Late", late)]
    install(Entry("bad", plugin(postprocessing=kinds)), Entry("toy", TOY))
    for change in ({"kind": "Early", "params": {"a": 2}}, {"kind": "Late"}):
        asked = f"postprocessing.0={literal(change)}"
        status, _, err = snnk("check", "toy.toml", asked)
        whose = f"(postprocessing '{change['kind']}' from bad 1.2)"
        said = f"toy.toml: [postprocessing.0.params] {whose}: {type(error).__name__}: {error}\n"
        assert (status, err) == (1, said)


@pytest.mark.parametrize(("answer", "faults"), [("no", 1), (None, 0), (["no", "never"], 2)])
def test_what_a_check_may_answer(snnk: Said, monkeypatch: Any, answer: Any, faults: int) -> None:
    monkeypatch.setattr(Layered, "check", lambda *_: answer)
    status, _, err = snnk("check", "toy.toml")
    assert (status, len(err.splitlines())) == (min(faults, 1), faults)


@pytest.mark.parametrize(
    ("kind", "verb", "returned", "said"),
    [
        (Points, "load", None, "(dataset 'Points' from toy 1.2): load returned NoneType"),
        (Shift, "apply", 3, "(preprocessing 'Shift' from toy 1.2): apply returned int, not Splits"),
        (Count, "apply", {}, "(postprocessing 'Count' from toy 1.2): apply returned dict, not Out"),
        (
            Mirror,
            "deploy",
            None,
            "(deployer 'Mirror' from toy 1.2): deploy returned NoneType, not ",
        ),
    ],
)
def test_a_verb_that_returns_something_else_is_named(
    snnk: Said, monkeypatch: Any, kind: type, verb: str, returned: Any, said: str
) -> None:
    monkeypatch.setattr(kind, verb, lambda *_: returned)
    status, _, err = snnk("run", "toy.toml")
    assert status == 2
    assert said in err.splitlines()[-1]
    assert "✗ " in err


def test_measures_may_be_a_list(snnk: Said, monkeypatch: Any) -> None:
    listed = Outcome([Measure("more", 1, "", "counted", "run", "Count")])  # type: ignore[arg-type]
    monkeypatch.setattr(Count, "apply", lambda *_: listed)
    (run,) = told(snnk, "run", "toy.toml")["runs"]
    assert "more" in {m["name"] for m in run["measures"]}


@pytest.mark.parametrize("value", ["seven", None, [1], np.float32(1)])
def test_a_measure_is_a_number(value: Any) -> None:
    with pytest.raises(DataError, match=r"measure 'm' is .*, no number of Python's"):
        Measure("m", value, "", "counted", "run", "x")


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (lambda *_: None, "write returned NoneType, not dict"),
        (fails(OSError("no room")), "OSError: no room"),
        (fails(SystemExit(0)), "write ends with SystemExit: 0"),
    ],
)
def test_a_report_that_fails_hides_no_result(
    snnk: Said, install: Any, verb: Any, said: str
) -> None:
    bad = frozen(type("Bad", (), {"write": verb}))
    install(Entry("bad", plugin(report=[Kind("Bad", bad)])), Entry("toy", TOY))
    status, out, err = snnk("run", "toy.toml", "--json", "made.json")
    assert status == 2
    assert "accuracy" in out
    assert "agreement with Mirror: 0 of 160" in out
    assert "page.txt" in out
    assert err.splitlines()[-1] == f"[report] (report 'Bad' from bad 1.2): {said}"
    assert json.loads(Path("made.json").read_text())["runs"]
    assert "failed" in snnk("runs")[1]
    shown = snnk("show", "last")[1]
    assert said in shown
    assert "accuracy" in shown


def test_a_class_without_its_verb_is_refused_when_planning(
    snnk: Said, install: Any, capsys: Any
) -> None:
    idle = Kind("Idle", frozen(type("Idle", (), {})))
    install(Entry("idle", plugin(**{slot: [idle] for slot in SLOTS})), Entry("toy", TOY))
    for slot, verb in VERBS.items():
        offer = Registry.discover().find(slot, "Idle")
        assert Registry.discover().obstacle(offer) == f"its class has no method {verb}"
    status, _, err = snnk("check", "toy.toml", "postprocessing.0.kind=Idle")
    whose = "[postprocessing.0] (postprocessing 'Idle' from idle 1.2)"
    assert (status, err) == (1, f"toy.toml: {whose}: its class has no method apply\n")
    assert snnk("run", "toy.toml")[0] == 0  # its report is installed, and hurts nobody
    assert snnk("doctor")[0] == 2


def test_every_slot_has_a_verb_and_the_hooks_tell_it() -> None:
    from snn_kernel import hookspecs

    assert VERBS.keys() == SLOTS.keys()
    for slot, hook in SLOTS.items():
        assert (getattr(hookspecs, hook).__doc__ or "").startswith(f"`{VERBS[slot].split()[0]}(")


class Undecorated:
    def snnk_step_started(self, step: str) -> None: ...


class Misspelt:
    @hookimpl
    def snnk_step_start(self, step: str) -> None: ...


class Another:
    @hookimpl
    def snnk_run_planned(self) -> None: ...

    @hookimpl
    def snnk_step_started(self, stp: str) -> None: ...


@pytest.mark.parametrize(
    ("observer", "said"),
    [
        (Undecorated(), "snnk_step_started lacks the decorator @hookimpl"),
        (Misspelt(), "there is no hook 'snnk_step_start' (did you mean 'snnk_step_started'?)"),
        (Another(), "{'stp'} are declared in the hookimpl but can not be found in the hookspec"),
        (None, "NoneType has no hook of an observer"),
    ],
)
def test_an_observer_with_wrong_hooks_is_refused_before_anything_runs(
    snnk: Said, monkeypatch: Any, observer: Any, said: str
) -> None:
    monkeypatch.setattr(Listen, "observe", lambda *_: observer)
    before = Registry.discover().manager.get_plugins()
    status, _, err = snnk("run", "toy.toml")
    assert status == 2
    assert "✓" not in err
    (line,) = err.splitlines()
    assert line.startswith("[experimenttracking] (tracker 'Listen' from toy 1.2): ")
    assert said in line
    assert Registry.discover().manager.get_plugins() == before


@frozen
class Broken:
    """A catalogue that cannot be read."""

    def kinds(self, slot: str) -> Any:
        raise RuntimeError("the library is gone")


@frozen
class Unlisted:
    """A catalogue whose names cannot be listed."""

    def kinds(self, slot: str) -> Any:
        return 3


def test_a_broken_catalogue_hurts_nobody_and_doctor_tells(snnk: Said, install: Any) -> None:
    kinds = [Kind("Broken", Broken), Kind("Unlisted", Unlisted)]
    install(Entry("shelf", plugin(catalogue=kinds)), Entry("toy", TOY))
    status, _, err = snnk("check", "toy.toml", "model.0.params.neuron.kind=Stp")
    assert status == 1
    assert "unknown neuron 'Stp' (did you mean 'Step'?)" in err
    assert "no kind 'Stp' (did you mean 'Step'?)" in snnk("kinds", "Stp")[2]
    status, out, _ = snnk("doctor")
    assert status == 2
    whose = "catalogue 'Broken' from shelf 1.2: its dataset kinds cannot be listed"
    assert f"{whose} (RuntimeError: the library is gone)" in out
    assert "catalogue 'Unlisted' from shelf 1.2: its dataset kinds cannot be listed (Type" in out


def test_without_a_plugin_its_observers_are_silent_too(snnk: Said, install: Any) -> None:
    heard: list[str] = []
    module = types.ModuleType("ears")

    @hookimpl
    def snnk_step_started(step: str) -> None:
        heard.append(step)

    module.snnk_step_started = snnk_step_started  # type: ignore[attr-defined]
    install(Entry("ears", module), Entry("toy", TOY))
    assert snnk("run", "toy.toml", "bench.without=['ears']")[0] == 0
    assert heard == []
    assert snnk("run", "toy.toml")[0] == 0
    assert "dataset" in heard


@pytest.mark.parametrize("layout", ["NCHW", "ABCD", "", "NTHW"])
def test_samples_have_a_known_layout(layout: Any) -> None:
    x = np.zeros((1,) * len(layout), np.float32)
    with pytest.raises(DataError, match=f"layout '{layout}' is none of NC, NLC, NHWC, NTC"):
        Samples(x, np.zeros(1, np.int64), layout)


def test_without_evaluate_postprocessings_find_the_network_and_nothing_is_scored(
    snnk: Said, monkeypatch: Any
) -> None:
    found: list[Any] = []

    def apply(_: Any, processed: Any, *__: Any) -> Outcome:
        found.append(processed)
        return Outcome()

    monkeypatch.setattr(Count, "apply", apply)
    (run,) = told(snnk, "run", "toy.toml", "model.0.evaluate=false")["runs"]
    assert found[0].network is not None
    assert found[0].activity
    assert not {m["name"] for m in run["measures"]} & {"accuracy", "logits"}
    assert run["agreement"]["differing"] == 0


def test_a_launcher_may_lie_beside_the_file(snnk: Said) -> None:
    Path("mine.py").write_text(
        "from attrs import frozen\nfrom snn_kernel import Kind, hookimpl\n"
        "@frozen\nclass One:\n    def launch(self, carry, jobs):\n        return map(carry, jobs)\n"
        "@hookimpl\ndef snnk_launchers():\n    return [Kind('One', One)]\n"
    )
    assert snnk("run", "toy.toml", "--launcher", "One")[0] == 1
    assert snnk("run", "toy.toml", "--launcher", "One", "bench.inline=['mine.py']")[0] == 0


def test_a_launcher_that_brings_nothing_back_is_named(snnk: Said, monkeypatch: Any) -> None:
    monkeypatch.setattr(Backwards, "launch", lambda *_: None)
    status, _, err = snnk("run", "toy.toml", "--launcher", "Backwards")
    said = "--launcher (launcher 'Backwards' from toy 1.2): launch returned NoneType, not Iterable"
    assert (status, err.splitlines()[-1]) == (2, said)


def test_one_plugin_with_two_kinds_of_one_name_is_at_fault(install: Any) -> None:
    install(Entry("dup", plugin(report=[Kind("Page", Page), Kind("Page", Page)])))
    assert Registry.discover().plugins[0].fault == "snnk_reports returned two kinds 'Page'"


def test_doctor_tells_kinds_that_are_offered_twice(snnk: Said, install: Any) -> None:
    install(Entry("rival", plugin(dataset=[Kind("Points", Points)])), Entry("toy", TOY))
    status, out, _ = snnk("doctor")
    assert status == 0
    assert "dataset 'Points': by rival and toy ([bench] without = [...] chooses)" in out


def test_a_new_kind_has_a_name_of_its_own(snnk: Said) -> None:
    for name in ("points", "Digits"):
        status, _, err = snnk("new", "dataset", name)
        assert status == 1
        assert f"there is a dataset '{name.title()}' already, in " in err
        assert f"(call it my-{name.lower()})" in err
    assert snnk("new", "dataset", "MyPoints")[0] == 0
    assert "class MyPoints:" in Path("mypoints/mypoints.py").read_text()


@pytest.mark.parametrize("until", ["preprocess", "train", "deploy"])
def test_resume_goes_on_where_until_stopped(snnk: Said, until: str) -> None:
    assert snnk("run", "toy.toml", "--until", until)[0] == 0
    status, _, err = snnk("run", "toy.toml", "--resume")
    assert status == 0
    assert "nothing to resume" not in err
    assert len(list(Path("out/toy").iterdir())) == 1
    assert "nothing to resume" in snnk("run", "toy.toml", "--resume")[2]
