"""Hourly volatility, known before the hour it is used for.

A bar's own variance (dimensionless, per bar) is estimated from its prices, then smoothed:
``h[t] = lam * h[t-1] + (1 - lam) * v[t-1]`` (RiskMetrics, J.P. Morgan 1996, section 5.2). ``h[t]``
sees the bars before t and never bar t. A decay names its clock: .997 on hourly bars has a half life
of 231 hours.

Sources: EWMA as above; range variance of Garman and Klass, "On the Estimation of Security Price
Volatilities from Historical Data", Journal of Business 53 (1980), equation 20, with the squared
jump from the last close to this open added so that no part of the move is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from oracle.feeds.bars import Bars, FloatArray

BarVariance = Literal["close", "garman_klass"]

_BLOCK = 64
_GARMAN_KLASS = 2.0 * math.log(2.0) - 1.0


def log_returns(bars: Bars) -> FloatArray:
    """(n,) log return from the last close to this one, per bar.

    The first bar, and the first after a gap, has no last close: it counts from its own open.
    """
    moves: FloatArray = np.log(bars.close / _start(bars))
    return moves


def close_variance(bars: Bars) -> FloatArray:
    """(n,) squared `log_returns`, per bar."""
    return log_returns(bars) ** 2


def garman_klass_variance(bars: Bars) -> FloatArray:
    """(n,) Garman-Klass variance per bar plus the squared jump from the last close; never negative.

    ``.5 ln(H/L)^2 - (2 ln 2 - 1) ln(C/O)^2 + ln(O/C_last)^2``; the first two terms are at least
    .11 ln(H/L)^2 because open and close lie inside the range.
    """
    spread: FloatArray = np.log(bars.high / bars.low)
    body: FloatArray = np.log(bars.close / bars.open)
    jump: FloatArray = np.log(bars.open / _start(bars))
    variance: FloatArray = 0.5 * spread**2 - _GARMAN_KLASS * body**2 + jump**2
    return variance


def bar_variance(bars: Bars, kind: BarVariance) -> FloatArray:
    """(n,) variance per bar by the named estimator."""
    return close_variance(bars) if kind == "close" else garman_klass_variance(bars)


def ewma_variance(values: FloatArray, lam: float, initial: float) -> FloatArray:
    """Exponentially weighted mean of the values before each point.

    Args:
        values: (n,) variances per bar, finite.
        lam: decay in (0, 1), on the clock of the bars.
        initial: h[0], known before values[0].

    Returns:
        (n + 1,) with h[t] from `initial` and values[0..t-1]; the last entry is the forecast for the
        bar that has not happened.

    Raises:
        ValueError: `lam` is not inside (0, 1).
    """
    _check_decay(lam)
    powers, weights = _block_weights(lam)
    smoothed = np.empty(values.size + 1)
    smoothed[0] = initial
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK]
        size = block.size
        carried = powers[:size] * smoothed[start]
        smoothed[start + 1 : start + 1 + size] = carried + weights[:size, :size] @ block
    return smoothed


def ewma_variance_reference(values: Sequence[float], lam: float, initial: float) -> list[float]:
    """`ewma_variance`, written as its definition. For tests."""
    _check_decay(lam)
    smoothed = [initial]
    for value in values:
        smoothed.append(lam * smoothed[-1] + (1.0 - lam) * value)
    return smoothed


def volatility(bars: Bars, lam: float, kind: BarVariance, seed_bars: int) -> FloatArray:
    """(n + 1,) standard deviation per bar, known at the open of each bar; the last is the forecast.

    h[seed_bars] is the mean of the first `seed_bars` variances and the recursion runs from there,
    so the entries before it, which would have to look ahead, are NaN. A market that did not move at
    all has volatility 0.

    Raises:
        ValueError: fewer than `seed_bars` bars, `seed_bars` < 1, or `lam` not inside (0, 1).
    """
    if not 1 <= seed_bars <= len(bars):
        raise ValueError(f"volatility needs at least {seed_bars} bars to start, got {len(bars)}.")
    return ewma_volatility(bar_variance(bars, kind), lam, seed_bars)


def ewma_volatility(values: FloatArray, lam: float, seed: int) -> FloatArray:
    """(n + 1,) `volatility` from variances per bar, e.g. squared daily returns.

    Args:
        values: (n,) variances per bar, finite.
        seed: the mean of the first `seed` values starts the recursion; entries before it are NaN.

    Raises:
        ValueError: fewer than `seed` values, `seed` < 1, or `lam` not inside (0, 1).
    """
    if not 1 <= seed <= values.size:
        raise ValueError(f"volatility needs at least {seed} bars to start, got {values.size}.")
    sigma = np.full(values.size + 1, np.nan)
    start = float(np.mean(values[:seed]))
    sigma[seed:] = np.sqrt(ewma_variance(values[seed:], lam, start))
    return sigma


def half_life(lam: float) -> float:
    """Bars after which a variance counts half: ln(1/2)/ln(lam). .99 on hourly bars is 69 hours."""
    _check_decay(lam)
    return math.log(0.5) / math.log(lam)


@lru_cache(maxsize=16)
def _block_weights(lam: float) -> tuple[FloatArray, FloatArray]:
    """What h at a block's start, (B,), and the block's values, (B, B), add to each h in it."""
    lags = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)[None, :]
    weights = np.where(lags >= 0, (1.0 - lam) * lam ** np.maximum(lags, 0), 0.0)
    return lam ** np.arange(1, _BLOCK + 1), weights


def _start(bars: Bars) -> FloatArray:
    """(n,) the price each bar starts from: the last close, or its own open after a gap."""
    start = bars.open.copy()
    follows = bars.joined()
    start[1:] = np.where(follows[1:], bars.close[:-1], bars.open[1:])
    return start


def _check_decay(lam: float) -> None:
    if not 0.0 < lam < 1.0:
        raise ValueError(f"the decay must lie between 0 and 1, got {lam}.")
