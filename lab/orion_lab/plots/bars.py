"""Bars of one figure per policy, with a second one as a whisker: a box for each group. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from orion_lab.plots.svg import nice

_WIDE, _ROW, _NAME, _GAP = 470.0, 15.0, 158.0, 34.0
_OURS, _OTHERS = "#0072b2", "#b9c2cb"
_FONT: Final = "font-family='Helvetica, Arial, sans-serif' font-size='11'"


@dataclass(frozen=True, slots=True)
class Bar:
    """One policy: the bar ends at `value`, the whisker at `far`."""

    name: str
    value: float
    far: float
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """One group."""

    title: str
    bars: Sequence[Bar]


def bars(title: str, boxes: Sequence[Box]) -> str:
    """An SVG file's text: two boxes side by side, each on its own scale."""
    parts, y, x = [_text(12, 18, title, size=14)], 34.0, 0.0
    tall = 0.0
    for index, box in enumerate(boxes):
        x = (index % 2) * _WIDE
        if index and not index % 2:
            y, tall = y + tall, 0.0
        parts += _box(box, x, y)
        tall = max(tall, len(box.bars) * _ROW + _GAP + 18)
    high = y + tall
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {2 * _WIDE:.0f} {high:.0f}' "
        f"width='{2 * _WIDE:.0f}' height='{high:.0f}' {_FONT}>"
        "<rect width='100%' height='100%' fill='white'/>"
    )
    return "\n".join([head, *parts, "</svg>\n"])


def _box(box: Box, x: float, y: float) -> list[str]:
    left, right, top = x + _NAME, x + _WIDE - 24, y + 18
    most = max(bar.far for bar in box.bars)
    step = nice(most / 5)
    scale = (right - left) / most
    bottom = top + len(box.bars) * _ROW
    parts = [_text(x + 12, y + 12, box.title, size=12)]
    for number in range(int(most / step + 1e-9) + 1):
        at = left + number * step * scale
        parts.append(_rule(at, top, at, bottom + 3, "#e4e4e4"))
        parts.append(_text(at, bottom + 15, f"{number * step:g}", "middle"))
    for row, bar in enumerate(box.bars):
        middle = top + row * _ROW + _ROW / 2
        colour = _OURS if bar.ours else _OTHERS
        parts += [
            _text(left - 6, middle + 4, bar.name, "end"),
            f"<rect x='{left:.1f}' y='{middle - 5:.1f}' width='{bar.value * scale:.1f}' "
            f"height='10' fill='{colour}'/>",
            _rule(left + bar.value * scale, middle, left + bar.far * scale, middle, "#555"),
            _rule(left + bar.far * scale, middle - 4, left + bar.far * scale, middle + 4, "#555"),
        ]
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size}' fill='#222'>"
        f"{escape(text)}</text>"
    )


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}'/>"
