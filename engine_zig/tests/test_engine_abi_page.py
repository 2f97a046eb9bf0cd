"""docs/engine_abi.md says what the code does: functions, messages, codes and limits.

    python engine_zig/tests/test_engine_abi_page.py

writes the table of limits anew.
"""

import re
from pathlib import Path

import engine_corpus
import msgpack
import pytest

from snn_engine.library import Handle

ROOT = Path(__file__).parents[1]
PAGE = ROOT.parent / "docs" / "engine_abi.md"
HEADER = ROOT / "include" / "snn_engine.h"

pytestmark = pytest.mark.skipif(
    not PAGE.exists(), reason="the page is not part of this copy of the sources"
)


def page():
    return PAGE.read_text("utf-8")


def source(name):
    return (ROOT / "src" / f"{name}.zig").read_text("utf-8")


def enum(name, room):
    """The names of an enum of the engine."""
    body = re.search(rf"const {name} = enum(?:\(\w+\))? \{{(.*?)\}};", source(room), re.DOTALL)[1]
    return [n for n in re.findall(r"^\s*(?:///.*)?|(\w+)[ ,=]", body, re.MULTILINE) if n]


def section(title):
    """What stands under a heading."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,3}} |\Z)", page(), re.M | re.S)
    assert found, title
    return found[2]


def keys(shown):
    """The outer keys of a map that the page shows."""
    while (inner := re.sub(r"(?<!^)\{[^{}]*\}", "", shown)) != shown:
        shown = inner
    return sorted(re.findall(r'"(\w+)":', shown))


def maps(op):
    """The keys of the request and of the reply of `op`, as its section shows them."""
    shown = re.findall(r"^    (.*(?:\n     .*)*)", section(op), re.MULTILINE)
    both = [part.strip() for line in shown for part in line.split("→")]
    request = next(m for m in both if m.startswith(f'{{"op": "{op}"'))
    reply = next(m for m in both if m.startswith('{"ok": true'))
    return keys(request), keys(reply)


def limits():
    """Name, value and reason of every limit."""
    rows, reason = [], []
    for line in source("limits").splitlines():
        if line.startswith("///"):
            reason.append(line.removeprefix("///").strip())
        elif found := re.fullmatch(r"pub const (\w+): \w+ = ([-\d_ ()<>+*]+);", line):
            rows.append((found[1], eval(found[2], {}), " ".join(reason)))
        elif not line:
            reason = []
    assert len(rows) == source("limits").count("pub const")
    return rows


def table():
    rows = [f"| `{name}` | {value:,} | {reason} |" for name, value, reason in limits()]
    return "\n".join(["| limit | value | what, and why |", "|---|---|---|", *rows])


def test_functions_are_those_of_the_header():
    declared = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    found = re.findall(r"^\w[\w ]* \*?snn_\w+\([^;]*\);", declared, re.MULTILINE)
    assert len(found) == 5
    for function in found:
        assert f"| `{' '.join(function.rstrip(';').split())}` |" in page()


def test_results_are_those_of_the_header():
    for name, number in re.findall(r"SNN_([A-Z_]+) = (\d+)", HEADER.read_text()):
        assert f"{number} ({name.lower().replace('_', ' ')}" in " ".join(page().split())


def test_every_request_has_its_section():
    assert set(re.findall(r"^### (\w+)$", section_of_messages(), re.MULTILINE)) == {
        *enum("Operation", "engine")
    }


def section_of_messages():
    return page().split("## Messages")[1].split("### When a request is refused")[0]


def test_every_code_has_its_row():
    rows = re.findall(r"^\| `(\w+)` \|", section("When a request is refused"), re.MULTILINE)
    assert sorted(rows) == sorted(enum("Code", "failure"))


def test_names_of_processors_and_orders_are_told():
    for name in enum("Level", "cpu") + enum("Order", "execution"):
        assert f"`{name}`" in section("load")


def test_limits_are_those_of_the_code():
    assert table() in page(), "python engine_zig/tests/test_engine_abi_page.py writes them anew"


@pytest.fixture
def ask():
    handle = Handle()
    yield lambda message: msgpack.unpackb(handle.call(msgpack.packb(message)))
    handle.close()


EVENT = {"kind": "event"}
DOCUMENT = msgpack.unpackb(engine_corpus.sequential().pack())
REQUESTS = {
    "load": {"network": DOCUMENT, "cpu": "baseline", "execution": EVENT},
    "unload": {},
    "run": {"samples": 1, "threads": 1, "spikes": True, "frames": bytes(64)},
    "events": {"records": bytes(16), "t0_us": 0, "sorted": True, "monitor": ["n"]},
    "samples": {"records": bytes(16), "offsets": bytes(8) + b"\1" + bytes(7), "threads": 1},
    "state": {"layer": "n"},
    "counters": {},
    "reset": {},
}
REQUESTS["run"] |= {"counters": True, "raw": True}
REQUESTS["samples"]["sorted"] = True


@pytest.mark.parametrize("op", list(REQUESTS))
def test_keys_are_those_that_the_engine_takes_and_gives(ask, op):
    """All keys of the page at once are granted, nothing else is known, and what the page does not
    call optional is missed."""
    request, reply = maps(op)
    optional = re.findall(r"`(\w+)`[^`]{0,20}\(optional", section(op))
    asked = {"op": op, **REQUESTS[op]}
    assert request == sorted(asked)

    def prepare():
        ask({"op": "unload"})
        if op != "load":
            execution = {"kind": "clocked"} if op == "run" else EVENT
            ask({"op": "load", "network": DOCUMENT, "execution": execution})

    prepare()
    answer = ask(asked)
    assert answer["ok"], answer
    assert sorted(answer) == reply
    for key in asked:
        prepare()
        answer = ask({k: v for k, v in asked.items() if k != key})
        assert answer["ok"] == (key in optional), (key, answer)
        assert answer["ok"] or f"'{key}' is missing" in answer["error"]
    prepare()
    assert "'more' is not a known key" in ask({**asked, "more": 0})["error"]


if __name__ == "__main__":
    old = re.search(r"\| limit \|.*?\n(?=\n|\Z)", page(), re.DOTALL)[0]
    PAGE.write_text(page().replace(old, table() + "\n"), "utf-8")
