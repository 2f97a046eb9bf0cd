"""Whatever is put in the place of whatever a file says, planning ends in a plan or in faults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from snn_kernel import ConfigError
from snn_kernel.plan import plan
from snnk.document import read

ROOT = Path(__file__).parents[2]
FILES = sorted((*(ROOT / "examples").glob("*.toml"), *Path(__file__).parent.glob("*/*.toml")))
ABSENT = ("model_template", "report", "bench.inline", "bench.without", "deploy.deployer", "model.7")
VALUES = (
    *("0", "-1", "2.5", "true", "'x'", "'..'", "''", "nan", "inf", "1" + 30 * "0"),
    *("[]", "[1]", "['a']", "[[1]]", "[{}]", "{}", "{kind = 3}", "{kind = 'IFNode'}"),
    *("{kind = 'SCNN', params = 3}", "{a = {b = 1}}"),
)


def paths(table: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Every place in a document, as an override names it."""
    rows = table.items() if isinstance(table, dict) else enumerate(table)
    for key, value in rows if isinstance(table, dict | list) else ():
        here = (*above, str(key))
        yield ".".join(here)
        yield from paths(value, here) if isinstance(value, dict | list) else ()


PLACES = [(file, path) for file in FILES for path in paths(tomllib.loads(file.read_text("utf-8")))]
PLACES += [(file, path) for file in FILES[:1] for path in ABSENT]


@settings(max_examples=300)
@given(st.sampled_from(PLACES), st.sampled_from(VALUES))
@example((FILES[0], "deploy"), "{target = 'ZigEngine', deployer = 3}")
@example((FILES[0], "deploy"), "{deployer = {kind = 'Linux', params = 3}, quantize = ['int8']}")
def test_a_wrong_value_is_a_fault_with_a_place(place: tuple[Path, str], value: str) -> None:
    (file, path), faults = place, ()
    try:
        plan(read(file, [f"{path}={value}"]), file.name)
    except ConfigError as error:
        faults = error.faults
    assert all(fault.where and fault.what for fault in faults)
