"""What this plugin offers: the report HTML."""

from __future__ import annotations

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_reports() -> list[Kind]:
    return [Kind("HTML", "snn_report.page:HTML", needs=("jinja2",))]
