"""Documents become plans, or every fault in them becomes a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_kernel.errors import ConfigError, near
from snn_kernel.plan import plan
from snnk.document import merge, override, read
from toys import Count

TABLES = st.recursive(
    st.integers() | st.text("xyz", max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abcd"), TABLES, max_size=3)


def faults(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plan(read(path, overrides), path.name)
    return [str(f) for f in caught.value.faults]


def test_right_file(experiment: Path) -> None:
    made = plan(read(experiment), experiment.name)
    (model,) = made.models
    assert (model.name, model.epochs, model.batch_size) == ("one", 2, 32)
    assert model.choice.config.units == 3
    assert model.choice.config.neuron.threshold == 1.0
    assert made.preprocessings[0].config.by == 0.25
    kinds = ["Points", "Shift", "Toy", "Layered", "Count", "Mirror", "Listen"]
    assert [c.kind for c in made.choices()] == kinds


def test_six_mistakes_six_messages(experiment: Path) -> None:
    text = experiment.read_text()
    text = text.replace("seed = 5", "sed = 5").replace('"Points"', '"Point"')
    text = text.replace("params.by = 0.25", "params.by = '0.25'").replace("units = 3", "unit = 3")
    text = text.replace("epochs = 2", "epochs = -2") + "[experiment_tracking]\nkind = 'x'\n"
    experiment.write_text(text)
    assert set(faults(experiment)) == {
        "toy.toml: [bench]: unknown key 'sed' (did you mean 'seed'?)",
        "toy.toml: [dataset]: unknown dataset 'Point' (did you mean 'Points'?)",
        "toy.toml: [preprocessing.0.params] (preprocessing 'Shift' from toy 1.2): "
        "'by' must be a number, not '0.25'",
        "toy.toml: [model.0.params] (model 'Layered' from toy 1.2): "
        "unknown key 'unit' (did you mean 'units'?)",
        "toy.toml: [model.0.params] (model 'Layered' from toy 1.2): missing key 'units'",
        "toy.toml: [model.0]: 'epochs' must be >= 0: -2",
        "toy.toml: unknown section [experiment_tracking] (did you mean 'experimenttracking'?)",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.0.params.units=true", "'units' must be an integer, not True"),
        ("model.0.params.units=3.0", "'units' must be an integer, not 3.0"),
        ("model.0.params.mode=quick", "'mode' must be one of 'fast', 'slow', not 'quick'"),
        ("model.0.params.scales=[1, 'b']", "'scales.1' must be a number, not 'b'"),
        ("model.0.params.scales=2", "'scales' must be a list, each a number, not 2"),
        ("model.0.params.neuron=3", "must be a table {kind, params}"),
        ("model.0.params.neuron.kind=Stp", "unknown neuron 'Stp' (did you mean 'Step'?)"),
        ("model.0.params.neuron.params.threshold=-1", "'threshold' must be > 0: -1"),
        ("model.0.params.neuron.parms.a=1", "unknown key 'parms' (did you mean 'params'?)"),
        ("model.0.kind=1", "needs 'kind', a string"),
        ("model.0.name=a/b", "'name' fits no folder (printable, no / or \\, 200 bytes): 'a/b'"),
        ("bench.name=..", "'name' fits no folder (printable, no / or \\, 200 bytes): '..'"),
        ("bench.name=''", "200 bytes): ''"),
        ('bench.name="two\\nlines"', "'name' fits no folder (printable, no"),
        (f"model.0.name={'ü' * 101}", "'name' fits no folder (printable, no"),
        ("bench.seed=9223372036854775808", "'seed' must be < 9223372036854775808"),
        ("model.0.optimizer.kid=Adam", "unknown key 'kid' (did you mean 'kind'?)"),
        ("bench.last_run=0", "last_run 0 is before first_run 1"),
        ("bench.plugins=['snn-nothing']", "plugin 'snn-nothing' is not installed"),
        ("bench=3", "must be a table, not 3"),
        ("preprocessing=3", "is a list: write [[preprocessing]]"),
        ("model=3", "'model' is a list: write [[model]]"),
        ("deploy.limit=0", "'limit' must be >= 1: 0"),
        ("deploy.target=ZigEngine", "'ZigEngine' is not installed (pip install snn-deploy-engine)"),
        ("deploy={target='Mirror', deployer=3}", "[deploy.deployer]: must be a table {kind, par"),
        (
            "deploy={deployer={kind='Mirror', params=3}, quantize=['int8']}",
            "[deploy.deployer.params] (deployer 'Mirror' from toy 1.2): must be a table, not 3",
        ),
    ],
)
def test_each_mistake(experiment: Path, change: str, message: str) -> None:
    assert any(message in f for f in faults(experiment, change)), faults(experiment, change)


def test_a_target_names_a_deployer_whose_own_table_is_empty(experiment: Path) -> None:
    deploy = plan(read(experiment, ["deploy={target='Mirror', deployer={}}"])).deploy
    assert deploy is not None
    assert deploy.choice.kind == "Mirror"


def test_checks_of_the_whole_also_run_beside_other_faults(experiment: Path) -> None:
    changes = ("model.0.params.units=4", "learningframework.params.shy=true", "bench.sed=1")
    found = faults(experiment, *changes)
    assert any("three units at most" in f for f in found)
    assert any("unknown key 'sed'" in f for f in found)


def test_missing_sections_are_named(tmp_path: Path, toy: None) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("")
    missing = ("bench", "dataset", "learningframework", "model")
    assert sorted(faults(path)) == [f"empty.toml: section [{n}] is missing" for n in missing]


def test_two_models_of_one_name(experiment: Path) -> None:
    model = '[[model]]\nname = "one"\nparams.neuron.kind = "Step"\n'
    experiment.write_text(experiment.read_text() + model)
    assert any("models need names of their own: ['one']" in f for f in faults(experiment))


@pytest.mark.parametrize("text", ["[bench", "\xff", "a = 1\na = 2"])
def test_no_toml(tmp_path: Path, toy: None, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot be read"):
        read(path)


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "nothing.toml")


def test_dotted_keys_and_tables_are_the_same(experiment: Path) -> None:
    text = experiment.read_text()
    tables = text.replace(
        'params.neuron.kind = "Step"', '[model.params.neuron]\nkind = "Step"\n'
    ).replace("params.by = 0.25", "[preprocessing.params]\nby = 0.25")
    other = experiment.with_name("tables.toml")
    other.write_text(tables)
    assert read(other) == read(experiment)


@given(DOCUMENTS, DOCUMENTS)
def test_merge_keeps_all_of_the_model_and_fills_in_the_template(template: Any, own: Any) -> None:
    merged = merge(template, own)
    assert merged.keys() == template.keys() | own.keys()
    for key, value in merged.items():
        if key not in own:
            assert value == template[key]
        elif isinstance(own[key], dict) and isinstance(template.get(key), dict):
            assert value == merge(template[key], own[key])
        else:
            assert value == own[key]


def test_template_fills_models_and_lists_win_whole(experiment: Path) -> None:
    text = experiment.read_text().replace(
        "params.units = 3", "params.units = 3\nparams.scales=[1,2]"
    )
    experiment.write_text(text.replace('name = "one"', 'name = "one"\nparams.scales = [7]'))
    assert read(experiment)["model"][0]["params"]["scales"] == [7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=3", {"a": {"b": 3}, "l": [{"x": 1}]}),
        ("--l.0.x=4.5", {"a": {}, "l": [{"x": 4.5}]}),
        ("l.0.y=true", {"a": {}, "l": [{"x": 1, "y": True}]}),
        ("a.path=/data/m=n", {"a": {"path": "/data/m=n"}, "l": [{"x": 1}]}),
        ("a.q='x'", {"a": {"q": "x"}, "l": [{"x": 1}]}),
    ],
)
def test_override(text: str, expected: Any) -> None:
    document: dict[str, Any] = {"a": {}, "l": [{"x": 1}]}
    override(document, text)
    assert document == expected


@pytest.mark.parametrize("text", ["l.1.x=3", "l.x=3", "a", "l.0.x.y=1"])
def test_override_that_leads_nowhere(text: str) -> None:
    with pytest.raises(ConfigError, match="command line"):
        override({"a": {}, "l": [{"x": 1}]}, text)


def test_override_of_the_template_reaches_the_models(experiment: Path) -> None:
    assert read(experiment, ["model_template.epochs=9"])["model"][0]["epochs"] == 9


def test_override_of_one_model_leaves_the_others_alone(tmp_path: Path) -> None:
    """Whatever they have of the template, at any depth."""
    path = tmp_path / "two.toml"
    path.write_text(
        "[model_template]\nparams.units = [3]\noptimizer.params.lr = 0.1\n"
        '[[model]]\nname = "a"\n[[model]]\nname = "b"\nparams.own = 1\n'
    )
    changes = ("params.units.0=4", "optimizer.params.lr=0.5", "optimizer.kind=SGD")
    found = read(path, [f"model.1.{change}" for change in changes])["model"]
    params = {"units": [3]}, {"units": [4], "own": 1}
    assert [model["params"] for model in found] == list(params)
    assert found[0]["optimizer"] == {"params": {"lr": 0.1}}
    assert found[1]["optimizer"] == {"params": {"lr": 0.5}, "kind": "SGD"}


def test_a_template_that_is_no_table_is_not_passed_over(experiment: Path) -> None:
    for change in ("model_template=3", "model_template=[{epochs=1}]"):
        with pytest.raises(
            ConfigError, match=r"toy.toml: \[model_template\]: must be a table, not"
        ):
            read(experiment, [change])


def test_near() -> None:
    assert near("v_treshold", ["tau", "v_threshold"]) == "did you mean 'v_threshold'?"
    assert near("lifnode", ["LIFNode"]) == "did you mean 'LIFNode'?"
    assert near("zzz", ["b", "a"]) == "known: a, b"
    assert near("zzz", []) == ""


def test_an_update_that_no_postprocessing_reads_is_a_fault(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = "model.0.update={factor=3, other=1}"
    (found,) = faults(experiment, change)
    assert "reads model 'one': update.factor, model 'one': update.other" in found
    monkeypatch.setattr(Count, "updates", ("factor",), raising=False)
    (found,) = faults(experiment, change)
    assert "no [[postprocessing]] reads model 'one': update.other" in found
    assert plan(read(experiment, ["model.0.update.factor=3"]))
