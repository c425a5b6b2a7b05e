"""Collateral haircuts (FORMULAS 7): progressive in the account's own amount of a token.

A token's haircut schedule is a tier schedule with severity and clocks of its own:
``val(v) = v - min(v, ceil(R(v)))``, monotone and concave, so adding collateral never lowers equity.
"""

from __future__ import annotations

from oracle.engine.rounding import wad_mul_floor
from oracle.engine.tiers import Blend
from oracle.engine.units import Usd


def raw_value(amount: int, price: int) -> Usd:
    """Value before the haircut, rounded down. amount [wad], price [USD wad]."""
    return Usd(wad_mul_floor(amount, price))


def haircut_value(value: int, blend: Blend, severity: int, depth: int) -> Usd:
    """val(v) [USD wad]; never negative."""
    return Usd(value - min(value, blend.requirement(value, severity, depth)))
