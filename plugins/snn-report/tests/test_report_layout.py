"""The page in a browser: on a phone, what is wide scrolls by itself, and the page does not."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from attrs import evolve

from snn_kernel import Report
from snn_report.page import HTML

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), "")
OPTIONS = "--headless --no-sandbox --disable-gpu --disable-web-security --virtual-time-budget=5000"
ASK = """<script>addEventListener("load", () => {
const page = document.documentElement;
parent.document.title += `${page.scrollWidth} of ${page.clientWidth}, `;
})</script></body>"""
WIDTHS = (390, 1280)  # px: a phone, a screen
LONG = "scnn_if_soft_reset_with_a_very_long_name_that_goes_on_and_on_for_the_report"


def renamed(report: Report, model: str) -> Report:
    """With files in folders of that name, as a run makes them."""
    runs = []
    for one in report.runs:
        folder = report.folder / f"{model}_r{one.run}"
        files = {name: folder / path.name for name, path in one.files.items()}
        processed = evolve(one.processed, name=model)
        runs.append(evolve(one, model=model, processed=processed, folder=folder, files=files))
    return evolve(report, runs=tuple(runs))


@pytest.mark.skipif(not BROWSER, reason="no chromium is installed")
def test_a_page_is_no_wider_than_the_screen(whole: Report, several: Report, tmp_path: Path) -> None:
    """In frames, since no window of a browser is as narrow as a phone."""
    frames = []
    for i, model in enumerate(("scnn", LONG, LONG.replace("_", ""))):
        for j, report in enumerate((whole, several)):
            text = HTML().render(renamed(report, model), tmp_path).replace("</body>", ASK)
            (tmp_path / f"{i}{j}.html").write_text(text.replace("default-src 'none'", ""), "utf-8")
            for width in WIDTHS:
                style = f"width:{width}px;height:900px;border:0"
                frames.append(f'<iframe src="{i}{j}.html" style="{style}"></iframe>')
    (tmp_path / "all.html").write_text(f"<title>found: </title><body>{''.join(frames)}", "utf-8")
    command = [BROWSER, *OPTIONS.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, (tmp_path / "all.html").as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    said = re.search("<title>(.*?)</title>", done.stdout)
    assert said, done.stderr
    found = [(int(a), int(b)) for a, b in re.findall(r"(\d+) of (\d+)", said[1])]
    assert len(found) == len(frames)
    assert [(needed, there) for needed, there in found if needed > there] == []
