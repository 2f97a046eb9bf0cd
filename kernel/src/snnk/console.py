"""What a run shows in the terminal: progress on standard error, results on standard output."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from snn_kernel.hookspecs import hookimpl
from snn_kernel.results import Measure, Report, Table
from snn_network import Agreement
from snnk.entry import Made
from snnk.figures import figure, first_samples, unit

_ROWS_MAX = 24  # the rest of a longer table is in its CSV file and in the report
_WIDTH_MAX = 1000  # columns of a pipe


class Watch:
    """Observes a run: a bar while a step goes on, a line when it is done."""

    def __init__(self) -> None:
        self.step = ""  # the one that is under way
        self._since = 0.0
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[facts]}", style="dim", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,  # else it ends files with empty lines
        )
        self._shown: dict[str, Any] = {}

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self._bar.stop()
        if error and self.step:
            seconds = time.perf_counter() - self._since
            self._console.print(_step(("✗ ", "red"), self.step, seconds))

    def warn(self, text: str) -> None:
        """A line that stays on the screen."""
        self._console.print(Text(f"warning: {text}", style="yellow"))

    @hookimpl
    def snnk_step_started(self, step: str) -> None:
        self.step, self._since = step, time.perf_counter()

    @hookimpl
    def snnk_progress(
        self, step: str, done: int, total: int, measures: Mapping[str, float]
    ) -> None:
        facts = "  ".join(f"{name} {value:.4g}" for name, value in measures.items())
        if step not in self._shown:
            self._shown[step] = self._bar.add_task(step, total=total, facts=facts)
        self._bar.update(self._shown[step], completed=done, total=total, facts=facts)

    @hookimpl
    def snnk_step_finished(self, step: str, seconds: float) -> None:
        for task in self._shown.values():
            self._bar.remove_task(task)
        self._shown.clear()
        self.step = ""
        self._console.print(_step(("✓ ", "green"), step, seconds))


def show(report: Report) -> None:
    """The results of a report on standard output."""
    console = screen()
    for run in report.runs:
        console.print(Text.assemble("\n", (run.model, "bold"), f", run {run.run}"))
        console.print(measures(run.measures, Made.of(run).limited))
        if run.agreement:
            console.print(agreement(run.agreement))
        for table in run.tables:
            if table.brief:
                console.print(_table(table))
    for name, path in (report.files or {"folder": report.folder}).items():
        console.print(f"{name}  ", Text(str(path), style="underline"), sep="", soft_wrap=True)


def screen() -> Console:
    """Standard output; what reads it through a pipe gets lines as long as they are."""
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    width = _WIDTH_MAX if piped else None
    return Console(highlight=False, markup=False, width=width)  # names may hold brackets


def measures(shown: Iterable[Measure], limited: Mapping[str, int], how: bool = False) -> Grid:
    """A line for each measure; what is over samples of a `limited` target says over how many. On
    demand with how it came about."""
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    columns: tuple[JustifyMethod, ...] = ("left", "right", "left", "left", "left")
    for justify in columns:
        grid.add_column(justify=justify)
    for m in shown:
        sampled = m.name == "accuracy" or m.per == "sample"
        few = first_samples(limited[m.source]) if sampled and m.source in limited else ""
        source = f"{m.source}, {few}" if few else m.source
        known = (m.how, source) if how else (source,)
        grid.add_row(m.name, figure(m, m.value), unit(m), *(Text(k, "dim") for k in known))
    return grid


def agreement(found: Agreement) -> Text:
    """What the comparison with a deployed network, or the integer law, came to."""
    title = f"agreement with {found.whom}" if found.whom else "agreement"
    what = f"{title}: {found.differing:,} of {found.compared:,} spikes and logits differ"
    if not found.differing:
        return Text(f"{what}\n", "green")
    return Text(f"{what}, the first at {found.first}\n", "red")


def _step(sign: tuple[str, str], step: str, seconds: float) -> Text:
    return Text.assemble(sign, step, (f"  {seconds:.1f} s", "dim"))


def _table(table: Table) -> Grid:
    unit, factor = ("nJ", 1e-3) if table.unit == "pJ" else (table.unit, 1)
    title = table.name if unit in ("", table.name) else f"{table.name} ({unit})"
    grid = Grid(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    indices = [table.columns.index(name) for name in table.brief]
    for name in table.brief:
        first = name == table.brief[0]
        grid.add_column(name, justify="left" if first else "right", no_wrap=True)
    for row in table.rows[:_ROWS_MAX]:
        grid.add_row(*(_cell(row[i], factor) for i in indices))
    if len(table.rows) > _ROWS_MAX:
        grid.caption = f"{len(table.rows) - _ROWS_MAX} more rows in {table.name}.csv"
    return grid


def _cell(value: Any, factor: float) -> str:
    if isinstance(value, bool | str) or value is None:
        return str(value)
    return f"{factor * value:,.0f}" if abs(factor * value) >= 1000 else f"{factor * value:.4g}"
