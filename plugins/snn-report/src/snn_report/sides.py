"""Two energies of every layer side by side: estimated and counted, or spiking and formal."""

from __future__ import annotations

from attrs import frozen

from snn_kernel import Table
from snn_report.bars import Bars, Row, bars
from snn_report.energy import NARROW_MAX, WIDTHS
from snn_report.number import THIN, is_number, number

UNIT = "_nj"
COLUMNS = 4  # name, an energy, another one, the first over the second


@frozen
class Sides:
    """The chart of a table of two energies and their ratio, and what it says in all."""

    names: tuple[str, str]
    source: str
    chart: Bars
    total: str

    @property
    def narrow(self) -> bool:
        return self.chart.width == WIDTHS[0]


def sides(table: Table) -> Sides | None:
    """None unless the columns of `table` are a name, two energies in nJ and their ratio."""
    if len(table.columns) != COLUMNS:
        return None
    name, one, other, ratio = table.columns
    if (name, ratio) != ("name", "ratio") or not (one.endswith(UNIT) and other.endswith(UNIT)):
        return None
    names = one.removesuffix(UNIT), other.removesuffix(UNIT)
    rows, total = [], ""
    for cells in table.rows:
        layer, first, second, share = (*cells, *[None] * COLUMNS)[:COLUMNS]
        if not (is_number(first) and is_number(second)):
            continue
        about = f", ratio {number(share)}" if is_number(share) else ""
        if str(layer).casefold() == "total":
            total = (
                f"{names[0].capitalize()} {number(first)}{THIN}nJ per sample, {names[1]} "
                f"{number(second)}{THIN}nJ{about}"
            )
            continue
        titles = [
            f"{layer}, {said}: {number(v)}{THIN}nJ"
            for said, v in zip(names, (first, second), strict=True)
        ]
        rows.append(Row(str(layer), (first, 0), (titles[0], ""), number(first)))
        rows.append(Row("", (0, second), ("", titles[1]), f"{number(second)}{about}"))
    if not rows:
        return None
    chart = bars(
        "energy per sample (nJ)",
        rows,
        WIDTHS[len(rows) > 2 * NARROW_MAX],
        legend=names,
        summary="; ".join(title for row in rows for title in row.titles if title),
    )
    return Sides(names, table.source, chart, total)
