"""Estimated and counted figures side by side."""

from __future__ import annotations

from collections.abc import Mapping

from snn_kernel import Table


def sides(
    name: str, unit: str, estimated: Mapping[str, float], counted: Mapping[str, float], source: str
) -> Table:
    """Table `name`: every row that either has anything in, in `unit`, and estimated over counted,
    above 1 where the equations overcount, None where nothing was counted."""
    columns = ("name", f"estimated_{unit}", f"counted_{unit}", "ratio")
    pairs = {row: (estimated.get(row, 0.0), counted[row]) for row in counted}
    rows = tuple((row, e, c, e / c if c else None) for row, (e, c) in pairs.items() if e or c)
    return Table(name, columns, rows, source=source, brief=columns)
