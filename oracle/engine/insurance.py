"""Twin of InsuranceFund.vy's buckets: b_m = min(D_m, bucket_m, assets) (FORMULAS 2 and 9).

Its assets are custody's `reserve.insurance`. Shares are `oracle.engine.shares`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from oracle.engine import interest
from oracle.engine.custody import Custody
from oracle.engine.units import Usd, require

INTEREST: Final = 32  # the bucket of income that is no market's


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a market may cost the fund."""

    cap: int = 0  # [USD wad]
    filled: int = 0  # [USD wad]


EMPTY: Final = Bucket()


@dataclass(slots=True)
class FundState:
    """All the fund stores besides shares."""

    buckets: dict[int, Bucket] = field(default_factory=dict)


class InsuranceFund:
    """Capital that pays shortfalls."""

    def __init__(self, custody: Custody) -> None:
        self.custody = custody
        custody.fund = self
        self.state = FundState()

    def bucket(self, market: int) -> Bucket:
        """Of a market, or 32 for interest."""
        return self.state.buckets.get(market, EMPTY)

    def note_income(self, market: int, amount: int) -> None:
        """Fees of a market that are the fund's now; what its bucket has no room for as well."""
        was = self.bucket(market)
        filled = interest.bucket_after_fees(was.filled, amount, was.cap)
        self.state.buckets[market] = Bucket(was.cap, filled)

    def give(self, market: int, amount: int) -> None:
        """Somebody's tokens, for no shares [token units]."""
        require(amount > 0, "amount")
        wad = amount * self.custody.settlement_unit
        self.note_income(market, wad)
        self.custody.add_insurance(wad)

    def coverable(self, market: int, due: int) -> Usd:
        """b of a deficit, now."""
        assets = self.custody.state.reserve.insurance
        return Usd(min(due, self.bucket(market).filled, assets))

    def cover(self, market: int, due: int) -> Usd:
        """Pay a market's part of a deficit."""
        paid = self.coverable(market, due)
        was = self.bucket(market)
        self.state.buckets[market] = Bucket(was.cap, was.filled - paid)
        self.custody.use_insurance(paid)
        return paid

    def set_bucket_cap(self, market: int, cap: int) -> None:
        """Bound what a market may ever cost the fund [USD wad]."""
        require(cap < 2**112, "amount")
        filled = min(self.bucket(market).filled, cap)
        self.state.buckets[market] = Bucket(cap, filled)
