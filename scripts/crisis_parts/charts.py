"""The pictures of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from oracle.engine.units import WAD
from scripts.demo_parts.svg import (
    LEFT,
    RIGHT,
    WIDTH,
    Panel,
    Scale,
    drawing,
    legend,
    panel,
    round_ticks,
    text,
)

if TYPE_CHECKING:
    from scripts.crisis_parts.run import Replay

OURS, QUEUE, DEFICIT, CLOSED, GREY = "#1f5fa8", "#d98e04", "#c8372d", "#5b1331", "#8b95a1"
PAYERS: Final = (
    ("account", "the accounts themselves", GREY),
    ("insurance", "insurance fund", "#5b9a6f"),
    ("charge", "charged to the other side", OURS),
    ("socialised", "socialised", DEFICIT),
)
TAKERS: Final = (
    ("partial", "liquidators", "#5b9a6f"),
    ("vault", "backstop vault", QUEUE),
    ("opposite_side", "the other side, at the mark", OURS),
)
BINS: Final = 24
FloatArray = npt.NDArray[np.float64]


def price_chart(replay: Replay, number: int, symbol: str) -> str:
    """The path with a dot where accounts were resolved; below it, how many, and their deficit."""
    times = [step.time for step in replay.case.path]
    prices = [step.prices[symbol] / WAD for step in replay.case.path]
    margin = (max(prices) - min(prices)) * 0.06 or 1.0
    upper = panel(times, min(prices) - margin, max(prices) + margin, 44, 230)
    moments = [m for m in replay.moments if m.resolved and number in m.marks]
    parts = [upper.time_axis(labels=False)]
    parts.append(upper.frame(f"{symbol} USD", _ticks(upper.y.low, upper.y.high)))
    parts.append(upper.line(times, prices, "blue"))
    for moment in moments:
        colour = DEFICIT if moment.deficit else CLOSED
        large = bool(moment.deficit)
        parts.append(upper.dot(moment.time, moment.marks[number] / WAD, colour, is_large=large))
    parts.append(
        legend([(DEFICIT, "resolved with a deficit"), (CLOSED, "resolved without")], LEFT + 120, 36)
    )
    many = max((m.resolved for m in moments), default=1)
    middle = panel(times, 0, many, upper.bottom + 42, 80)
    parts += _sticks(middle, "accounts resolved", [(m.time, m.resolved) for m in moments], CLOSED)
    deficits = [(m.time, m.deficit / WAD) for m in moments]
    lower = panel(times, 0, max((d for _, d in deficits), default=1) or 1, middle.bottom + 42, 80)
    parts += _sticks(lower, "deficit USD", deficits, DEFICIT, labels=True)
    return drawing(lower.bottom + 32, parts, f"{symbol}: price and resolutions")


def loss_chart(report: Mapping[str, Any]) -> str:
    """Who bore the loss of the bankrupt accounts, one below the other."""
    return _ladder(report["steps"], PAYERS, "Who bore the loss")


def taking_chart(report: Mapping[str, Any]) -> str:
    """Who took the positions, one below the other."""
    return _ladder(report["steps"], TAKERS, "Who took the positions")


def histogram(ours: Sequence[float], queue: Sequence[float]) -> str:
    """Winners by their loss in per cent of their notional, under both rules."""
    highest = max([*ours, *queue], default=0.0) or 1.0
    edges = np.linspace(0.0, highest, BINS + 1)
    counts = [np.histogram(losses, edges)[0] for losses in (ours, queue)]
    most = max(int(each.max()) for each in counts) or 1
    x = Scale(0.0, highest, LEFT, WIDTH - RIGHT)
    area = Panel(x, Scale(0.0, math.log10(most + 1) * 1.04, 274, 44))
    tens = [10**k for k in range(len(str(most)))]
    ticks = [(0.0, "0"), *((math.log10(n + 1), f"{n:,}") for n in tens)]
    parts = [area.frame("winners, on a logarithmic scale", ticks)]
    width = (x.at(edges[1]) - x.at(edges[0])) / 2 - 1.5
    for k, (found, colour) in enumerate(zip(counts, (OURS, QUEUE), strict=True)):
        for i, height in enumerate(found):
            left = x.at(edges[i]) + 1 + k * (width + 1)
            top = area.y.at(math.log10(height + 1))
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
                f'height="{area.bottom - top:.1f}" fill="{colour}"><title>'
                f"{escape(f'{height} winners, {edges[i]:.2f} to {edges[i + 1]:.2f} %')}"
                "</title></rect>"
            )
    for tick in round_ticks(0.0, highest):
        parts.append(text(x.at(tick), area.bottom + 17, f"{tick:g} %", "tick middle"))
    parts.append(
        text((LEFT + WIDTH - RIGHT) / 2, area.bottom + 36, "loss / notional", "tick middle")
    )
    parts.append(legend([(OURS, "Plimsoll"), (QUEUE, "ranked queue")], LEFT + 260, 36))
    return drawing(area.bottom + 48, parts, "Winners by their loss")


# --- internals -----------------------------------------------------------------------------------


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    return [(value, f"{value:,.6g}") for value in round_ticks(low, high)]


def _ladder(steps: Mapping[str, float], rows: Sequence[tuple[str, str, str]], title: str) -> str:
    """All of it, and below that each part where the one before it ends."""
    total = sum(steps[key] for key, _, _ in rows)
    x = Scale(0, total or 1, LEFT + 150, WIDTH - RIGHT - 190)
    parts, left, y = [], 0.0, 14.0
    parts += _bar(x, 0, total, y, "all of it", "#1d2733")
    for key, label, colour in rows:
        y += 34
        parts += _bar(x, left, left + steps[key], y, label, colour, total)
        left += steps[key]
    return drawing(y + 40, parts, title)


def _sticks(
    area: Panel,
    title: str,
    points: Sequence[tuple[int, float]],
    colour: str,
    *,
    labels: bool = False,
) -> list[str]:
    ticks = [(value, f"{value:,.6g}") for value in round_ticks(0, area.y.high, 3)]
    parts = [area.time_axis(labels=labels), area.frame(title, ticks)]
    for time, value in points:
        x, top = area.x.at(time), area.y.at(value)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{area.bottom:.1f}" y2="{top:.1f}" '
            f'stroke="{colour}" stroke-width="2"/>'
        )
    return parts


def _bar(
    x: Scale, low: float, high: float, y: float, label: str, colour: str, total: float = 0.0
) -> list[str]:
    start, width = x.at(low), max(1.0, x.at(high) - x.at(low))
    share = f" ({(high - low) / total:.1%})" if total else ""
    return [
        text(x.start - 10, y + 16, label, "label end"),
        f'<rect x="{start:.1f}" y="{y:.1f}" width="{width:.1f}" height="22" rx="2" '
        f'fill="{colour}"/>',
        text(start + width + 8, y + 16, f"{high - low:,.0f} USD{share}", "tick"),
    ]
