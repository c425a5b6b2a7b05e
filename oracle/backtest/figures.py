"""What a margin costs, how it jumps and what it leaves uncovered.

Margins and losses are fractions of notional. "At equal shortfall" is the comparison that lets no
margin win by being low: the static margin with the same total shortfall is the price of that
protection when nothing is forecast (RISK-MODEL 3).
"""

from __future__ import annotations

import numpy as np

from oracle.feeds.bars import FloatArray, IntArray
from oracle.models.overlay import stressed

DAY = 86_400


def total_shortfall(losses: FloatArray, margin: FloatArray) -> float:
    """Sum of what the margins did not cover; shapes that broadcast, such as (2, T) and (T,)."""
    return float(np.sum(np.maximum(losses - margin, 0.0)))


def static_margin(losses: FloatArray, shortfall: float) -> float:
    """The constant margin whose total shortfall is `shortfall`: the best static rate in hindsight.

    ``sum(max(0, X - M)) = shortfall`` is piecewise linear and falls in M, so it is solved exactly
    between two losses. Any shape. At no shortfall it is the largest loss; a shortfall beyond that
    of no margin at all gives 0.
    """
    falling = np.sort(losses, axis=None)[::-1]
    if not falling.size or shortfall <= 0.0:
        return float(falling[0]) if falling.size else 0.0
    ranks = np.arange(1, falling.size + 1)
    sums = np.cumsum(falling)
    at_rank = sums - ranks * falling  # shortfall when M is the r-th largest loss
    rank = int(np.searchsorted(at_rank, shortfall, side="right"))
    return max(0.0, float((sums[rank - 1] - shortfall) / rank))


def static_margin_at(losses: FloatArray, level: float) -> float:
    """The constant margin that meets its level in hindsight on the worse side; losses (S, T)."""
    return max(float(np.quantile(row, level)) for row in losses)


def scale_to_shortfall(losses: FloatArray, margin: FloatArray, shortfall: float) -> float:
    """The factor c by which a margin has the total shortfall `shortfall`: ``sum((X - c*m)+)``.

    By bisection to 1e-10. Shapes as `total_shortfall`; margins positive.
    """
    low, high = 0.0, 1.0
    while total_shortfall(losses, high * margin) > shortfall and high < 1e9:
        high *= 2.0
    while high - low > 1e-10 * high:
        middle = 0.5 * (low + high)
        if total_shortfall(losses, middle * margin) > shortfall:
            low = middle
        else:
            high = middle
    return high


def saving(losses: FloatArray, margin: FloatArray) -> float:
    """How far the mean margin is below the static one of equal shortfall; .08 is 8 % cheaper."""
    static = static_margin(losses, total_shortfall(losses, margin))
    return 1.0 - float(np.mean(margin)) / static if static > 0.0 else 0.0


def without_worst(losses: FloatArray, margin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Losses (2, T) and margins (T,) without the window of the single largest loss of any side."""
    worst = int(np.argmax(losses.max(axis=0)))
    return np.delete(losses, worst, axis=1), np.delete(margin, worst)


def largest_rise(margin: FloatArray, ts: IntArray, period: int, days: float) -> float:
    """Largest ``m[t] / m[s]`` with s in the `days` before t, of the clock, not of the count.

    Args:
        margin: (n,) at each bar; NaN where unknown.
        ts: (n,) Unix seconds; gaps are allowed, and a rise across a longer one does not count.
    """
    known = ~np.isnan(margin)
    if not known.any():
        return float("nan")
    times, values = ts[known], margin[known]
    places = (times - times[0]) // period
    grid = np.full(int(places[-1]) + 1, np.nan)
    grid[places] = values
    lowest = -stressed(-grid, round(days * DAY / period) + 1)
    return float(np.nanmax(grid / lowest))


def peak_to_trough(margin: FloatArray) -> tuple[float, float]:
    """Largest over smallest margin, raw and between the 99 % and the 1 % quantile."""
    known = margin[~np.isnan(margin)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.01, 0.99])
    return float(known.max() / known.min()), float(high / low)
