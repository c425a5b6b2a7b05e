"""How much of one leg's risk another takes away, and how little of it to believe.

EWMA correlations (RiskMetrics 1996, section 5.3) are positive semi-definite by construction; those
estimated pair by pair, shocked, or rounded need not be: `nearest` clips their spectrum (Rebonato
and Jäckel 1999). Shrinkage toward the mean correlation: Ledoit and Wolf, "Honey, I shrunk the
sample covariance matrix", Journal of Portfolio Management 30 (2004).

The offset credit is the 5 % quantile of a pair's own history, never more than half: BTC and ETH
fell to .13 where .8 was usual (5 % quantile .59).
"""

from __future__ import annotations

import numpy as np

from oracle.feeds.bars import FloatArray

CREDIT_CAP = 0.5
CREDIT_QUANTILE = 0.05


def ewma_correlation(returns: FloatArray, lam: float, seed: int) -> FloatArray:
    """(n + 1, A, A) correlation known at the open of each bar; NaN before `seed`.

    Args:
        returns: (A, n) finite.
        lam: decay in (0, 1); seed: bars whose mean product starts the recursion.

    Raises:
        ValueError: too few bars, a decay outside (0, 1), or a return that is not finite.
    """
    assets, size = returns.shape
    if not 0.0 < lam < 1.0 or not 1 <= seed <= size or not np.isfinite(returns).all():
        raise ValueError(f"no correlation of {size} bars from {seed} at decay {lam}.")
    found = np.full((size + 1, assets, assets), np.nan)
    covariance = returns[:, :seed] @ returns[:, :seed].T / seed
    found[seed] = as_correlation(covariance)
    for t in range(seed, size):
        covariance = lam * covariance + (1.0 - lam) * np.outer(returns[:, t], returns[:, t])
        found[t + 1] = as_correlation(covariance)
    return found


def pair_correlation(first: FloatArray, second: FloatArray, lam: float, seed: int) -> FloatArray:
    """(n + 1,) `ewma_correlation` of one pair."""
    return ewma_correlation(np.stack([first, second]), lam, seed)[:, 0, 1]


def as_correlation(covariance: FloatArray) -> FloatArray:
    """(A, A) correlation of a covariance; an asset that does not move has none with others."""
    spread = np.sqrt(np.diag(covariance))
    scale = np.outer(spread, spread)
    found = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0.0)
    np.fill_diagonal(found, 1.0)
    return np.clip(found, -1.0, 1.0)


def shrunk(correlation: FloatArray, weight: float) -> FloatArray:
    """(A, A) ``(1 - weight) * C + weight * mean`` off the diagonal.

    Raises:
        ValueError: the weight is outside [0, 1].
    """
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"a shrinkage weight lies in [0, 1], got {weight}.")
    assets = correlation.shape[0]
    if assets < 2:
        return correlation.copy()
    off = ~np.eye(assets, dtype=np.bool_)
    goal = np.full_like(correlation, float(correlation[off].mean()))
    np.fill_diagonal(goal, 1.0)
    return (1.0 - weight) * correlation + weight * goal


def nearest(correlation: FloatArray, least: float = 0.0) -> FloatArray:
    """(A, A) the matrix with its eigenvalues held at `least` or above, rescaled to unit diagonal.

    A correlation that is one already comes back unchanged.
    """
    symmetric = 0.5 * (correlation + correlation.T)
    values, vectors = np.linalg.eigh(symmetric)
    if values[0] >= least and np.allclose(np.diag(symmetric), 1.0):
        return symmetric
    repaired = (vectors * np.maximum(values, max(least, 1e-12))) @ vectors.T
    return as_correlation(repaired)


def offset_credit(
    history: FloatArray, quantile: float = CREDIT_QUANTILE, cap: float = CREDIT_CAP
) -> float:
    """Part of matched margin a hedged pair is let off: the low quantile of its own correlations.

    Args:
        history: (T,) correlations known so far; NaN are skipped.

    Returns:
        In [0, cap]; 0 where nothing is known.
    """
    known = history[~np.isnan(history)]
    if not known.size:
        return 0.0
    return min(cap, max(0.0, float(np.quantile(known, quantile))))


def offset_margin(first: float, second: float, credit: float) -> float:
    """Margin of a long and a short leg: ``a + b - 2 * credit * min(a, b)``.

    At the cap of one half it is the larger leg's margin: the hedge is free, never a discount.

    Raises:
        ValueError: a margin that is negative or NaN, or a credit outside [0, .5].
    """
    if not (first >= 0.0 and second >= 0.0) or not 0.0 <= credit <= CREDIT_CAP:
        raise ValueError(f"no offset of {first} and {second} at a credit of {credit}.")
    return first + second - 2.0 * credit * min(first, second)
