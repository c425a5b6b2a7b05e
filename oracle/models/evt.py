"""The tail beyond the sample: peaks over threshold with a generalised Pareto distribution.

Excesses over a high threshold u are nearly generalised Pareto, ``1 - (1 + xi*y/beta)^(-1/xi)``
(Pickands 1975; Balkema and de Haan 1974). With n losses of which m exceed u,

``VaR_p = u + beta/xi * ((n/m * (1-p))^-xi - 1)``, ``ES_p = (VaR_p + beta - xi*u) / (1 - xi)``

(McNeil and Frey, "Estimation of tail-related risk measures for heteroscedastic financial time
series", Journal of Empirical Finance 7, 2000, equations 14 and 17). Losses are standardised ones
(z = X/sigma), multiplied by today's volatility. xi is held inside [-.3, .9]: below, the tail would
end just beyond the sample; from 1 on the shortfall has no mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from oracle.feeds.bars import FloatArray
from oracle.models.fhs import Tail, TailSeries

XI_MIN, XI_MAX = -0.3, 0.9
THRESHOLD = 0.9
LEAST_EXCESSES = 30
_FLAT = 1e-9  # |xi| below it is the exponential


@dataclass(frozen=True)
class Gpd:
    """A generalised Pareto distribution: shape xi, scale beta > 0, log-likelihood of its sample."""

    xi: float
    beta: float
    loglik: float


@dataclass(frozen=True)
class PotTail:
    """A fitted tail: `fraction` of the losses exceeds `threshold`, by the distribution `gpd`."""

    threshold: float
    fraction: float
    gpd: Gpd

    def tail(self, level: float, sigma: float = 1.0) -> Tail:
        """Value at Risk and Expected Shortfall at `level`, times `sigma`.

        Raises:
            ValueError: the level is below the threshold's or not below 1, or xi >= 1.
        """
        if not 1.0 - self.fraction <= level < 1.0 or self.gpd.xi >= 1.0:
            raise ValueError(f"no tail at level {level}: it begins at {1.0 - self.fraction:g}.")
        xi, beta = self.gpd.xi, self.gpd.beta
        times = math.log(self.fraction / (1.0 - level))
        beyond = beta * times if abs(xi) < _FLAT else beta * math.expm1(xi * times) / xi
        quantile = self.threshold + beyond
        shortfall = quantile + (beta + xi * beyond) / (1.0 - xi)
        return Tail(sigma * quantile, sigma * shortfall)


def log_likelihood(excesses: FloatArray, xi: float, beta: float) -> float:
    """Of generalised Pareto excesses; -inf where one lies outside the support."""
    if beta <= 0.0:
        return -math.inf
    if abs(xi) < _FLAT:
        return float(-excesses.size * math.log(beta) - np.sum(excesses) / beta)
    inside = 1.0 + xi * excesses / beta
    if float(np.min(inside)) <= 0.0:
        return -math.inf
    return float(-excesses.size * math.log(beta) - (1.0 + 1.0 / xi) * np.sum(np.log(inside)))


def fit_gpd(excesses: FloatArray, xi_min: float = XI_MIN, xi_max: float = XI_MAX) -> Gpd:
    """Maximum likelihood with xi in [xi_min, xi_max].

    For every xi the best scale solves one equation, so the search is over xi alone.

    Args:
        excesses: (m,) losses less the threshold, positive, finite.

    Raises:
        ValueError: fewer than two excesses, or one that is not positive and finite.
    """
    if excesses.size < 2 or not (np.isfinite(excesses) & (excesses > 0.0)).all():
        raise ValueError("a tail needs at least two excesses, all positive and finite.")
    scale = float(np.mean(excesses))
    sample = excesses / scale

    def lost(xi: float) -> float:
        return -log_likelihood(sample, xi, _best_scale(sample, xi))

    # A coarse grid first: the profile can have a local maximum at either end.
    grid = np.linspace(xi_min, xi_max, 25)
    best = int(np.argmin([lost(xi) for xi in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    inner = minimize_scalar(lost, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    xi = min((float(inner.x), float(grid[best])), key=lost)
    beta = _best_scale(sample, xi)
    loglik = log_likelihood(sample, xi, beta) - excesses.size * math.log(scale)
    return Gpd(xi, beta * scale, loglik)


def fit_tail(sample: FloatArray, quantile: float = THRESHOLD) -> PotTail:
    """Peaks over the `quantile` of a sample of losses.

    Args:
        sample: (n,) losses or standardised losses, no NaN.

    Raises:
        ValueError: fewer than `LEAST_EXCESSES` losses exceed the threshold.
    """
    threshold = float(np.quantile(sample, quantile)) if sample.size else math.nan
    return fit_tail_above(sample, threshold)


def fit_tail_above(sample: FloatArray, threshold: float) -> PotTail:
    """Peaks over a given threshold.

    Raises:
        ValueError: fewer than `LEAST_EXCESSES` losses exceed it.
    """
    excesses = sample[sample > threshold] - threshold
    if excesses.size < LEAST_EXCESSES:
        raise ValueError(
            f"{excesses.size} losses above the threshold are fewer than {LEAST_EXCESSES}."
        )
    return PotTail(threshold, excesses.size / sample.size, fit_gpd(excesses))


def rolling_evt(
    moves: FloatArray,
    sigma: FloatArray,
    horizon: int,
    levels: tuple[float, ...],
    *,
    count: int = 1000,
    least: int = 500,
    refit: int = 24,
) -> TailSeries:
    """`fit_tail` walked forward: entry t from the newest `count` windows that ended before bar t.

    The standardised tail is refitted every `refit` bars (counted from the first bar, so that what
    is known does not depend on where the history ends) and multiplied by each bar's volatility.

    Args, shapes and NaN: as `fhs.rolling_tail`. Where a sample has too few excesses: NaN.
    """
    rows, size = moves.shape
    found = np.full((2, len(levels), rows, size + 1), np.nan)
    known = sigma[:-1]
    usable = np.flatnonzero(~np.isnan(moves).any(axis=0) & (known > 0.0))
    ended = np.searchsorted(usable, np.arange(size + 1) - horizon, side="right")
    for row in range(rows):
        sample = moves[row, usable] / known[usable]
        for t in range(0, size + 1, refit):
            end = int(ended[t])
            if end < least:
                continue
            try:
                fitted = fit_tail(sample[max(0, end - count) : end])
            except ValueError:
                continue
            scale = sigma[t : t + refit]
            for k, level in enumerate(levels):
                one = fitted.tail(level)
                found[0, k, row, t : t + refit] = scale * one.value_at_risk
                found[1, k, row, t : t + refit] = scale * one.expected_shortfall
    return TailSeries(found[0], found[1])


def _best_scale(sample: FloatArray, xi: float) -> float:
    """The scale that maximises the likelihood at a given shape; sample mean about 1.

    Its derivative in beta is zero where ``mean((1 + xi) * y / (beta + xi*y)) = 1``; the left side
    falls in beta over the support.
    """
    if abs(xi) < _FLAT:
        return float(np.mean(sample))
    most = float(np.max(sample))
    low = max(0.0, -xi * most)

    def slope(beta: float) -> float:
        return float(np.mean((1.0 + xi) * sample / (beta + xi * sample))) - 1.0

    start, end = low + 1e-12 * most, low + 4.0 * most
    while slope(end) > 0.0:
        end *= 2.0
    return float(brentq(slope, start, end, xtol=1e-14, rtol=1e-13)) if slope(start) > 0 else start
