"""Made-up markets with storms, for tests that need none of the recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from oracle.feeds.bars import HOUR, Bars

START = 1_600_000_000 // 86_400 * 86_400


def storms(seed: int, count: int, period: int = HOUR, scale: float = 0.004) -> Bars:
    """`count` bars whose volatility moves slowly and whose returns have fat tails."""
    rng = np.random.default_rng(seed)
    log_vol = np.zeros(count)
    for i in range(1, count):
        log_vol[i] = 0.98 * log_vol[i - 1] + 0.12 * rng.standard_normal()
    moves = scale * np.exp(log_vol) * rng.standard_t(4, count)
    close = 100.0 * np.exp(np.cumsum(np.clip(moves, -0.5, 0.5)))
    opens = np.append(100.0, close[:-1])
    reach = scale * np.exp(log_vol)
    high = np.maximum(opens, close) * np.exp(reach * rng.exponential(0.5, count))
    low = np.minimum(opens, close) * np.exp(-reach * rng.exponential(0.5, count))
    ts = START + period * np.arange(count, dtype=np.int64)
    return Bars(ts, opens, high, low, close, None, period)


def waking(seed: int, count: int, wakes: int, factor: float, period: int = HOUR) -> Bars:
    """`count` bars of fat-tailed steps, `factor` times as large from position `wakes` on."""
    rng = np.random.default_rng(seed)
    scale = 0.002 * np.where(np.arange(count) < wakes, 1.0, factor)
    steps = scale[:, None] * rng.standard_t(5, (count, 12)) * np.sqrt(0.6 / 12)
    paths = 100.0 * np.exp(np.cumsum(steps.ravel())).reshape(count, 12)
    opens = np.append(100.0, paths[:-1, -1])
    whole = np.column_stack([opens, paths])
    ts = START + period * np.arange(count, dtype=np.int64)
    return Bars(ts, opens, whole.max(axis=1), whole.min(axis=1), paths[:, -1], None, period)


def without(bars: Bars, start: int, stop: int) -> Bars:
    """The bars with a gap at positions start .. stop - 1."""
    keep = np.ones(len(bars), dtype=bool)
    keep[start:stop] = False
    columns = (bars.open[keep], bars.high[keep], bars.low[keep], bars.close[keep])
    return Bars(bars.ts[keep], *columns, None, bars.period)


def write(bars: Bars, path: Path) -> None:
    """As a csv file of bars."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(bars.ts, bars.open, bars.high, bars.low, bars.close, strict=True)
    lines = ["ts,open,high,low,close"]
    lines += [f"{t},{o!r},{h!r},{low!r},{c!r}" for t, o, h, low, c in _floats(rows)]
    path.write_text("\n".join(lines) + "\n")


def _floats(rows):
    return ((int(t), *(float(x) for x in prices)) for t, *prices in rows)
