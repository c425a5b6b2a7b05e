"""The liquidator's stage with rings in its vault and buckets in its fund."""

from __future__ import annotations

from typing import Any

import boa

from tests.support.cash import move_cash
from tests.unit.liquidator.stage import MARK, USD, WAD, Stage

SLACK = 10**12
UNIT = 10**6


class Rooms:
    """Verbs over a stage; all amounts in USD wad unless told."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.rings: list[int] = []

    def ring(self, market: int, equity: int) -> int:
        """A ring with exactly that much cash."""
        stage = self.stage
        stage.vault.open_ring(market, 0)
        ring = int(stage.vault.ring_of(market).account)
        self.set_cash(ring, equity)
        self.rings.append(ring)
        return ring

    def set_cash(self, account: int, amount: int) -> None:
        """To the wei, from or to the maker, whatever it leaves of either."""
        stage = self.stage
        gap = amount - stage.cash(account)
        move_cash(stage.ledger, stage.maker, account, gap)

    def bucket(self, market: int, amount: int) -> None:
        """A bucket with that much, to the wei, and assets for it."""
        stage = self.stage
        stage.fund.set_bucket_cap(market, 10**30)
        units = -(-amount // 10**12)
        stage.usdc.mint(stage.deployer, units * UNIT)
        stage.usdc.approve(stage.fund, 2**255)
        if units:
            stage.fund.give(market, units)
        stage.fund.set_bucket_cap(market, amount)

    def book(self, legs: dict[int, int], cash: int) -> int:
        """An account with legs opened at the mark of 1,000 and that much cash [USD]."""
        account = self.stage.account("trader", cash)
        for market, size in legs.items():
            self.stage.trade(account, self.stage.maker, size, market)
        return account

    def finish_auction(self, account: int) -> None:
        self.stage.liquidator.poke(account)
        boa.env.time_travel(seconds=600)

    def resolve(self, account: int) -> tuple[list[Any], Any]:
        """Events of legs, and of the account."""
        events = self.stage.resolve(account)
        legs = [e for e in events if type(e).__name__ == "LegResolved"]
        (whole,) = [e for e in events if type(e).__name__ == "AccountResolved"]
        return legs, whole

    def payment(self, equity: int, mm: int) -> int:
        return int(min(max(0, equity - SLACK), 2 * mm // 3))

    def dust(self, *accounts: int) -> int:
        """T + D_h less what everybody owns at the marks; no fees and no interest here."""
        stage = self.stage
        totals = stage.custody.totals()
        people = {*accounts, *self.rings, stage.maker, stage.taker}
        owned = sum(stage.margin(a, 1)[0] for a in people)
        return int(totals.tokens + totals.deficit - owned)


__all__ = ["MARK", "SLACK", "USD", "WAD", "Rooms"]
