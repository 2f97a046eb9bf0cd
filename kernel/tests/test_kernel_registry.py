"""A broken plugin is a fault of its own and of nobody else."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from snn_kernel import Kind, __version__, configure, hookimpl
from snn_kernel.errors import ConfigError
from snn_kernel.plan import plan
from snn_kernel.registry import Registry, homes
from snnk.document import read
from toys import TOY, Entry, Points, Shift, plugin


def broken() -> Any:
    raise ImportError("libfoo.so is gone")


def exits() -> Any:
    raise SystemExit(3)


def misspelt() -> Any:
    module = types.ModuleType("m")
    module.snnk_neuron = hookimpl(lambda: [])  # type: ignore[attr-defined]
    return module


def undecorated() -> Any:
    module = types.ModuleType("m")
    module.snnk_neurons = lambda: []  # type: ignore[attr-defined]
    return module


@frozen
class Untyped:
    """A class that names a type which nobody imported."""

    field: Nowhere = None  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (broken, "ImportError: libfoo.so is gone"),
        (exits, "SystemExit: 3"),
        (misspelt, "there is no hook 'snnk_neuron' (did you mean 'snnk_neurons'?)"),
        (undecorated, "snnk_neurons lacks the decorator @hookimpl"),
        (lambda: plugin(neuron=["IFNode"]), "returned 'IFNode', not a Kind"),
        (lambda: plugin(neuron=[Kind("IFNode", int)]), "is <class 'int'>, not an attrs class"),
        (lambda: plugin(neuron=None), "'NoneType' object is not iterable"),
    ],
)
def test_a_broken_plugin_hurts_nobody(
    experiment: Path, install: Any, load: Any, reason: str
) -> None:
    install(Entry("snn-bad", load), Entry("toy", TOY))
    registry = Registry.discover()
    assert reason in {p.name: p.fault for p in registry.plugins}["snn-bad"]
    assert plan(read(experiment)).bench.name == "toy"
    with pytest.raises(ConfigError, match="plugin 'snn-bad' is broken"):
        plan(read(experiment, ["bench.plugins=['snn-bad']"]))


@pytest.mark.parametrize(
    "requires",
    [
        ("snn-kernel>=9",),
        ("attrs", "snn-kernel (>=9,<10)"),
        ("snn-kernel>=9; python_version >= '3'",),
        ("Snn_Kernel>=9",),
    ],
)
def test_a_plugin_for_a_newer_kernel_is_a_fault_and_not_imported(
    experiment: Path, install: Any, requires: tuple[str, ...]
) -> None:
    install(Entry("snn-new", lambda: pytest.fail("it is imported"), "1.2", requires))
    (plugin,) = Registry.discover().plugins
    assert plugin.fault.startswith("it needs snn-kernel")
    assert f"not {__version__} (pip install 'snn-kernel" in plugin.fault
    assert Registry.discover().offers == ()
    install(Entry("snn-new", broken, "1.2", requires), Entry("toy", TOY))
    assert plan(read(experiment)).bench.name == "toy"


@pytest.mark.parametrize(
    "requires",
    [
        ("snn-kernel>=0.1,<0.2",),
        ("snn-kernel",),
        ("snn-kernel>=9; extra == 'new'",),
        ("snn-kernel-tools>=9", "numpy>=99", "old (no sense)"),
    ],
)
def test_a_plugin_for_this_kernel_is_loaded(install: Any, requires: tuple[str, ...]) -> None:
    install(Entry("toy", TOY, "1.2", requires))
    (plugin,) = Registry.discover().plugins
    assert plugin.fault == ""


def test_a_requirement_of_the_kernel_that_makes_no_sense_is_a_fault(install: Any) -> None:
    install(Entry("snn-odd", TOY, "1.2", ("snn-kernel >>> 9",)), Entry("toy", TOY))
    assert [p.name for p in Registry.discover().plugins if p.fault] == ["snn-odd"]


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ("snn-toy", ""),
        ("Snn_Toy", ""),
        ("snn-toy>=1.0", ""),
        ("snn_toy==1.*", ""),
        ("snn-toy>=2", "plugin 'snn-toy' has version 1.2, not >=2 (pip install 'snn-toy>=2')"),
        ("snn-toy<1.2", "plugin 'snn-toy' has version 1.2, not <1.2 (pip install 'snn-toy<1.2')"),
        ("snn-tot>=1", "plugin 'snn-tot' is not installed (did you mean 'snn-toy'?)"),
        ("snn_energy>=1", "plugin 'snn_energy' is not installed (pip install 'snn_energy>=1')"),
        ("brian>=2", "plugin 'brian' is not installed (known: snn-toy)"),
        ("snn-toy>=", "plugin 'snn-toy>=' is no requirement (write 'snn-neurons-lif>=0.2')"),
        ("snn-toy 1.2", "plugin 'snn-toy 1.2' is no requirement (write 'snn-neurons-lif>=0.2')"),
        ("", "plugin '' is no requirement (write 'snn-neurons-lif>=0.2')"),
        ("qualia_plugin_snn>=3", ""),
    ],
)
def test_required_plugins_may_have_versions(
    experiment: Path, install: Any, wanted: str, fault: str
) -> None:
    install(Entry("snn-toy", TOY))
    document = read(experiment)
    document["bench"]["plugins"] = [wanted]
    if not fault:
        assert plan(document).bench.plugins == (wanted,)
        return
    with pytest.raises(ConfigError) as caught:
        plan(document, "x.toml")
    assert list(map(str, caught.value.faults)) == [f"x.toml: [bench]: {fault}"]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (Untyped, "NameError: name 'Nowhere' is not defined"),
        ("no_such_module:Shift", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("toys:Shifted", "AttributeError: module 'toys' has no attribute 'Shifted'"),
        ("toys:json", "not an attrs class"),
        ("toys Shift", "ValueError: invalid format: 'toys Shift'"),
    ],
)
def test_a_broken_class_hurts_only_whoever_uses_it(
    experiment: Path, install: Any, config: Any, reason: str
) -> None:
    install(Entry("snn-bad", plugin(preprocessing=[Kind("Bad", config)])), Entry("toy", TOY))
    registry = Registry.discover()
    assert not any(p.fault for p in registry.plugins)
    assert plan(read(experiment)).bench.name == "toy"
    assert reason in registry.obstacle(registry.find("preprocessing", "Bad"))
    with pytest.raises(ConfigError) as caught:
        plan(read(experiment, ["preprocessing.0.kind=Bad"]))
    (fault,) = caught.value.faults
    assert (fault.where, fault.whose) == (
        "[preprocessing.0]",
        "preprocessing 'Bad' from snn-bad 1.2",
    )
    assert fault.what.startswith("its class cannot be used (")
    assert reason in fault.what


def test_a_named_class_is_imported_when_it_is_used(install: Any) -> None:
    install(Entry("late", plugin(preprocessing=[Kind("Late", "toys:Shift")])))
    assert configure("preprocessing", "Late", {"by": 2}) == Shift(2.0)


def test_a_kind_of_a_broken_plugin_of_ours_names_the_reason(install: Any) -> None:
    install(Entry("snn-datasets", broken))
    with pytest.raises(ConfigError, match=r"snn-datasets is broken: ImportError: libfoo"):
        Registry.discover().find("dataset", "Digits")


def test_a_kind_offered_twice_names_both_and_can_be_chosen(experiment: Path, install: Any) -> None:
    install(Entry("rival", plugin(dataset=[Kind("Points", Shift)])), Entry("toy", TOY))
    with pytest.raises(ConfigError) as caught:
        plan(read(experiment))
    (fault,) = caught.value.faults
    assert "'Points' is offered by rival and toy" in fault.what
    assert fault.hint == "choose with [bench] without = ['rival'] or ['toy']"
    assert plan(read(experiment, ["bench.without=['rival']"])).dataset.config == Points()


@frozen
class Library:
    """A catalogue of one preprocessing."""

    def kinds(self, slot: str) -> Any:
        return {"Moved": Kind("Moved", Shift)} if slot == "preprocessing" else {}


def test_a_catalogue_is_asked_for_what_nobody_lists(install: Any) -> None:
    library = plugin(catalogue=[Kind("Library", Library)])
    install(Entry("shelf", library, "3.1"), Entry("toy", TOY))
    registry = Registry.discover()
    offer = registry.find("preprocessing", "Moved")
    assert (str(offer), offer.kind.config) == ("preprocessing 'Moved' from shelf 3.1", Shift)
    assert configure("preprocessing", "Moved", {"by": 2}) == Shift(2.0)
    assert registry.find("preprocessing", "Shift").plugin == "toy"
    with pytest.raises(ConfigError, match="unknown dataset 'Moved'"):
        registry.find("dataset", "Moved")
    with pytest.raises(ConfigError, match=r"'Movd' \(did you mean 'Moved'\?\)"):
        registry.find("preprocessing", "Movd")
    with pytest.raises(ConfigError, match="unknown preprocessing 'Moved'"):
        registry.without(["shelf"]).find("preprocessing", "Moved")


def test_listed_kinds_come_before_catalogued_ones(install: Any) -> None:
    listed = plugin(preprocessing=[Kind("Moved", Points)])
    library = plugin(catalogue=[Kind("Library", Library)])
    install(Entry("shelf", library), Entry("listed", listed))
    assert Registry.discover().find("preprocessing", "Moved").plugin == "listed"


def test_two_catalogues_with_one_name_are_both_named(install: Any) -> None:
    library = plugin(catalogue=[Kind("Library", Library)])
    install(Entry("rival", library), Entry("shelf", library))
    with pytest.raises(ConfigError, match=r"'Moved' is offered by rival and shelf \(choose with"):
        Registry.discover().find("preprocessing", "Moved")


def test_a_catalogue_that_lacks_its_library_is_empty(install: Any) -> None:
    library = plugin(catalogue=[Kind("Library", Library, needs=("no_such_module",))])
    install(Entry("shelf", library), Entry("toy", TOY))
    with pytest.raises(ConfigError, match="unknown preprocessing 'Moved'"):
        Registry.discover().find("preprocessing", "Moved")


def test_missing_modules_are_named_with_their_mend(experiment: Path, install: Any) -> None:
    needs = ("json.decoder", "no_such_module.inner:no-such-dist")
    needy = plugin(dataset=[Kind("Points", Points, needs=needs)])
    install(Entry("needy", needy), Entry("toy", TOY))
    with pytest.raises(ConfigError, match=r"missing \(pip install no-such-dist\)"):
        plan(read(experiment, ["bench.without=['toy']"]))


def test_the_documented_plugin_name_stands_for_our_set(experiment: Path) -> None:
    assert plan(read(experiment, ["bench.plugins=['qualia_plugin_snn']"])).bench.plugins


def test_configure(toy: None) -> None:
    assert configure("preprocessing", "Shift", {"by": 2}).by == 2.0
    with pytest.raises(ConfigError, match=r"unknown key 'bye' \(did you mean 'by'\?\)"):
        configure("preprocessing", "Shift", {"bye": 2})


def test_homes_are_what_is_offered() -> None:
    """Without toys: whatever of ours is installed offers just what homes.toml says it does."""
    Registry.discover.cache_clear()
    registry = Registry.discover()
    for home in {p.name for p in registry.plugins} & homes().keys():
        offered = {(o.slot, o.kind.name) for o in registry.offers if o.plugin == home}
        assert offered == {(s, n) for s, names in homes()[home].items() for n in names}, home
