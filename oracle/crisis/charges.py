"""What deleveragings cost the other side, measured from its index (FORMULAS 1).

A position is worth ``V = q^·X(g) - z`` with ``X_long = K + A·g`` and ``X_short = K - A·g``. At one
g, a deleveraging moves nothing but A and K, so whatever it takes from a position is

    q^·(X before - X after)

and from the side ``Q^·(X before - X after)``. Closing the bankrupt's size at g moves A and K so
that X(g) stays; only the charge lowers it. Price moves change g and not A or K: they cannot be
mistaken for a charge, nor hide one. What the side lost beyond the charge is the overshoot; rounding
may take at most `dust_bound`, which the market keeps as dust.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from oracle.engine.rounding import mul_div_ceil
from oracle.engine.sides import GAP_RESERVE, Side
from oracle.engine.units import RAY, WAD, Credit, Ray


@dataclass(frozen=True, slots=True)
class Taken:
    """What one deleveraging took from a side.

    Attributes:
        per_unit: X before - X after, times 1e18 so that nothing rounds [ray·wad USD per scaled
            unit].
        loss: of the whole side, rounded up [USD wad].
        bound: most that rounding may add to the charge [USD wad].
    """

    per_unit: int
    loss: int
    bound: int


def index_of(side: Side, g: int, *, is_long: bool) -> int:
    """X(g)·1e18, exact [ray·wad USD per scaled unit]."""
    return side.credit * WAD + (side.scale if is_long else -side.scale) * g


def after_cut(side: Side, scale: int, credit: int) -> Side:
    """The side with the A and K that a deleveraging left."""
    return replace(side, scale=Ray(scale), credit=Credit(credit), cut=True)


def taken_by(before: Side, after: Side, g: int, *, is_long: bool) -> Taken:
    """Compare a side before and after a deleveraging at g [USD wad]."""
    per_unit = index_of(before, g, is_long=is_long) - index_of(after, g, is_long=is_long)
    loss = mul_div_ceil(before.total, per_unit, RAY * WAD)
    return Taken(per_unit, loss, dust_bound(before.total, g))


def dust_bound(total: int, g: int) -> int:
    """Most that rounding takes from a side of Q^ = `total` in one deleveraging [USD wad].

    K rounds by less than 1 and A by less than 1 (in rays), each times Q^; the proceeds of the
    closed size round by less than 1, the loss itself by 1; and `GAP_RESERVE` is set apart for every
    wei by which the sides may differ, of which there are total/RAY + 1.
    """
    units = total // RAY + 1
    return units * (GAP_RESERVE + 1 + abs(g) // WAD + 1) + 2
