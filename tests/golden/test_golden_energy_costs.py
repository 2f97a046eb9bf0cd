"""Elementary costs of energy against the recorded ones, every one of them.

What may differ follows from the kind of estimate; each test prints how many values it compared.
"""

import json
import math
from collections import Counter
from typing import get_args

import pytest
from golden_records import GOLDEN

from snn_energy.elementary import Sram, access_pj, operation_pj

RECORD = GOLDEN / "energy_elementary.json"

pytestmark = pytest.mark.skipif(not RECORD.exists(), reason=f"no energy_elementary in {GOLDEN}")


def near(ours, record, tolerance=1e-9):
    return math.isclose(ours, record, rel_tol=tolerance)


def test_memory_accesses():
    seen = Counter()
    for sram, bits, elements, energy in json.loads(RECORD.read_text())["e_ram"]:
        if sram not in (None, *get_args(Sram)):
            seen["an undocumented type, which ours refuses when it reads the file"] += 1
            continue
        assert near(access_pj(elements, bits, sram or "old"), energy)
        seen["equal"] += 1
    print(dict(seen))
    assert seen["equal"] > 0


def elementary(operation, kind, bits, record):
    """How ours relates to one recorded cost of an operation."""
    if kind == "saturation" and isinstance(record, str | None):
        with pytest.raises(ValueError, match="wider than 32 bits"):
            operation_pj(operation, kind, bits)
        return "an error in both"
    if record < 0:
        with pytest.raises(ValueError, match="gives 'mul' an energy of -"):
            operation_pj(operation, kind, bits)
        return "negative in the record, an error in ours"
    ours = operation_pj(operation, kind or "ICONIP", bits)
    if kind == "quadratic":
        assert near(ours, record, 1e-6)  # the record solved it in float32
        return "equal in single precision"
    if kind is None and not near(ours, record):
        assert near(operation_pj(operation, "saturation", bits), record)
        return "omitted type: the record takes the value of this width, ours ICONIP's"
    assert near(ours, record)
    return "equal"


def test_operations():
    seen = Counter()
    for kinds, bits, *record in json.loads(RECORD.read_text())["op"]:
        # an error stands where the first cost should, whichever of the two raised it
        failed = isinstance(record[0], str)
        for operation, cost in zip(("add", "mul"), record, strict=True):
            kind = kinds[operation] if kinds else None
            if failed and kind != "saturation":
                seen["not recorded, the other operation failed"] += 1
                continue
            seen[elementary(operation, kind, bits, cost)] += 1
    print(dict(seen))
    assert seen["equal"] > 0
