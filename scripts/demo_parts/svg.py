"""Just enough SVG for time charts: scales, axes, lines, bands and stacked areas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

WIDTH: Final = 1040
LEFT: Final = 78
RIGHT: Final = 24
DAY: Final = 86_400
HOUR: Final = 3_600
TICKS: Final = 5  # about so many on a value axis
LETTER: Final = 6.2  # [px] about the width of one


@dataclass(frozen=True)
class Scale:
    """Values to pixels, linear."""

    low: float
    high: float
    start: float  # pixel of `low`
    end: float

    def at(self, value: float) -> float:
        """Pixel of a value."""
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


@dataclass(frozen=True)
class Panel:
    """A plotting area: a time axis that panels share, and a value axis of its own."""

    x: Scale
    y: Scale

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.y.end

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y.start

    def line(self, times: Sequence[int], values: Sequence[float], style: str) -> str:
        """A polyline through all points."""
        points = " ".join(
            f"{self.x.at(t):.1f},{self.y.at(v):.1f}" for t, v in zip(times, values, strict=True)
        )
        return f'<polyline class="line {style}" points="{points}"/>'

    def area(
        self,
        times: Sequence[int],
        lower: Sequence[float],
        upper: Sequence[float],
        fill: str,
    ) -> str:
        """Between two curves that keep each value until the next time."""
        forth = _steps(times, [self.y.at(v) for v in upper], self.x)
        back = _steps(times, [self.y.at(v) for v in lower], self.x)[::-1]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in forth + back)
        return f'<polygon fill="{fill}" points="{points}"/>'

    def band(self, start: int, end: int, style: str, title: str = "") -> str:
        """A stretch of time, over the full height."""
        x, width = self.x.at(start), max(1.5, self.x.at(end) - self.x.at(start))
        return (
            f'<rect class="{style}" x="{x:.1f}" y="{self.top:.1f}" width="{width:.1f}" '
            f'height="{self.bottom - self.top:.1f}"><title>{escape(title)}</title></rect>'
        )

    def marker(self, start: int, end: int, style: str, title: str = "") -> str:
        """A stretch of time, as a bar on top of the area."""
        x, width = self.x.at(start), max(2.0, self.x.at(end) - self.x.at(start))
        return (
            f'<rect class="{style}" x="{x:.1f}" y="{self.top - 6:.1f}" width="{width:.1f}" '
            f'height="5"><title>{escape(title)}</title></rect>'
        )

    def dot(self, time: int, value: float, fill: str, is_large: bool = False) -> str:
        """One event."""
        x, y, radius = self.x.at(time), self.y.at(value), 4.5 if is_large else 3.5
        return f'<circle class="dot" fill="{fill}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'

    def frame(self, title: str, ticks: Iterable[tuple[float, str]]) -> str:
        """Grid, value axis and its title."""
        parts = []
        for value, label in ticks:
            y = self.y.at(value)
            parts.append(
                f'<line class="grid" x1="{self.x.start}" x2="{self.x.end}" '
                f'y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            parts.append(text(self.x.start - 8, y + 4, label, "tick end"))
        parts.append(text(self.x.start, self.top - 8, title, "axis"))
        return "".join(parts)

    def keys(self, title: str, entries: Iterable[tuple[str, str]]) -> str:
        """A legend in the line of the title, after it."""
        return legend(entries, self.x.start + (LETTER + 1) * len(title) + 24, self.top - 8)

    def time_axis(self, *, labels: bool) -> str:
        """A line every six hours (every hour, of a day or less); days, or hours, by name."""
        parts = []
        unit = DAY // 4 if self._is_long else HOUR
        first = math.ceil(self.x.low / unit) * unit
        for t in range(first, int(self.x.high) + 1, unit):
            x, is_day = self.x.at(t), t % DAY == 0
            style = "day" if is_day else "grid"
            parts.append(
                f'<line class="{style}" x1="{x:.1f}" x2="{x:.1f}" '
                f'y1="{self.top:.1f}" y2="{self.bottom:.1f}"/>'
            )
            if labels and (label := self._time_label(t)):
                parts.append(text(x, self.bottom + 17, label, "tick middle"))
        return "".join(parts)

    @property
    def _is_long(self) -> bool:
        return self.x.high - self.x.low > DAY

    def _time_label(self, t: int) -> str:
        """The day at its noon; of a day or less, every hour."""
        day = datetime.fromtimestamp(t, UTC)
        if not self._is_long:
            return f"{day:%H:%M}"
        return f"{day:%a} {day.day} {day:%b}" if t % DAY == DAY // 2 else ""


def panel(times: Sequence[int], low: float, high: float, top: float, height: float) -> Panel:
    """Over the whole width."""
    x = Scale(times[0], max(times[-1], times[0] + 1), LEFT, WIDTH - RIGHT)
    return Panel(x, Scale(low, high, top + height, top))


def drawing(height: float, parts: Iterable[str], label: str) -> str:
    """The whole picture; scales with the page."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


def text(x: float, y: float, content: str, style: str) -> str:
    """One line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(content)}</text>'


def legend(entries: Iterable[tuple[str, str]], x: float, y: float) -> str:
    """Coloured keys in a row, beginning at x. Entries are (colour, label)."""
    parts, at = [], x
    for colour, label in entries:
        parts.append(
            f'<rect x="{at:.1f}" y="{y - 9:.1f}" width="14" height="10" rx="2" fill="{colour}"/>'
        )
        parts.append(text(at + 19, y, label, "tick"))
        at += LETTER * len(label) + 40
    return "".join(parts)


def round_ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """About `count` round numbers between low and high."""
    raw = (high - low) / max(1, count) or 1.0
    unit = 10 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _steps(times: Sequence[int], pixels: Sequence[float], x: Scale) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for i, t in enumerate(times):
        if i and pixels[i] != pixels[i - 1]:
            points.append((x.at(t), pixels[i - 1]))
        if not i or i == len(times) - 1 or pixels[i] != pixels[i - 1]:
            points.append((x.at(t), pixels[i]))
    return points
