"""How likely a position is to be liquidated, and what is lost beyond its equity.

Paths are drawn by filtered historical bootstrap: whole bars of history (close, low and high moves,
each divided by the volatility of its day) are drawn with replacement and multiplied by a
volatility that reacts to them (Barone-Adesi et al. 1999), so the worst moment inside every bar is
seen. `barrier_probability` is the closed form for Brownian motion (reflection principle; Borodin
and Salminen 2002, 2.1.2.4) that the bootstrap is checked against.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from oracle.feeds.bars import Bars, FloatArray
from oracle.models.fhs import Side

CONTINUITY = 0.5825971579390107
"""-zeta(1/2)/sqrt(2 pi): a barrier watched every dt acts as one farther by this * sigma*sqrt(dt)
(Broadie, Glasserman and Kou, Mathematical Finance 7, 1997)."""


@dataclass(frozen=True, eq=False)
class BarShapes:
    """(m,) log moves of close, low and high from the last close, divided by known volatility."""

    close: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Outcome:
    """What a bootstrap says of one position.

    Attributes:
        liquidated: probability that equity falls below maintenance within the horizon.
        bankrupt: probability that it is gone before the close-out is over.
        shortfall: expected loss beyond bankruptcy, fraction of notional.
        error: standard error of `liquidated`.
    """

    liquidated: float
    bankrupt: float
    shortfall: float
    error: float


def bar_shapes(bars: Bars, sigma: FloatArray, count: int) -> BarShapes:
    """The newest `count` bars as moves in units of volatility; bars after a gap are left out.

    Args:
        sigma: (n + 1,) or (n,) known at each open.
    """
    last = np.full(len(bars), np.nan)
    last[1:] = bars.close[:-1]
    known = sigma[: len(bars)]
    usable = np.flatnonzero(bars.joined() & (known > 0.0))[-count:]
    moves = (
        np.log(column[usable] / last[usable]) / known[usable]
        for column in (bars.close, bars.low, bars.high)
    )
    return BarShapes(*moves)


def bootstrap_outcome(
    shapes: BarShapes,
    sigma: float,
    side: Side,
    equity: float,
    maintenance: float,
    rng: np.random.Generator,
    *,
    horizon: int = 24,
    close_out: int = 1,
    lam: float = 0.99,
    paths: int = 10_000,
) -> Outcome:
    """Follow one position of notional 1 that is liquidated where its equity ends.

    Args:
        sigma: volatility of the next bar.
        equity: at the start, fraction of notional.
        maintenance: rate; liquidation where equity < maintenance * notional at the path's price.
        horizon: bars a breach of maintenance is looked for in.
        close_out: bars a liquidator needs; 1 sells at the close of the bar of the breach, 0 at the
            breach's own worst price.
        lam: decay of the volatility along the path; 1 keeps it.
        paths: drawn.

    Raises:
        ValueError: no shapes, or parameters outside their range.
    """
    if not shapes.close.size or not sigma >= 0.0 or min(horizon, paths) < 1 or close_out < 0:
        raise ValueError("a bootstrap needs bars, a volatility, a horizon and paths.")
    if not 0.0 <= maintenance < 1.0 or not 0.0 < lam <= 1.0 or math.isnan(equity):
        what = f"equity {equity}, a maintenance rate of {maintenance} or decay of {lam}"
        raise ValueError(f"{what} has no meaning.")
    barrier = _barrier(side, equity, maintenance)
    long = side is Side.LONG
    price, variance = np.zeros(paths), np.full(paths, sigma**2)
    left = np.full(paths, -1)  # bars of the close-out still to go; -1: not liquidated
    lost = np.zeros(paths)
    for step in range(horizon + close_out):
        drawn = rng.integers(shapes.close.size, size=paths)
        scale = np.sqrt(variance)
        extreme = price + scale * (shapes.low if long else shapes.high)[drawn]
        if step < horizon:
            hit = (left < 0) & ((extreme < barrier) if long else (extreme > barrier))
            left[hit] = close_out
            if close_out == 0:
                lost[hit] = _loss(extreme[hit], long)
        move = scale * shapes.close[drawn]
        price = price + move
        variance = lam * variance + (1.0 - lam) * move * move if lam < 1.0 else variance
        running = left > 0
        left[running] -= 1
        ended = running & (left == 0)
        lost[ended] = _loss(price[ended], long)
    beyond = np.maximum(lost - equity, 0.0)
    touched = float(np.mean(left >= 0))
    return Outcome(
        liquidated=touched,
        bankrupt=float(np.mean(beyond > 0.0)),
        shortfall=float(np.mean(beyond)),
        error=math.sqrt(touched * (1.0 - touched) / paths),
    )


def barrier_probability(distance: float, sigma: float, time: float, drift: float = 0.0) -> float:
    """P(min over s <= time of drift*s + sigma*W_s <= -distance), Brownian W.

    Args:
        distance: of the barrier, log price, >= 0.
        sigma: per square root of the unit of `time`.

    Raises:
        ValueError: an argument that is negative or NaN.
    """
    if not (distance >= 0.0 and sigma >= 0.0 and time >= 0.0) or math.isnan(drift):
        raise ValueError("a barrier needs a distance, a volatility and a time of at least 0.")
    if distance == 0.0:
        return 1.0
    spread = sigma * math.sqrt(time)
    if spread == 0.0:
        return float(drift * time <= -distance)
    direct = float(ndtr((-distance - drift * time) / spread))
    reflected = float(ndtr((-distance + drift * time) / spread))
    return min(1.0, direct + math.exp(-2.0 * drift * distance / sigma**2) * reflected)


def _barrier(side: Side, equity: float, maintenance: float) -> float:
    """Log price move at which equity + PnL = maintenance * notional.

    Long: equity + (x - 1) = m*x; short: equity + (1 - x) = m*x.
    """
    if side is Side.LONG:
        ratio = (1.0 - equity) / (1.0 - maintenance)
    else:
        ratio = (1.0 + equity) / (1.0 + maintenance)
    return math.log(ratio) if ratio > 0.0 else -math.inf


def _loss(price: FloatArray, long: bool) -> FloatArray:
    moved = np.expm1(price)
    return -moved if long else moved
