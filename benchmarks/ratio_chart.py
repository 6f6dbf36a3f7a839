"""A chart of ratios as SVG: a bar for each, on a logarithmic scale, with the spread of its rounds.

It is checked in and shown on light and dark pages, so it has its own background.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _RIGHT = 860, 330, 96
_TOP, _ROW, _BAR, _BOTTOM = 84, 30, 16, 58
_INK, _SOFT, _GRID = "#1f2933", "#52606d", "#e4e7eb"
_AHEAD, _BEHIND = "#1769aa", "#b4540a"
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Bar:
    """One figure: how many times better, at the median, and in the worst and the best round."""

    label: str
    ratio: float
    low: float
    high: float
    note: str = ""


def draw(title: str, subtitle: str, bars: Sequence[Bar], footer: str) -> str:
    """The chart. Bars to the right of 1 are ahead, those to the left behind."""
    low = min(0.5, *(bar.low for bar in bars))
    high = max(2.0, *(bar.high for bar in bars))
    first = max((step for step in _STEPS if step <= low), default=_STEPS[0])
    last = min((step for step in _STEPS if step >= high), default=_STEPS[-1])
    span = math.log(last / first)

    def x(ratio: float) -> float:
        inside = min(max(ratio, first), last)
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log(inside / first) / span

    height = _TOP + _ROW * len(bars) + _BOTTOM
    bottom = _TOP + _ROW * len(bars)
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="14">',
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(20, 32, title, size=18, weight="600"),
        _text(20, 54, subtitle, fill=_SOFT),
    ]
    for step in (step for step in _STEPS if first <= step <= last):
        stroke = _SOFT if step == 1 else _GRID
        at = f"{x(step):.1f}"
        found.append(f'<line x1="{at}" y1="{_TOP - 6}" x2="{at}" y2="{bottom}" stroke="{stroke}"/>')
        found.append(
            _text(x(step), bottom + 18, f"{step:g}x", fill=_SOFT, anchor="middle", size=12)
        )
    for number, bar in enumerate(bars):
        found += _bar(bar, _TOP + _ROW * number, x)
    found.append(_text(20, height - 14, footer, fill=_SOFT, size=12))
    found.append("</svg>")
    return "\n".join(found) + "\n"


def _bar(bar: Bar, top: float, x: Callable[[float], float]) -> list[str]:
    start, end = sorted((x(1), x(bar.ratio)))
    middle = top + _BAR / 2
    color = _AHEAD if bar.ratio >= 1 else _BEHIND
    spread = f"{bar.label}: {bar.ratio:.2f} ({bar.low:.2f} to {bar.high:.2f}) {bar.note}".strip()
    return [
        f"<g><title>{escape(spread)}</title>",
        _text(_LEFT - 12, middle + 5, bar.label, anchor="end"),
        f'<rect x="{start:.1f}" y="{top}" width="{max(1.0, end - start):.1f}" height="{_BAR}"'
        f' rx="2" fill="{color}"/>',
        f'<line x1="{x(bar.low):.1f}" y1="{middle}" x2="{x(bar.high):.1f}" y2="{middle}"'
        f' stroke="{_INK}" stroke-width="2"/>',
        _text(max(end, x(bar.high)) + 8, middle + 5, f"{bar.ratio:.1f}x", weight="600"),
        "</g>",
    ]


def _text(
    x: float,
    y: float,
    words: str,
    *,
    fill: str = _INK,
    anchor: str = "start",
    size: int = 14,
    weight: str = "400",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" font-size="{size}"'
        f' font-weight="{weight}">{escape(words)}</text>'
    )
