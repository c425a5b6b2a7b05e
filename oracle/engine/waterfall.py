"""Who pays a hole (FORMULAS 2, DESIGN 8): bucket, charge on the opposite side, socialised.

``D = b + Σc + d`` in integers, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oracle.engine.rounding import mul_div_floor, positive
from oracle.engine.sides import Side, settled_credit
from oracle.engine.units import PPM, RAY, WAD, Usd


@dataclass(frozen=True, slots=True)
class Loser:
    """A losing leg, closed at mark, and what its market can bear."""

    market: int
    loss: int  # [USD wad] w_m = max(0, -V_m)
    bucket: int  # [USD wad] the market's own bucket
    ceiling: int  # [USD wad] `sure_now` of the opposite side


@dataclass(frozen=True, slots=True)
class Share:
    """A market's part of the deficit."""

    market: int
    deficit: Usd  # D_m
    paid: Usd  # b_m, from the insurance fund
    charge: Usd  # c_m, on the opposite side


@dataclass(frozen=True, slots=True)
class Surety:
    """What a scaled unit of a side was sure to own when P_ref was taken, less its X then."""

    round: int = 0
    owned: int = 0  # [ray USD]


@dataclass(frozen=True, slots=True)
class Resolution:
    """A deficit and who pays it."""

    deficit: Usd  # D
    shares: tuple[Share, ...]
    interest: Usd  # from the interest bucket, for a flat debtor
    socialised: Usd  # d

    @property
    def paid(self) -> Usd:
        """b: all the insurance fund pays."""
        return Usd(self.interest + sum(share.paid for share in self.shares))

    @property
    def charged(self) -> Usd:
        """Σc"""
        return Usd(sum(share.charge for share in self.shares))


def surety_at(side: Side, reference: int, g: int, calm_mmr: int, *, is_long: bool) -> int:
    """``Surety.owned`` of a side as it stands, before the first cut since P_ref was taken.

    An account at or above MM at P_ref owned at least ``calm MMR_0·P_ref`` a unit. reference P_ref
    [USD wad], g = P_ref - F [USD wad per base], calm_mmr [ppm].
    """
    owned = mul_div_floor(side.scale, calm_mmr * reference, PPM * WAD)
    return owned - settled_credit(side, g, is_long=is_long) - 1


def sure_now(side: Side, owned: int, g: int, *, is_long: bool) -> Usd:
    """What a side is still sure to own at g: the third bound of c_m [USD wad].

    Since P_ref a scaled unit gained ``X(now) - X(P_ref)``: moves of the mark, cuts at the marks of
    their time, funding and every charge are in it. Times the scaled units there are, rounded down:
    what cannot be collected is not charged.
    """
    unit = owned + settled_credit(side, g, is_long=is_long)
    return Usd(positive(mul_div_floor(side.total, unit, RAY)))


def split_deficit(deficit: int, losses: Sequence[int]) -> list[int]:
    """D_m = D·w_m/W rounded down; the last losing market takes the rounding. All 0 where W = 0."""
    total = sum(losses)
    if total == 0:
        return [0] * len(losses)
    shares = [mul_div_floor(deficit, loss, total) for loss in losses]
    last = max(i for i, loss in enumerate(losses) if loss > 0)
    shares[last] += deficit - sum(shares)
    return shares


def resolve_deficit(
    deficit: int, losers: Sequence[Loser], fund_assets: int, interest_bucket: int = 0
) -> Resolution:
    """b, c and d of a deficit [USD wad]; the fund pays market by market until it is empty."""
    fund_left = fund_assets
    shares = []
    parts = split_deficit(deficit, [loser.loss for loser in losers])
    for loser, part in zip(losers, parts, strict=True):
        paid = min(part, loser.bucket, fund_left)
        fund_left -= paid
        charge = min(part - paid, loser.loss, loser.ceiling)
        shares.append(Share(loser.market, Usd(part), Usd(paid), Usd(charge)))
    flat = deficit - sum(parts)
    interest = min(flat, interest_bucket, fund_left)
    rest = deficit - interest - sum(share.paid + share.charge for share in shares)
    return Resolution(Usd(deficit), tuple(shares), Usd(interest), Usd(rest))
