"""The figure of a sweep: for each width a map of rate × timesteps, green where spiking wins."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from snn_energy.points import Point

CELL, HIGH = (64, 30)  # px
LEFT, TOP, BOTTOM, GAP = 74, 74, 46, 34
GOOD, BAD, EVEN = (28, 107, 65), (168, 40, 31), (255, 255, 255)
DEEPEST = math.log(8)  # a factor of 8, either way, has the deepest colour
NARROWEST = 520  # px: the title has room
DARK = 0.55  # beyond this depth, text is white
STYLE = "text{font:12px system-ui,sans-serif;fill:#1c2126}.soft{fill:#59626b}.pale{fill:#fff}"


def chart(points: Sequence[Point], title: str) -> str:
    """SVG 1.1, as wide as there are widths and timesteps."""
    widths = sorted({p.bits for p in points})
    steps, rates = (sorted({getattr(p, n) for p in points}) for n in ("timesteps", "rate"))
    panel = LEFT + CELL * len(steps)
    size = max(GAP + (panel + GAP) * len(widths), NARROWEST), TOP + HIGH * len(rates) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" role="img">',
        f"<title>{escape(title)}: energy of the spiking network over its formal twin</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{size[0]}" height="{size[1]}" fill="#fff"/>',
        f'<text x="{GAP}" y="24"><tspan font-weight="600">{escape(title)}</tspan> '
        '<tspan class="soft">spiking / formal energy, below 1 spiking wins</tspan></text>',
    ]
    for i, bits in enumerate(widths):
        mine = {(p.rate, p.timesteps): p for p in points if p.bits == bits}
        parts += [
            f'<g transform="translate({GAP + i * (panel + GAP)} {TOP})">',
            *_frame(bits, steps, rates),
            *(
                _cell(mine[r, t], x, y)
                for y, r in enumerate(rates[::-1])
                for x, t in enumerate(steps)
            ),
            "</g>",
        ]
    return "\n".join([*parts, "</svg>", ""])


def _frame(bits: int, steps: Sequence[int], rates: Sequence[float]) -> Iterator[str]:
    middle, low = LEFT + CELL * len(steps) / 2, HIGH * len(rates)
    yield f'<text x="{middle}" y="-14" text-anchor="middle" font-weight="600">{bits} bits</text>'
    for y, rate in enumerate(rates[::-1]):
        at = f'x="{LEFT - 8}" y="{HIGH * y + HIGH / 2 + 4}"'
        yield f'<text {at} text-anchor="end">{rate:.4g}</text>'
    for x, step in enumerate(steps):
        at = f'x="{LEFT + CELL * x + CELL / 2}" y="{low + 18}"'
        yield f'<text {at} text-anchor="middle">{step}</text>'
    yield f'<text class="soft" x="{middle}" y="{low + 36}" text-anchor="middle">timesteps</text>'
    turn = f'transform="translate(14 {low / 2}) rotate(-90)"'
    yield f'<text class="soft" {turn} text-anchor="middle">spike rate</text>'


def _cell(point: Point, x: int, y: int) -> str:
    depth = min(1.0, abs(math.log(point.ratio)) / DEEPEST)
    deep = GOOD if point.ratio < 1 else BAD
    fill = "#" + "".join(
        f"{round(e + depth * (d - e)):02x}" for e, d in zip(EVEN, deep, strict=True)
    )
    left, top = LEFT + CELL * x, HIGH * y
    said = (
        f"rate {point.rate:g}, {point.timesteps} timesteps, {point.bits} bits: "
        f"{point.spiking_nj:.4g} nJ, formal {point.formal_nj:.4g} nJ"
    )
    pale = ' class="pale"' if depth > DARK else ""
    return (
        f'<g><rect x="{left}" y="{top}" width="{CELL - 1}" height="{HIGH - 1}" fill="{fill}">'
        f"<title>{said}</title></rect>"
        f'<text{pale} x="{left + CELL / 2}" y="{top + HIGH / 2 + 4}" text-anchor="middle">'
        f"{point.ratio:.3g}</text></g>"
    )
