"""The pictures of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from scripts.demo_parts.recorder import STATES, Liquidation, MarketPath, Recorder
from scripts.demo_parts.svg import (
    LEFT,
    WIDTH,
    Panel,
    drawing,
    legend,
    panel,
    round_ticks,
    text,
)
from scripts.demo_parts.venue import AFTERMATH, UNKNOWN

WAD: Final = 10**18
PPM: Final = 1_000_000
BLUE, RED, AMBER, GREY = "#1f5fa8", "#c8372d", "#d98e04", "#8b95a1"
SEVERITY, SETTLING = "#e9b6b0", "#f6ecd2"
# On the price: a partial take-over, a book taken by the vault, a position closed.
TAKEN, VAULT, CLOSED = "#f0a43c", "#2f8f5b", "#5b1331"
DOTS: Final = {2: VAULT, 3: CLOSED}
STATE_COLOURS: Final = ("#5b9a6f", "#f0c24b", "#ec8a3a", "#cf4040", "#5b1331", "#dfe3e8")
LINE_COLOURS: Final = ("#1f5fa8", "#c8372d", "#2f8f5b", "#8a4fb0", "#d98e04", "#3b8ea5")
NO_REPORTS: Final = "no report reaches the chain"
BAR: Final = 0.78  # of its slot, in a waterfall
LARGEST: Final = len(LINE_COLOURS)
Span = tuple[int, int]


def market_chart(symbol: str, recorder: Recorder, silence: Span | None) -> str:
    """Price with liquidations, severity and margin rates of one market, one above the other."""
    times, path = recorder.times, recorder.paths[symbol]
    price, top, height = [p / WAD for p in path.price], 44.0, 210.0
    mark = [p / WAD for p in path.mark]
    low, high = min(price + mark), max(price + mark)
    margin = (high - low) * 0.06 or 1.0
    upper = panel(times, low - margin, high + margin, top, height)
    middle = panel(times, 0.0, 1.0, top + height + 42, 100)
    most = max(path.im) / PPM
    lower = panel(times, 0.0, most * 1.08, top + height + 184, 150)
    parts = [_backdrop(each, times, path, silence) for each in (upper, middle, lower)]
    parts += _price_panel(upper, symbol, times, price, mark)
    parts += _acts(upper, [act for act in recorder.liquidations if act.market == symbol])
    if silence:
        parts.append(text(upper.x.at(silence[1]) + 6, upper.top + 14, "no reports", "note"))
    parts += _severity_panel(middle, times, path)
    parts += _rate_panel(lower, times, path)
    return drawing(top + height + 366, parts, f"{symbol}: price, severity and margin rates")


def states_chart(recorder: Recorder, silence: Span | None, window: Span | None = None) -> str:
    """How many accounts were in which state, all the time or from one second to another."""
    low, high = window or (recorder.times[0], recorder.times[-1])
    kept = [i for i, time in enumerate(recorder.times) if low <= time <= high]
    times, rows = [recorder.times[i] for i in kept], [recorder.states[i] for i in kept]
    total = sum(rows[0])
    area = panel(times, 0, total, 44, 240 if window is None else 170)
    parts = [area.time_axis(labels=True)]
    parts.append(area.frame("accounts", [(v, f"{v:.0f}") for v in round_ticks(0, total)]))
    below = [0.0] * len(times)
    for state, colour in enumerate(STATE_COLOURS):
        above = [start + row[state] for start, row in zip(below, rows, strict=True)]
        parts.append(area.area(times, below, above, colour))
        below = above
    if silence:
        parts.append(area.marker(*silence, "silent", NO_REPORTS))
        parts.append(text(area.x.at(silence[1]) + 6, area.top - 1, "no reports", "note"))
    parts.append(legend(zip(STATE_COLOURS, STATES, strict=True), LEFT, 18))
    return drawing(area.bottom + 36, parts, "Account states over time")


def equity_chart(recorder: Recorder, names: Mapping[int, str], silence: Span | None) -> str:
    """Equity of the largest accounts, each from its first deposit on."""
    peak = {account: max(path) for account, path in recorder.equity.items()}
    chosen = sorted(peak, key=lambda account: -peak[account])[:LARGEST]
    curves = {a: [e / WAD / 1e3 for e in recorder.equity[a]] for a in chosen}
    low = min(0.0, *(min(curve) for curve in curves.values()))
    high = max(max(curve) for curve in curves.values())
    area = panel(recorder.times, low, high * 1.05, 44, 240)
    parts = [area.time_axis(labels=True)]
    ticks = [(v, f"{v:,.0f}") for v in round_ticks(low, high * 1.05)]
    parts.append(area.frame("equity, thousand USD", ticks))
    if silence:
        parts.append(area.marker(*silence, "silent", NO_REPORTS))
        parts.append(text(area.x.at(silence[1]) + 6, area.top - 1, "no reports", "note"))
    for colour, curve in zip(LINE_COLOURS, curves.values(), strict=False):
        first = next((i for i, equity in enumerate(curve) if equity), 0)
        line = area.line(recorder.times[first:], curve[first:], "")
        parts.append(line.replace("<polyline", f'<polyline stroke="{colour}"'))
    labels = [names[account] for account in chosen]
    parts.append(legend(zip(LINE_COLOURS, labels, strict=False), LEFT, 18))
    return drawing(320, parts, "Equity of the largest accounts")


def payers_chart(rows: Sequence[tuple[str, str, float, str]]) -> str:
    """Bars: what was paid, by whom. Rows are (what, by whom, USD, colour)."""
    most = max((amount for _, _, amount, _ in rows), default=0.0) or 1.0
    left, right, height = 300.0, 130.0, 40.0
    parts = []
    for i, (what, payer, amount, colour) in enumerate(rows):
        y = 8 + i * height
        width = (WIDTH - left - right) * amount / most
        parts.append(text(0, y + 13, what, "label"))
        parts.append(text(0, y + 27, payer, "tick"))
        if amount:
            parts.append(
                f'<rect x="{left}" y="{y + 4:.1f}" width="{max(width, 2.0):.1f}" height="18" '
                f'rx="2" fill="{colour}"/>'
            )
        parts.append(text(left + width + 8, y + 18, f"{amount:,.0f} USD", "label"))
    return drawing(16 + height * len(rows), parts, "Who paid what")


def waterfall_chart(total: tuple[str, float], rows: Sequence[tuple[str, float, str]]) -> str:
    """What was lost, and who paid it, each bar beginning where the one before it ends.

    Args:
        total: label and USD.
        rows: (label, USD, colour), which sum to it.
    """
    label, most = total
    top, bottom, left = 34.0, 250.0, 40.0
    slot = (WIDTH - 2 * left) / (len(rows) + 1)
    height = (bottom - top) / (most or 1.0)
    parts = [_bar(left, slot, top, bottom, "#46515e", label, f"{most:,.2f} USD")]
    left_over = most
    for i, (what, amount, colour) in enumerate(rows, 1):
        x = left + i * slot
        high, low = bottom - left_over * height, bottom - (left_over - amount) * height
        share = f"{amount:,.2f} USD, {100 * amount / (most or 1.0):.1f} ¢"
        parts.append(
            f'<line class="day" x1="{x - slot * (1 - BAR):.1f}" x2="{x:.1f}" '
            f'y1="{high:.1f}" y2="{high:.1f}"/>'
        )
        parts.append(_bar(x, slot, high, low, colour, what, share, bottom))
        left_over -= amount
    parts.append(f'<line class="day" x1="{left}" x2="{WIDTH - left}" y1="{bottom}" y2="{bottom}"/>')
    return drawing(bottom + 34, parts, "Who paid the loss, one after the other")


# --- internals ----------------------------------------------------------------------------------


def _bar(
    x: float,
    slot: float,
    high: float,
    low: float,
    colour: str,
    what: str,
    amount: str,
    base: float | None = None,
) -> str:
    """One bar of a waterfall, its amount above it and its name below the base line."""
    middle = x + slot * BAR / 2
    return (
        f'<rect x="{x:.1f}" y="{high:.1f}" width="{slot * BAR:.1f}" '
        f'height="{max(low - high, 1.5):.1f}" rx="2" fill="{colour}"/>'
        + text(middle, high - 7, amount, "label middle")
        + text(middle, (base or low) + 18, what, "tick middle")
    )


def _backdrop(area: Panel, times: Sequence[int], path: MarketPath, silence: Span | None) -> str:
    """Where prices were unknown or an aftermath lasted, and the incident."""
    parts = [area.time_axis(labels=False)]
    for start, end in _spans(times, path.state, UNKNOWN | AFTERMATH):
        parts.append(area.band(start, end, "settling", "settling"))
    if silence:
        parts.append(area.band(*silence, "silence", NO_REPORTS))
    return "".join(parts)


def _price_panel(
    area: Panel, symbol: str, times: Sequence[int], price: list[float], mark: list[float]
) -> list[str]:
    ticks = [(v, f"{v:,.0f}") for v in round_ticks(area.y.low, area.y.high)]
    keys = [(GREY, "recorded"), (BLUE, "mark on the chain"), (SETTLING, "settling")]
    keys += [
        (TAKEN, "partial take-over"),
        (VAULT, "taken by the vault"),
        (CLOSED, "closed at mark"),
    ]
    return [
        area.frame(f"{symbol} price, USD", ticks),
        area.line(times, price, "grey"),
        area.line(times, mark, "blue"),
        legend(keys, LEFT, area.top - 26),
    ]


def _acts(area: Panel, acts: Sequence[Liquidation]) -> list[str]:
    """A dot each, at its time and mark; what was closed lies on top."""
    return [
        area.dot(act.time, act.mark / WAD, DOTS.get(act.step, TAKEN), act.step in DOTS)
        for act in sorted(acts, key=lambda act: act.step)
    ]


def _severity_panel(area: Panel, times: Sequence[int], path: MarketPath) -> list[str]:
    severity = [s / PPM for s in path.severity]
    title = "severity and depth, %"
    keys = [(SEVERITY, "severity pushed"), (GREY, "depth pushed")]
    return [
        area.frame(title, [(v / 4, f"{25 * v}") for v in range(5)]),
        area.area(times, [0.0] * len(times), severity, SEVERITY),
        area.line(times, [d / PPM for d in path.depth], "grey"),
        area.keys(title, keys),
    ]


def _rate_panel(area: Panel, times: Sequence[int], path: MarketPath) -> list[str]:
    title = "margin rate of the first bracket, % of notional"
    keys = [(AMBER, "initial margin"), (RED, "maintenance margin")]
    ticks = [(v, f"{100 * v:.3g}") for v in round_ticks(0, area.y.high)]
    return [
        area.frame(title, ticks),
        area.time_axis(labels=True),
        area.line(times, [r / PPM for r in path.im], "amber"),
        area.line(times, [r / PPM for r in path.mm], "red"),
        area.keys(title, keys),
    ]


def _spans(times: Sequence[int], states: Sequence[int], bits: int) -> list[Span]:
    """Stretches in which any of the bits is set."""
    spans: list[Span] = []
    start: int | None = None
    for time, state in zip(times, states, strict=True):
        if state & bits and start is None:
            start = time
        elif not state & bits and start is not None:
            spans.append((start, time))
            start = None
    return [*spans, (start, times[-1])] if start is not None else spans
