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

_ROWS_MAX = 24  # a longer table is for its CSV file and the report


class Watch:
    """Observes a run: a bar while a step goes on, a line when it is done."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[facts]}"),
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
    console = Console(highlight=False)
    for run in report.runs:
        console.print(f"\n[bold]{run.model}[/bold], run {run.run}")
        console.print(_measures(run))
        if run.agreement and run.agreement.differing:
            console.print(Text(f"first difference: {run.agreement.first}", "red"))
        for table in run.tables:
            console.print(_table(table))
    for name, path in (report.files or {"folder": report.folder}).items():
        console.print(f"{name}  ", Text(str(path), style="underline"), sep="", soft_wrap=True)


def _measures(run: ModelReport) -> Grid:
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    columns: tuple[JustifyMethod, ...] = ("left", "right", "left", "left")
    for justify in columns:
        grid.add_column(justify=justify)
    for measure in run.measures:
        grid.add_row(measure.name, *_value(measure), f"{measure.how}, {measure.source}")
    if run.agreement:
        a = run.agreement
        style = "red" if a.differing else "green"
        what = f"differ, of {a.compared:,} spikes and logits"
        grid.add_row("agreement", Text(f"{a.differing:,}", style), Text(what, style), "")
    return grid


def _value(measure: Measure) -> tuple[str, str]:
    if measure.name == "accuracy":
        return f"{100 * measure.value:.2f}", "%"
    value = (
        f"{measure.value:,.0f}" if float(measure.value).is_integer() else f"{measure.value:,.4g}"
    )
    return value, measure.unit + (f" per {measure.per}" if measure.per != "run" else "")


def _table(table: Table) -> Grid | str:
    if len(table.rows) > _ROWS_MAX:
        return f"{table.name}: {len(table.rows)} rows, see {table.name}.csv"
    unit = f" ({table.unit})" if table.unit else ""
    grid = Grid(title=table.name + unit, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    numeric = [
        all(isinstance(r[i], int | float) for r in table.rows) for i in range(len(table.columns))
    ]
    for name, right in zip(table.columns, numeric, strict=True):
        grid.add_column(name, justify="right" if right else "left")
    for row in table.rows:
        grid.add_row(*(f"{v:,.4g}" if type(v) is float else str(v) for v in row))
    return grid
