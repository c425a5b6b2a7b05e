"""Collateral haircuts: what may be lost between a default and the sale of the collateral.

``haircut = 1 - exp(-(ES_99.5(tau_liq) + impact + peg add-on) * (1 + wrong-way add-on))``: the
exponential keeps it below 1 and turns a loss of log value into one of value. The add-on for wrong
way risk is the part of the worst collateral falls that coincide with the position's losses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oracle.feeds.bars import FloatArray

WRONG_WAY_TAIL = 0.9


def haircut(
    shortfall: FloatArray | float,
    impact: FloatArray | float = 0.0,
    peg: float = 0.0,
    wrong_way: float = 0.0,
) -> FloatArray:
    """Haircut as a fraction of value, in [0, 1).

    Args:
        shortfall: Expected Shortfall of a fall in value over the time to sell, fraction, >= 0.
        impact: cost of selling, fraction.
        peg: what a promise (of redemption, of a bridge, of a staking queue) may lose, fraction.
        wrong_way: factor on the sum, from `wrong_way_addon`.

    Raises:
        ValueError: a part that is negative or NaN.
    """
    parts = np.asarray(shortfall, dtype=np.float64) + impact
    known = np.all(parts >= 0.0) and np.all(np.asarray(impact) >= 0.0)
    if not (known and peg >= 0.0 and wrong_way >= 0.0):
        raise ValueError("no part of a haircut is negative or unknown.")
    return -np.expm1(-(parts + peg) * (1.0 + wrong_way))


def wrong_way_addon(
    collateral_losses: FloatArray, position_losses: FloatArray, tail: float = WRONG_WAY_TAIL
) -> float:
    """In [0, 1]: how much more often than by chance the collateral falls when the position does.

    Of the dates on which the position's loss is beyond its `tail` quantile, the part on which the
    collateral's is beyond its own, above the `1 - tail` that independence gives, scaled to 1 for
    always. A tail dependence coefficient at a finite level (McNeil, Frey and Embrechts 2015, 7.2).

    Args:
        collateral_losses, position_losses: (m,) on the same dates, no NaN.

    Raises:
        ValueError: shapes that differ, or fewer than 100 dates.
    """
    if collateral_losses.shape != position_losses.shape or collateral_losses.size < 100:
        raise ValueError(
            f"wrong-way risk needs 100 common dates, got {collateral_losses.size} and "
            f"{position_losses.size}."
        )
    bad = position_losses > np.quantile(position_losses, tail)
    worse = collateral_losses > np.quantile(collateral_losses, tail)
    if not bad.any():
        return 0.0
    together = float(np.mean(worse[bad]))
    return min(1.0, max(0.0, (together - (1.0 - tail)) / tail))


@dataclass(frozen=True)
class PegRisk:
    """A promised price: largest discount seen on record, and hours until it can be redeemed."""

    worst_discount: float
    redemption_hours: float

    def addon(self, liquidation_hours: float) -> float:
        """Fraction: the discount in full where selling comes before redemption, else nothing.

        Raises:
            ValueError: a discount outside [0, 1).
        """
        if not 0.0 <= self.worst_discount < 1.0:
            raise ValueError(f"a discount lies in [0, 1), got {self.worst_discount}.")
        redeemed = self.redemption_hours <= liquidation_hours
        return 0.0 if redeemed else -math.log1p(-self.worst_discount)


def marginal_haircuts(totals: FloatArray, bounds: FloatArray) -> FloatArray:
    """(..., K) rates of the progressive schedule whose cut on an amount U_k is totals[k] * U_k.

    Made non-decreasing in k, so that adding collateral never lowers its value, and at most 1.

    Args:
        totals: (..., K) haircut on the whole of U_k.
        bounds: (K,) increasing USD.
    """
    steps = np.diff(totals * bounds, axis=-1, prepend=0.0)
    widths = np.diff(bounds, prepend=0.0)
    return np.minimum(np.maximum.accumulate(steps / widths, axis=-1), 1.0)
