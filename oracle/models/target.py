"""What a margin must be: a tempered path-wise quantile at one horizon, walked forward.

``sigma^2`` is a mean of exponentially weighted variances whose half-lives are 1, 4, 16, 64 and 256
times a shortest one: the fast ones answer a storm, the slow ones remember it, and no single memory
decides (Corsi, "A simple approximate long-memory model of realized volatility", Journal of
Financial Econometrics 7, 2009, has the idea with three). The shortest grows with the root of the
horizon, 2 hours at one hour, 10 at a day. Losses over sigma are kept for two years, because a day's
horizon has only 365 windows a year. Then filtered historical simulation as everywhere
(`oracle.models.fhs`), the worse of the two sides, and the overlay (`oracle.models.overlay`).

Half-lives are in hours, so that a rule means the same on bars of any length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from oracle.feeds.bars import HOUR, Bars, FloatArray
from oracle.models.fhs import rolling_tail
from oracle.models.overlay import Overlay, historical_floor, stressed, target
from oracle.models.volatility import close_variance, ewma_volatility

DAY = 86_400
SEED_HOURS = 168


@dataclass(frozen=True)
class Target:
    """How much a margin must be. The defaults are the published ones (docs/backtest.md).

    Attributes:
        shortest: half-life in hours at a horizon of one hour, times the root of the horizon.
        multiples: of it, one per variance.
        weights: of the variances, in that order; they sum to one.
        memory_days: of standardised losses kept.
        least_days: of them before anything is asked.
        overlay: buffer, stress weight and floor.
        stress_days, floor_days: their look-backs.
    """

    shortest: float = 2.0
    multiples: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0, 256.0)
    weights: tuple[float, ...] = (0.25, 0.25, 0.25, 0.15, 0.1)
    memory_days: int = 730
    least_days: int = 30
    overlay: Overlay = field(default_factory=Overlay)
    stress_days: int = 365
    floor_days: int = 3652

    def __post_init__(self) -> None:
        is_whole = len(self.weights) == len(self.multiples) and min(self.weights) >= 0.0
        if not is_whole or abs(sum(self.weights) - 1.0) > 1e-9:
            raise ValueError(f"a rule needs a weight for each multiple, summing to 1, got {self}.")

    def half_lives(self, hours: float) -> tuple[list[float], tuple[float, ...]]:
        """Half-lives in hours at a horizon, and their weights."""
        shortest = self.shortest * math.sqrt(hours)
        return [multiple * shortest for multiple in self.multiples], self.weights


@dataclass(frozen=True, eq=False)
class Asked:
    """(n + 1,) Value at Risk and Expected Shortfall asked at each open, fractions; NaN unknown."""

    value_at_risk: FloatArray
    shortfall: FloatArray


def decay(half_life_hours: float, period: int) -> float:
    """The EWMA decay per bar of `period` seconds with that half-life: 0.5^(bar / half-life)."""
    return float(0.5 ** (period / HOUR / half_life_hours))


def mixed_volatility(
    bars: Bars, half_lives: Sequence[float], weights: Sequence[float]
) -> FloatArray:
    """(n + 1,) root of the weighted mean of EWMA variances, known at each bar's open.

    NaN for the first `SEED_HOURS`, and everywhere where there are not more bars than that.
    """
    seed = max(1, SEED_HOURS * HOUR // bars.period)
    if len(bars) <= seed:
        return np.full(len(bars) + 1, np.nan)
    own = close_variance(bars)
    mixed = np.zeros(len(bars) + 1)
    for half_life, weight in zip(half_lives, weights, strict=True):
        mixed += weight * ewma_volatility(own, decay(half_life, bars.period), seed) ** 2
    return np.sqrt(mixed)


def ask(bars: Bars, moves: FloatArray, horizon: int, level: float, rule: Target) -> Asked:
    """What is asked at each open of a bar, from bars and windows complete by then.

    Args:
        moves: (S, n) path-wise losses over `horizon` bars (`fhs.adverse_moves`); the worst row
            counts.
        level: such as .99.
    """
    sigma = mixed_volatility(bars, *rule.half_lives(horizon * bars.period / HOUR))
    count, least = (
        max(2, days * DAY // bars.period) for days in (rule.memory_days, rule.least_days)
    )
    series = rolling_tail(moves, sigma, horizon, [level], count=count, least=min(least, count))
    var, shortfall = series.value_at_risk[0].max(axis=0), series.expected_shortfall[0].max(axis=0)
    tempered = temper(var, moves, horizon, level, bars.period, rule)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(var > 0.0, shortfall / var, 1.0)
    return Asked(tempered, tempered * ratio)


def temper(
    margin: FloatArray, moves: FloatArray, horizon: int, level: float, period: int, rule: Target
) -> FloatArray:
    """The overlay on a margin; parts of weight zero are not computed."""
    overlay = rule.overlay
    nothing = np.full(margin.size, np.nan)
    stress = nothing
    if overlay.stress_weight > 0.0:
        stress = stressed(margin, max(1, rule.stress_days * DAY // period))
    floor = nothing
    if overlay.floor_weight > 0.0:
        window, least = (max(2, d * DAY // period) for d in (rule.floor_days, rule.least_days))
        floor = historical_floor(moves, horizon, level, window, least).max(axis=0)
    return target(margin, stress, floor, overlay)
