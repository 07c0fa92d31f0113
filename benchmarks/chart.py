"""Numbers of gateways, side by side: ratios to one of them, as an SVG chart and as Markdown.

A ratio is how many times better a gateway is than the reference: less of a cost, more of a yield.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

ROW, GAP, LEFT, PLOT, RIGHT, TOP = 20, 18, 110, 420, 60, 64
# Mid tones, which stand out from a white page and from a black one.
COLOURS = ("#8a8f98", "#d9822b", "#2f8fd8", "#4ca64c", "#b05cc6")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.faint{fill:#6e7781}"
    "line{stroke:#8a8f98}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.faint{fill:#9aa4af}}"
)


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that was measured; `values` are by gateway, in the unit."""

    name: str
    unit: str
    values: Mapping[str, float]
    less_is_better: bool = True

    def ratio(self, gateway: str, reference: str) -> float:
        """Return how many times better than the reference a gateway is."""
        theirs, ours = self.values[reference], self.values[gateway]
        return theirs / ours if self.less_is_better else ours / theirs


def to_svg(measures: Sequence[Measure], gateways: Sequence[str], reference: str) -> str:
    """Draw a bar for each measure and gateway, from the reference's 1 on a logarithmic axis."""
    ratios = [each.ratio(name, reference) for each in measures for name in gateways]
    low, high = min(1.0, *ratios), max(2.0, *ratios)
    scale = PLOT / math.log(high / low)

    def x(ratio: float) -> float:
        return LEFT + math.log(ratio / low) * scale

    block = GAP + 8 + ROW * len(gateways) + GAP
    width, height = LEFT + PLOT + RIGHT, TOP + block * len(measures)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>Times better than {escape(reference)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="12" y="24">Times better than {escape(reference)}</text>',
        '<text class="faint" x="12" y="44">Longer is better; logarithmic; '
        f"the line is {escape(reference)} = 1</text>",
    ]
    for index, measure in enumerate(measures):
        y = TOP + block * index
        parts.append(f'<text class="title" x="12" y="{y + GAP}">{escape(measure.name)}</text>')
        for row, name in enumerate(gateways):
            ratio = measure.ratio(name, reference)
            top = y + GAP + 8 + row * ROW
            parts += _bar(name, ratio, top, x(1), x(ratio), COLOURS[row % len(COLOURS)])
        top, bottom = y + GAP + 8, y + GAP + 8 + ROW * len(gateways)
        parts.append(f'<line x1="{x(1):.1f}" x2="{x(1):.1f}" y1="{top}" y2="{bottom}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(name: str, ratio: float, top: float, one: float, end: float, colour: str) -> list[str]:
    left, width = min(one, end), max(abs(end - one), 2)
    return [
        f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{left:.1f}" y="{top + 3}" width="{width:.1f}" height="{ROW - 6}" rx="2" '
        f'fill="{colour}"/>',
        f'<text x="{max(one, end) + 6:.1f}" y="{top + 14}">{ratio:.3g}x</text>',
    ]


def to_markdown(measures: Sequence[Measure], gateways: Sequence[str], reference: str) -> str:
    """Return a table: each value in its unit, and in brackets how many times better it is."""
    head = ["measure", *gateways]
    rows = [head, ["---"] * len(head)]
    for each in measures:
        cells = [
            f"{_readable(each.values[name])} ({each.ratio(name, reference):.3g}x)"
            for name in gateways
        ]
        rows.append([f"{each.name} ({each.unit})", *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _readable(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
