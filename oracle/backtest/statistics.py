"""Tests of coverage and scores of tail forecasts.

A breach is a loss above its margin. Everything here takes arrays of equal length, oldest first, of
windows that do not overlap; overlapping ones are dependent by construction and these tests would
see clusters that are not there.

Sources: Kupiec, "Techniques for verifying the accuracy of risk measurement models", Journal of
Derivatives 3 (1995); Christoffersen, "Evaluating interval forecasts", International Economic Review
39 (1998); Basel Committee, "Supervisory framework for the use of backtesting" (1996); Acerbi and
Szekely, "Backtesting expected shortfall", Risk (2014), test 2; Fissler and Ziegel, "Higher order
elicitability and Osband's principle", Annals of Statistics 44 (2016), in the form of Patton, Ziegel
and Chen, Journal of Econometrics 211 (2019), equation 6; Diebold and Mariano, "Comparing predictive
accuracy", Journal of Business and Economic Statistics 13 (1995), with the variance of Newey and
West, Econometrica 55 (1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.special import xlog1py, xlogy
from scipy.stats import binom, chi2, norm

from oracle.feeds.bars import BoolArray, FloatArray

Zone = Literal["green", "yellow", "red"]

YELLOW, RED = 0.95, 0.9999
"""Cumulative binomial probabilities from which the Basel zones begin."""
Z2_CRITICAL, Z2_EXPECTED = -0.70, 250 * 0.025
"""5 % critical value of Z2 under a normal loss, and the breaches expected where it was found."""


@dataclass(frozen=True)
class Test:
    """A likelihood ratio (or a t ratio) and the chance of one as large under the hypothesis."""

    statistic: float
    p_value: float


@dataclass(frozen=True)
class Coverage:
    """What the breaches of one cell say.

    Attributes:
        windows, breaches: T and x.
        most: largest x the Kupiec test does not refuse at 5 %; more are too many.
        kupiec, independence, conditional: the three tests.
        zone: Basel, scaled to T.
    """

    windows: int
    breaches: int
    most: int
    kupiec: Test
    independence: Test
    conditional: Test
    zone: Zone

    @property
    def too_many(self) -> bool:
        """Whether Kupiec's test refuses the margin for having too many breaches."""
        return self.breaches > self.most


def coverage(breaches: BoolArray, alpha: float, follows: BoolArray | None = None) -> Coverage:
    """All tests of one cell.

    Args:
        breaches: (T,) whether the loss of each window was above its margin.
        alpha: rate of breaches promised.
        follows: (T,) whether a window begins where the one before it ended; default all do.

    Raises:
        ValueError: no windows, or alpha not inside (0, 1).
    """
    count, size = int(np.count_nonzero(breaches)), int(breaches.size)
    unconditional = kupiec(count, size, alpha)
    independent = independence(breaches, follows)
    both = unconditional.statistic + independent.statistic
    return Coverage(
        windows=size,
        breaches=count,
        most=kupiec_region(size, alpha)[1],
        kupiec=unconditional,
        independence=independent,
        conditional=Test(both, float(chi2.sf(both, 2))),
        zone=basel_zone(count, size, alpha),
    )


def kupiec(breaches: int, windows: int, alpha: float) -> Test:
    """Likelihood ratio of the observed rate against alpha, chi-square with one degree of freedom.

    Raises:
        ValueError: no windows, more breaches than windows, or alpha not inside (0, 1).
    """
    if not (0.0 < alpha < 1.0 and 0 <= breaches <= windows and windows > 0):
        raise ValueError(f"no coverage test of {breaches} breaches in {windows} at {alpha}.")
    rate = breaches / windows
    under = _log_likelihood(breaches, windows - breaches, alpha)
    free = _log_likelihood(breaches, windows - breaches, rate)
    ratio = max(0.0, 2.0 * (free - under))
    return Test(ratio, float(chi2.sf(ratio, 1)))


@lru_cache(maxsize=4096)
def kupiec_region(windows: int, alpha: float, size: float = 0.05) -> tuple[int, int]:
    """Fewest and most breaches the test does not refuse at `size`."""
    expected = windows * alpha
    low = high = min(windows, max(0, round(expected)))
    while low > 0 and kupiec(low - 1, windows, alpha).p_value >= size:
        low -= 1
    while high < windows and kupiec(high + 1, windows, alpha).p_value >= size:
        high += 1
    return low, high


def independence(breaches: BoolArray, follows: BoolArray | None = None) -> Test:
    """Whether a breach makes the next one likelier: first-order Markov chain against none.

    Args:
        follows: pairs across a gap are left out.
    """
    now, then = breaches[1:].astype(bool), breaches[:-1].astype(bool)
    if follows is not None:
        now, then = now[follows[1:]], then[follows[1:]]
    n11 = int(np.count_nonzero(then & now))
    n10 = int(np.count_nonzero(then & ~now))
    n01 = int(np.count_nonzero(~then & now))
    n00 = int(now.size) - n11 - n10 - n01
    pooled = _rate(n01 + n11, n00 + n10)
    under = _log_likelihood(n01 + n11, n00 + n10, pooled)
    calm = _log_likelihood(n01, n00, _rate(n01, n00))
    stirred = _log_likelihood(n11, n10, _rate(n11, n10))
    ratio = max(0.0, 2.0 * (calm + stirred - under))
    return Test(ratio, float(chi2.sf(ratio, 1)))


def basel_zone(breaches: int, windows: int, alpha: float) -> Zone:
    """The traffic light, for any T: yellow from 5 and red from 10 at T = 250 and 1 %."""
    reached = float(binom.cdf(breaches, windows, alpha))
    if reached >= RED:
        return "red"
    return "yellow" if reached >= YELLOW else "green"


def acerbi_szekely(
    losses: FloatArray, margin: FloatArray, shortfall: FloatArray, alpha: float
) -> float:
    """Z2 = 1 - sum(X * [X > VaR] / ES) / (T * alpha): 0 as promised, negative when worse.

    Args:
        losses, margin, shortfall: (T,) X, VaR and ES, fractions of notional.

    Raises:
        ValueError: there is no window.
    """
    if not losses.size:
        raise ValueError("Z2 needs at least one window.")
    beyond = losses > margin
    ratio = losses[beyond] / shortfall[beyond]
    return 1.0 - float(np.sum(ratio)) / (losses.size * alpha)


def z2_critical(windows: int, alpha: float) -> float:
    """5 % critical value of Z2: the published -.70, scaled to the breaches expected here.

    Z2 is a mean over breaches, so its spread falls with the root of their number. For T = 250 and
    alpha = 2.5 % it is the published value for normal losses; a t with 3 degrees of freedom gives
    -.82, so for these markets the test refuses a little too often.
    """
    return Z2_CRITICAL * math.sqrt(Z2_EXPECTED / (windows * alpha))


def fissler_ziegel(
    losses: FloatArray, margin: FloatArray, shortfall: FloatArray, alpha: float
) -> FloatArray:
    """(T,) FZ0 loss of each forecast (VaR, ES); a smaller mean is better, equal scales compare.

    ``(X - VaR)+ / (alpha * ES) + VaR/ES + ln ES - 1``. Positive margins only.
    """
    beyond = np.maximum(losses - margin, 0.0)
    score: FloatArray = beyond / (alpha * shortfall) + margin / shortfall + np.log(shortfall) - 1.0
    return score


def diebold_mariano(scores: FloatArray, champion: FloatArray, lags: int | None = None) -> Test:
    """Whether the mean scores differ; negative favours the first. Two-sided, asymptotic normal.

    Args:
        scores, champion: (T,) losses of two forecasts of the same windows.
        lags: of the Bartlett kernel; default the cube root of T.

    Raises:
        ValueError: there is no window.
    """
    difference = scores - champion
    size = difference.size
    if not size:
        raise ValueError("a comparison of forecasts needs at least one window.")
    lags = round(size ** (1.0 / 3.0)) if lags is None else lags
    variance = newey_west(difference, lags)
    mean = float(np.mean(difference))
    if variance <= 0.0:
        return Test(0.0, 1.0)
    ratio = mean / math.sqrt(variance / size)
    return Test(ratio, float(2.0 * norm.sf(abs(ratio))))


def newey_west(values: FloatArray, lags: int) -> float:
    """Long-run variance of a series with a Bartlett kernel.

    Sums, not products of vectors: those are split among threads, and the last bits of a report
    would depend on how many a worker has.
    """
    centred = values - np.mean(values)
    size = centred.size
    total = float(np.sum(centred * centred)) / size
    for lag in range(1, min(lags, size - 1) + 1):
        weight = 1.0 - lag / (lags + 1.0)
        total += 2.0 * weight * float(np.sum(centred[lag:] * centred[:-lag])) / size
    return total


def _rate(hits: int, misses: int) -> float:
    return hits / (hits + misses) if hits + misses else 0.0


def _log_likelihood(hits: int, misses: int, rate: float) -> float:
    return float(xlogy(hits, rate) + xlog1py(misses, -rate))
