"""What this plugin offers: the report HTML."""

from __future__ import annotations

from snn_kernel import Kind, hookimpl
from snn_report.page import HTML


@hookimpl
def snnk_reports() -> list[Kind]:
    return [Kind("HTML", HTML, needs=("jinja2",))]
