"""Where the energy of one inference goes, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from snn_kernel import Table
from snn_report.bars import Bars, Row, bars
from snn_report.number import THIN, is_number, number, percent

WIDTHS = (520, 1060)  # px; a chart of few layers is narrow
NARROW_MAX = 6  # layers
PARTS = {
    "mem_pot": "membrane potentials",
    "mem_weights": "weights",
    "mem_bias": "biases",
    "mem_io": "input and output",
    "ops": "operations",
    "addr": "addressing",
}
NANO: Mapping[str, float] = {"pJ": 1e-3, "nJ": 1.0, "uJ": 1e3, "µJ": 1e3, "mJ": 1e6, "J": 1e9}


@frozen
class Energy:
    """The chart of an energy table, its total in nJ, and what takes the greatest part of it."""

    name: str
    source: str
    chart: Bars
    total_nj: float
    greatest: str

    @property
    def title(self) -> str:
        """What it is, with what the name of its table says beside energy."""
        more = self.name.removeprefix("energy").replace("_", " ").strip()
        return f"Energy per layer, {more}" if more else "Energy per layer"

    @property
    def narrow(self) -> bool:
        return self.chart.width == WIDTHS[0]


def energy(table: Table) -> Energy | None:
    """None unless `table` is one of energies: named so, with the columns `name` and `total`."""
    factor = NANO.get(table.unit or "pJ")
    if (
        not table.name.startswith("energy")
        or not {"name", "total"} <= {*table.columns}
        or not factor
    ):
        return None
    known = [part for part in PARTS if part in table.columns] or ["total"]
    rows, total = [], 0.0
    for cells in table.rows:
        layer = dict(zip(table.columns, cells, strict=False))
        name = str(layer.get("name"))
        if name.casefold() != "total":
            values = tuple(_nano(layer.get(part), factor) for part in known)
            whole = _nano(layer.get("total"), factor)
            titles = (
                f"{name}, {_said(p)}: {number(v)}{THIN}nJ"
                for p, v in zip(known, values, strict=True)
            )
            rows.append(Row(name, values, tuple(titles), number(whole)))
            total += whole
    if not rows:
        return None
    rows = [row for row in rows if any(row.values)] or rows  # pooling and the like cost nothing
    chart = bars(
        "energy per sample (nJ)",
        rows,
        WIDTHS[len(rows) > NARROW_MAX],
        legend=[_said(part) for part in known],
        summary="; ".join(f"{row.name} {row.value} nJ" for row in rows),
    )
    return Energy(table.name, table.source, chart, total, _greatest(known, rows, total))


def _nano(cell: Any, factor: float) -> float:
    return float(cell) * factor if is_number(cell) else 0.0


def _said(part: str) -> str:
    return PARTS.get(part, part)


def _greatest(known: Sequence[str], rows: Sequence[Row], total: float) -> str:
    if len(known) < 2 or not total > 0 or not math.isfinite(total):
        return ""
    sums = [sum(row.values[i] for row in rows) for i in range(len(known))]
    most = max(sums)
    return f"{percent(most / total)} of it for {_said(known[sums.index(most)])}"
