"""From a window of bars to the loss a margin must cover: tail at each horizon, costs, need.

``need(N) = ES(tau(N)) + impact(N) + fee + funding * tau(N)`` as a fraction of notional, where a
position of N takes ``tau(N) = tau0 + N / (participation * V)`` hours to close without being more
than `participation` of the traded volume V, and moving the market costs
``impact * sigma_day * sqrt(N / V_day)`` (square-root law: Toth et al., "Anomalous price impact and
the critical nature of liquidity in financial markets", Physical Review X 1, 2011; the prefactor is
of order one).

Everything here is a function of the window it is given. Two windows with equal bars give equal
numbers, whatever came before or after, so a published window is enough to recompute a push.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oracle.feeds.bars import Bars, FloatArray, IntArray
from oracle.models.fhs import Side, adverse_moves, rolling_tail, standardised, tail
from oracle.models.volatility import BarVariance, volatility

HOURS_PER_DAY = 24
BOTH = (Side.LONG, Side.SHORT)


class RiskError(ValueError):
    """The model cannot answer from this input. The message is one sentence."""


@dataclass(frozen=True)
class TailModel:
    """Parameters of the tail estimate. Hourly bars; levels are fractions.

    Decay and variance are the choice of a walk-forward over six models, three decays (.94, .99,
    .997) times two variances, on BTC and ETH mark bars 2020 to mid-2025, 47,228 hours each, 99 %
    path-wise Value at Risk one hour ahead. .99 on closes is breached 1.08 to 1.11 % of hours a
    side. .997: 1.13 to 1.20 %, 4 % dearer. .94: as .99, 2 to 5 % cheaper, but its largest five-day
    rise is double. Garman-Klass: the same coverage with 1 % more margin and 3 % more shortfall.

    Attributes:
        lam: EWMA decay an hour.
        variance: estimator of a bar's own variance.
        seed_bars: bars whose mean variance starts the recursion.
        residuals: newest standardised losses kept per horizon.
        least_residuals: fewer than this is refused.
        window_bars: bars the estimate is made from; 75 days.
        horizon: longest horizon, in bars.
        level: Expected Shortfall level of maintenance margin.
        call_level: Expected Shortfall level of the call buffer.
        call_horizon: bars a trader has to answer a margin call before the buffer is spent.
        unbiased: quantiles the next loss exceeds as often as meant (`fhs`); off, as the kept
            calibrations were made: at .995 of 1000 residuals it is exceeded .60 % of the time.
    """

    lam: float = 0.99
    variance: BarVariance = "close"
    seed_bars: int = 168
    residuals: int = 1000
    least_residuals: int = 500
    window_bars: int = 1800
    horizon: int = 7
    level: float = 0.995
    call_level: float = 0.99
    call_horizon: int = 4
    unbiased: bool = False


@dataclass(frozen=True)
class CostModel:
    """What closing costs beyond the price risk. Rates are fractions of notional.

    Attributes:
        fee: taker fee of the hedge.
        funding_per_hour: a cap of .3 % per eight hours, the largest BTC print of March 2020.
        impact: prefactor of the square-root law.
        participation: largest part of traded volume one close may be.
        horizon: tau0, hours to notice and liquidate the smallest position.
        least: hours that any position takes at least.
    """

    fee: float = 0.0005
    funding_per_hour: float = 0.003 / 8
    impact: float = 1.0
    participation: float = 0.05
    horizon: float = 1.0
    least: float = 0.0

    def hours(self, notional: float, volume_per_hour: float) -> float:
        """tau(N): hours to close `notional` USD where `volume_per_hour` USD trade."""
        hours = self.horizon + notional / (self.participation * volume_per_hour)
        return max(self.least, hours)


@dataclass(frozen=True, eq=False)
class Tails:
    """Tail estimates at T times, oldest first.

    Attributes:
        ts: (T,) the time each was made at, Unix seconds: it knows the bars complete by then.
        sigma: (T,) volatility of the next bar.
        shortfalls: (T, H) Expected Shortfall, fraction of notional, at horizons of 1 .. H bars,
            the worse of the two sides, non-decreasing in the horizon.
        call: (T,) Expected Shortfall of the call buffer, the worse of the two sides.
    """

    ts: IntArray
    sigma: FloatArray
    shortfalls: FloatArray
    call: FloatArray

    def __len__(self) -> int:
        return int(self.ts.size)

    def between(self, start: int, end: int) -> Tails:
        """Estimates with start <= ts < end."""
        cut = slice(*(int(i) for i in np.searchsorted(self.ts, [start, end], side="left")))
        return Tails(self.ts[cut], self.sigma[cut], self.shortfalls[cut], self.call[cut])

    def shortfall(self, hours: float) -> FloatArray:
        """(T,) Expected Shortfall at a fractional horizon, linear between whole ones.

        Raises:
            RiskError: the horizon is below one bar or beyond the longest estimated.
        """
        longest = self.shortfalls.shape[1]
        if not 1.0 <= hours <= longest:
            raise RiskError(f"a horizon of {hours:g} hours is outside 1 to {longest}.")
        below = min(int(hours), longest - 1) if longest > 1 else 1
        near = self.shortfalls[:, below - 1]
        far = self.shortfalls[:, min(below, longest - 1)]
        return near + (hours - below) * (far - near)


def estimate(window: Bars, model: TailModel, sides: Sequence[Side] = BOTH) -> Tails:
    """One estimate (T = 1), made when the last bar of `window` completed.

    Args:
        sides: the worse of these; collateral fears a fall alone.

    Raises:
        RiskError: too few bars, or too few usable windows at some horizon (gaps, standing prices).
    """
    if len(window) <= model.seed_bars:
        raise RiskError(
            f"{len(window)} bars are not more than the {model.seed_bars} to start from."
        )
    sigma = volatility(window, model.lam, model.variance, model.seed_bars)
    wanted = {h: [model.level] for h in range(1, model.horizon + 1)}
    wanted.setdefault(model.call_horizon, []).append(model.call_level)
    found = {
        (horizon, level): _worse_side(window, sigma, horizon, level, model, sides)
        for horizon, levels in wanted.items()
        for level in levels
    }
    shortfalls = [found[h, model.level] for h in range(1, model.horizon + 1)]
    made_at = np.array([int(window.ts[-1]) + window.period], dtype=np.int64)
    return Tails(
        ts=made_at,
        sigma=sigma[-1:],
        shortfalls=np.maximum.accumulate(np.array([shortfalls]), axis=1),
        call=np.array([found[model.call_horizon, model.call_level]]),
    )


def estimate_series(bars: Bars, model: TailModel, sides: Sequence[Side] = BOTH) -> Tails:
    """`estimate` at the end of every bar of a history, in one pass.

    The recursion and the residuals run through instead of starting anew in each window of
    `model.window_bars`, so an entry differs from `estimate` by what is left of a window's seed in
    its oldest residuals, 1e-4 of a shortfall by default; and where gaps leave fewer than
    `model.residuals` usable windows in one window, it has older ones.

    Raises:
        RiskError: no bar ends with enough behind it.
    """
    if len(bars) <= model.seed_bars:
        raise RiskError(f"{len(bars)} bars are not more than the {model.seed_bars} to start from.")
    sigma = volatility(bars, model.lam, model.variance, model.seed_bars)

    def shortfall(horizon: int, level: float) -> FloatArray:
        moves = adverse_moves(bars, horizon)[list(sides)]
        series = rolling_tail(
            moves,
            sigma,
            horizon,
            [level],
            count=model.residuals,
            least=model.least_residuals,
            unbiased=model.unbiased,
        )
        worst: FloatArray = series.expected_shortfall[0].max(axis=0)
        return worst

    rows = np.stack([shortfall(h, model.level) for h in range(1, model.horizon + 1)], axis=1)
    call = shortfall(model.call_horizon, model.call_level)
    known = np.flatnonzero(np.isfinite(rows).all(axis=1) & np.isfinite(call))
    known = known[known > 0]
    if not known.size:
        raise RiskError(f"{len(bars)} bars leave no time with {model.least_residuals} windows.")
    return Tails(
        ts=bars.ts[known - 1] + bars.period,
        sigma=sigma[known],
        shortfalls=np.maximum.accumulate(rows[known], axis=1),
        call=call[known],
    )


def stack(estimates: list[Tails]) -> Tails:
    """Many estimates as one, in the order given."""
    return Tails(
        np.concatenate([e.ts for e in estimates]),
        np.concatenate([e.sigma for e in estimates]),
        np.concatenate([e.shortfalls for e in estimates]),
        np.concatenate([e.call for e in estimates]),
    )


def needs(tails: Tails, notional: float, volume_per_hour: float, costs: CostModel) -> FloatArray:
    """(T,) the loss margin must cover on a position of `notional` USD, as a fraction of it.

    Args:
        volume_per_hour: USD an hour the market trades under stress.

    Raises:
        RiskError: the position takes longer to close than the longest horizon estimated.
    """
    hours = costs.hours(notional, volume_per_hour)
    daily = tails.sigma * math.sqrt(HOURS_PER_DAY)
    impact = costs.impact * daily * math.sqrt(notional / (HOURS_PER_DAY * volume_per_hour))
    return tails.shortfall(hours) + impact + costs.fee + costs.funding_per_hour * hours


def _worse_side(
    window: Bars,
    sigma: FloatArray,
    horizon: int,
    level: float,
    model: TailModel,
    sides: Sequence[Side],
) -> float:
    moves = adverse_moves(window, horizon)[list(sides)]
    sample = standardised(moves, sigma, model.residuals)
    if sample.shape[1] < model.least_residuals:
        raise RiskError(
            f"{sample.shape[1]} usable windows of {horizon} hours are fewer than the "
            f"{model.least_residuals} the estimate needs."
        )
    today = float(sigma[-1])
    return max(
        tail(side, level, today, unbiased=model.unbiased).expected_shortfall for side in sample
    )
