"""`snnk kinds`: a list, one kind in full, a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from attrs import field, frozen, validators

import snn_kernel
from snn_kernel import Kind, chosen
from snn_kernel.registry import Registry, homes
from snnk import kinds
from snnk.command import main
from snnk.keys import keys
from toys import TOY, Entry, Points, plugin

ROOT = Path(snn_kernel.__file__).parents[3]
PAGE = ROOT / "docs" / "config.md"


@frozen
class Inner:
    """A table.

    depth: how deep.
    """

    depth: float = 0.5


@frozen
class Rich:
    """Every sort of key.

    It has more to say. note: this is prose.

    count, more: how many,
        1 or more.
    mode: a | b.
    """

    count: int = field(validator=validators.ge(1))
    more: int = field(default=2, validator=[validators.gt(0), validators.le(9)])
    mode: Literal["a", "b"] = field(default="a", validator=validators.in_(("a", "b")))
    name: str = field(default="x", validator=validators.matches_re("[a-z]+"))
    some: tuple[int, ...] = field(
        default=(1, 2), validator=validators.deep_iterable(validators.lt(5))
    )
    limit: float | None = field(default=None, validator=validators.optional(validators.ge(0)))
    device: str = field(default="cpu", validator=validators.in_(("cpu", "gpu")))
    inner: Inner = field(factory=Inner)
    neuron: Any = chosen("neuron", default=None)
    on: bool = True
    hidden: int = field(default=3, init=False)
    slots_of: ClassVar[int] = 3

    def build(self) -> None: ...


RICH = """model 'Rich' from rich 1.2

Every sort of key.

It has more to say. note: this is prose.

count, more: how many,
    1 or more.
mode: a | b.

  count: an integer, ≥ 1, required
  more: an integer, > 0, ≤ 9, default 2
  mode: one of 'a', 'b', default "a"
  name: a string, matching [a-z]+, default "x"
  some: a list, each an integer, each < 5, default [1, 2]
  limit: a number, ≥ 0, default none
  device: a string, one of "cpu", "gpu", default "cpu"
  inner: a table, default its own
  inner.depth: a number, default 0.5
  neuron: a table {kind, params} of a neuron, default none
  on: true or false, default true

needs: numpy, json-dist

runs if it is there: sh, node
"""


@pytest.fixture
def rich(install: Any) -> None:
    needs, programs = ("numpy", "json:json-dist"), ("sh", "node:node")
    install(Entry("rich", plugin(model=[Kind("Rich", Rich, needs, programs)])), Entry("toy", TOY))


def test_one_kind_in_full(rich: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kinds", "Rich"]) == 0
    assert capsys.readouterr().out == RICH


def test_a_kind_as_part_of_the_page(rich: None) -> None:
    text = "\n".join(kinds.page(Registry.discover()))
    _, _, part = text.partition("### model `Rich`")
    part, _, _ = part.partition("## [[post")
    assert "from rich\n\nEvery sort of key.\n\nIt has more to say. note: this is prose.\n" in part
    assert "| `count` | an integer | required | ≥ 1 | how many, 1 or more. |" in part
    assert "| `more` | an integer | 2 | > 0, ≤ 9 | how many, 1 or more. |" in part
    assert "| `mode` | one of 'a', 'b' | \"a\" |  | a \\| b. |" in part
    assert "| `inner.depth` | a number | 0.5 |  | how deep. |" in part
    assert "\nneeds: numpy, json-dist\n" in part
    sections = re.findall(r"^## \[+(\w+)\]+$", text, re.M)
    flow = ["bench", "dataset", "preprocessing", "data_augmentation", "learningframework", "model"]
    assert sections == [*flow, "postprocessing", "deploy", "experimenttracking", "report"]
    for section in ("Neurons", "Launchers", "Catalogues"):
        assert f"\n## {section}: " in text


def test_a_kind_that_cannot_be_used_is_on_the_page_with_the_reason(
    install: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    install(Entry("bad", plugin(neuron=[Kind("Gone", "no_such_module:Gone")])), Entry("toy", TOY))
    assert main(["kinds"]) == 0
    assert re.search(r"^neuron +Gone +bad 1.2$", capsys.readouterr().out, re.M)
    assert main(["kinds", "--markdown"]) == 0
    reason = "its class cannot be used (ModuleNotFoundError: No module named 'no_such_module')"
    assert reason in capsys.readouterr().out
    assert main(["kinds", "Gone"]) == 1
    assert capsys.readouterr().err == f"(neuron 'Gone' from bad 1.2): {reason}\n"


def test_kinds_of_one_name_are_all_shown(install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install(Entry("rival", plugin(dataset=[Kind("Shift", Points)])), Entry("toy", TOY))
    assert main(["kinds", "Shift"]) == 0
    out = capsys.readouterr().out
    assert "dataset 'Shift' from rival 1.2" in out
    assert "preprocessing 'Shift' from toy 1.2" in out


def test_without_plugins(install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install()
    assert main(["kinds"]) == 0
    assert "no plugin is installed (pip install snn-kernel[all]" in capsys.readouterr().out
    assert main(["kinds", "--markdown"]) == 0
    assert "No installed plugin offers a dataset." in capsys.readouterr().out


@pytest.fixture
def ours() -> list[Any]:
    """What is installed of ours, if all of it is."""
    Registry.discover.cache_clear()
    registry = Registry.discover()
    if absent := homes().keys() - {p.name for p in registry.plugins}:
        pytest.skip(f"the page shows all plugins of ours; not installed: {', '.join(absent)}")
    if others := {p.name for p in registry.plugins} - homes().keys():
        pytest.skip(f"the page shows the plugins of ours alone; installed: {', '.join(others)}")
    return list(registry.offers)


def test_the_page_is_what_the_command_writes(
    ours: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kinds", "--markdown"]) == 0
    if capsys.readouterr().out != PAGE.read_text("utf-8"):
        pytest.fail("docs/config.md is not what is offered: snnk kinds --markdown > docs/config.md")


def test_every_key_of_ours_is_explained(ours: list[Any]) -> None:
    silent = {
        f"{o.kind.name}.{key.name}"
        for o in ours
        for key in keys(o.kind.config)
        if not key.meaning and "." not in key.name  # what is within a table it tells itself
    }
    assert silent == set()
