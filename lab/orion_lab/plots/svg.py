"""A small SVG writer: lines and strips over a common time axis, panels in columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10
from typing import Final
from xml.sax.saxutils import escape

# Told apart by people who do not tell red from green (Okabe and Ito).
PALETTE: Final = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000",
)  # fmt: skip
_LEFT, _RIGHT, _TOP, _BOTTOM = 92.0, 14.0, 26.0, 22.0
_LINES_HIGH, _STRIP_HIGH = 150.0, 13.0
_FONT: Final = "font-family='Helvetica, Arial, sans-serif' font-size='11'"


@dataclass(frozen=True, slots=True)
class Line:
    """One curve."""

    colour: str
    points: Sequence[tuple[float, float]]
    width: float = 1.3


@dataclass(frozen=True, slots=True)
class Lines:
    """A panel of curves; `marks` are horizontal lines with a word."""

    title: str
    lines: Sequence[Line]
    marks: Sequence[tuple[float, str]] = ()
    low: float | None = None
    high: float | None = None

    @property
    def tall(self) -> float:
        """Height of its plotting area."""
        return _LINES_HIGH


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of coloured spans: (from, to, colour)."""

    name: str
    spans: Sequence[tuple[float, float, str]]


@dataclass(frozen=True, slots=True)
class Strips:
    """A panel of rows."""

    title: str
    strips: Sequence[Strip]

    @property
    def tall(self) -> float:
        """Height of its plotting area."""
        return _STRIP_HIGH * len(self.strips)


Panel = Lines | Strips


@dataclass(frozen=True, slots=True)
class Picture:
    """Columns of panels over the same times, with one legend: (word, colour)."""

    title: str
    columns: Sequence[Sequence[Panel]]
    legend: Sequence[tuple[str, str]] = ()
    until: float = 1.0
    unit: str = "minutes"
    wide: float = 960.0
    _parts: list[str] = field(default_factory=list[str], repr=False)

    def svg(self) -> str:
        """The file's text."""
        self._parts.clear()
        wide = self.wide / len(self.columns)
        self._text(12, 18, self.title, size=14)
        top = 30.0 + self._legend()
        ends: list[float] = []
        for index, column in enumerate(self.columns):
            y = top
            for panel in column:
                self._panel(panel, index * wide, y, wide)
                y += _TOP + panel.tall + _BOTTOM
            self._text(index * wide + (wide + _LEFT) / 2, y + 4, self.unit, "middle")
            ends.append(y)
        high = max(ends) + 14
        head = (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {self.wide:.0f} {high:.0f}' "
            f"width='{self.wide:.0f}' height='{high:.0f}' {_FONT}>"
            "<rect width='100%' height='100%' fill='white'/>"
        )
        return "\n".join([head, *self._parts, "</svg>\n"])

    def _legend(self) -> float:
        x, y = 12.0, 34.0
        for word, colour in self.legend:
            needs = 28 + 6.2 * len(word)
            if x + needs > self.wide:
                x, y = 12.0, y + 16
            self._parts.append(
                f"<rect x='{x:.0f}' y='{y - 8:.0f}' width='14' height='8' fill='{colour}'/>"
            )
            self._text(x + 19, y, word)
            x += needs
        return y - 24 if self.legend else 0.0

    def _panel(self, panel: Panel, x: float, y: float, wide: float) -> None:
        left, top, right = x + _LEFT, y + _TOP, x + wide - _RIGHT
        self._text(x + 12, y + 14, panel.title, size=12)
        scale = (right - left) / self.until
        step = nice(self.until / 6)
        for number in range(int(self.until / step + 1e-9) + 1):
            at = left + number * step * scale
            self._rule(at, top, at, top + panel.tall)
            self._text(at, top + panel.tall + 13, f"{number * step:g}", "middle")
        if isinstance(panel, Lines):
            self._curves(panel, left, top, right, scale)
        else:
            self._rows(panel, left, top, scale)
        self._parts.append(
            f"<rect x='{left:.1f}' y='{top:.1f}' width='{right - left:.1f}' "
            f"height='{panel.tall:.1f}' fill='none' stroke='#888'/>"
        )

    def _curves(self, panel: Lines, left: float, top: float, right: float, scale: float) -> None:
        values = [y for line in panel.lines for _, y in line.points]
        values += [value for value, _ in panel.marks]
        low = min(values, default=0.0) if panel.low is None else panel.low
        high = max(values, default=1.0) if panel.high is None else panel.high
        step = nice(max(high - low, 1e-9) / 4)
        low, high = floor(low / step) * step, ceil(high / step) * step
        high = high if high > low else low + step
        bottom, each = top + panel.tall, panel.tall / (high - low)
        for number in range(round((high - low) / step) + 1):
            value = low + number * step
            at = bottom - (value - low) * each
            self._rule(left, at, right, at)
            self._text(left - 5, at + 4, f"{value:g}", "end")
        for value, word in panel.marks:
            at = bottom - (value - low) * each
            self._rule(left, at, right, at, "#b00", "4 3")
            if word:
                self._text(right - 3, at - 3, word, "end", colour="#b00")
        for line in panel.lines:
            path = " ".join(
                f"{left + x * scale:.1f},{bottom - (min(y, high) - low) * each:.1f}"
                for x, y in line.points
            )
            self._parts.append(
                f"<polyline points='{path}' fill='none' stroke='{line.colour}' "
                f"stroke-width='{line.width}' stroke-linejoin='round'/>"
            )

    def _rows(self, panel: Strips, left: float, top: float, scale: float) -> None:
        for row, strip in enumerate(panel.strips):
            y = top + row * _STRIP_HIGH
            self._text(left - 5, y + 10, strip.name, "end", size=9)
            for begin, end, colour in strip.spans:
                self._parts.append(
                    f"<rect x='{left + begin * scale:.1f}' y='{y + 1:.1f}' "
                    f"width='{(end - begin) * scale:.1f}' height='{_STRIP_HIGH - 2:.1f}' "
                    f"fill='{colour}'/>"
                )

    def _rule(
        self, x1: float, y1: float, x2: float, y2: float, colour: str = "#e4e4e4", dash: str = ""
    ) -> None:
        dashed = f" stroke-dasharray='{dash}'" if dash else ""
        self._parts.append(
            f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' "
            f"stroke='{colour}'{dashed}/>"
        )

    def _text(
        self, x: float, y: float, text: str, anchor: str = "start", *, size: int = 11,
        colour: str = "#222",
    ) -> None:  # fmt: skip
        self._parts.append(
            f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size}' "
            f"fill='{colour}'>{escape(text)}</text>"
        )


def nice(step: float) -> float:
    """The smallest of 1, 2, 5, 10, … that is no smaller."""
    power = 10.0 ** floor(log10(step))
    return next(each * power for each in (1.0, 2.0, 5.0, 10.0) if each * power >= step * 0.999)
