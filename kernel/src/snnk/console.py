"""What a run shows in the terminal: progress on standard error, results on standard output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from snn_kernel.hookspecs import hookimpl
from snn_kernel.results import Measure, ModelReport, Report, Table
from snn_network import Agreement

_ROWS_MAX = 24  # the rest of a longer table is in its CSV file and in the report


class Watch:
    """Observes a run: a bar while a step goes on, a line when it is done."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[facts]}", style="dim", markup=False),
            console=self._console,
            transient=True,
        )
        self._shown: dict[str, Any] = {}

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def warn(self, text: str) -> None:
        """A line that stays on the screen."""
        self._console.print(Text(f"warning: {text}", style="yellow"))

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
        self._console.print(Text.assemble(("✓ ", "green"), step, (f"  {seconds:.1f} s", "dim")))


def show(report: Report) -> None:
    """The results of a report on standard output."""
    console = Console(highlight=False, markup=False)  # names may hold brackets
    for run in report.runs:
        console.print(Text.assemble("\n", (run.model, "bold"), f", run {run.run}"))
        console.print(_measures(run))
        if run.agreement:
            console.print(_agreement(run.agreement))
        for table in run.tables:
            if table.brief:
                console.print(_table(table))
    for name, path in (report.files or {"folder": report.folder}).items():
        console.print(f"{name}  ", Text(str(path), style="underline"), sep="", soft_wrap=True)


def _measures(run: ModelReport) -> Grid:
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    columns: tuple[JustifyMethod, ...] = ("left", "right", "left", "left")
    for justify in columns:
        grid.add_column(justify=justify)
    for measure in run.measures:
        grid.add_row(measure.name, *_value(measure), Text(measure.source, "dim"))
    return grid


def _agreement(found: Agreement) -> Text:
    what = f"{found.differing:,} of {found.compared:,} spikes and logits differ"
    if not found.differing:
        return Text(f"agreement: {what}\n", "green")
    return Text(f"agreement: {what}, the first at {found.first}\n", "red")


def _value(measure: Measure) -> tuple[str, str]:
    unit = measure.unit + (f"/{measure.per}" if measure.per != "run" else "")
    if measure.name == "accuracy":
        return f"{100 * measure.value:.2f}", "%"
    about = "≈ " if measure.how == "estimated" else ""
    whole = float(measure.value).is_integer() or abs(measure.value) >= 1000
    return f"{about}{measure.value:,.0f}" if whole else f"{about}{measure.value:.4g}", unit


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
