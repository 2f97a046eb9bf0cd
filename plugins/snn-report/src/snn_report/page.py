"""The report HTML: one page that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen, validators

if TYPE_CHECKING:
    from jinja2 import Environment

    from snn_kernel import Context, Report

FILE = "report.html"


@frozen
class HTML:
    """`report.html` in the run folder: every model and run on one page, without scripts and without
    anything from elsewhere, for screens light and dark and for paper.

    sample: test sample whose spikes the raster shows, counted from 0; default 0
    title: heading of the page; default the name of the experiment
    """

    sample: int = field(default=0, validator=validators.ge(0))
    title: str = ""

    def write(self, report: Report, context: Context) -> dict[str, Path]:
        """Write the page into `context.folder`; returns {"report.html": its path}."""
        from snn_kernel import write_atomic

        path = context.folder / FILE
        write_atomic(path, self.render(report, context.folder))
        return {FILE: path}

    def render(self, report: Report, folder: Path) -> str:
        """The page as text; its links to files are relative to `folder`."""
        from snn_report import __version__
        from snn_report.chapter import chapter
        from snn_report.document import lines
        from snn_report.overview import overview

        order = {r.model: i for i, r in reversed(list(enumerate(report.runs)))}
        runs = sorted(report.runs, key=lambda r: order[r.model])  # by model, then as they ran
        chapters = [chapter(r, f"run-{i}", self.sample, folder) for i, r in enumerate(runs)]
        return (
            _environment()
            .get_template("report.html")
            .render(
                title=self.title or report.name,
                report=report,
                version=__version__,
                chapters=chapters,
                overview=overview(chapters),
                configuration=lines(report.document),
            )
        )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from snn_report import number

    environment = Environment(
        loader=PackageLoader("snn_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number.number, "percent": number.percent, "px": number.px}
    return environment
