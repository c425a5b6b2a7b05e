"""Exact holes, fees and stakes for tests of fund, vault and reserve.

A hole is made by the liquidator's verbs as a resolution makes one, so that claims, tokens and D_h
stay in step: somebody is paid by a debtor who has nothing, and the debt is forgiven.
"""

from __future__ import annotations

from typing import Any

import boa

from tests.support.cash import move_cash
from tests.support.world import (
    BTC,
    DELAYS,
    SETTLEMENT,
    UNIT,
    USD,
    WAD,
    WAD_PER_UNIT,
    World,
    address_of,
)

DAY = 86_400
WINDOW = 3 * DAY
VIRTUAL = 10**6
FEE_SIZE = 10**15


class Till:
    """Verbs over a world: whoever is named here is an owner or a staker."""

    def __init__(self, world: World) -> None:
        self.world = world

    # --- holes and fees -----------------------------------------------------------------------

    def hole(self, amount: int, winner: int) -> None:
        """`winner` gains `amount` [USD wad] that nobody has: D_h grows by it."""
        world = self.world
        debtor = self.account("debtor")
        move_cash(world.ledger, debtor, winner, amount)
        with world.as_liquidator():
            world.ledger.write_off(debtor, amount, amount)

    def account(self, name: str, usd: int = 0) -> int:
        """The account of a name, opened where it is new."""
        account = int(address_of(name), 16) << 96
        if self.world.account(account).mode == 0:
            self.world.open(name)
        if usd:
            self.world.deposit(account, usd * UNIT)
        return account

    def fees(self, amount: int, market: int = BTC) -> None:
        """The market earns `amount` [USD wad] of fees, to the wei, from two who trade for it."""
        world = self.world
        if world.state(market) & 3:
            world.calm(market)
        payer, friend, third = (self.account(f"{name} {market}") for name in ("a", "b", "c"))
        for account in (payer, friend, third):
            self.world.deposit(account, (amount // WAD_PER_UNIT) + 10_000 * UNIT)
        before = world.market(market).fees
        if world.size(payer, market) == 0:
            world.trade(payer, friend, FEE_SIZE * 10, market)
            before = world.market(market).fees
            world.ledger.sweep(market)  # those of opening are not wanted
            before = 0
        with world.as_liquidator():
            world.ledger.take_over(payer, third, market, FEE_SIZE, world.mark(market), amount)
        assert world.market(market).fees - before == amount

    # --- custody ------------------------------------------------------------------------------

    def totals(self) -> Any:
        return self.world.custody.totals()

    def ratio(self) -> tuple[int, int]:
        """h as numerator and denominator."""
        totals = self.totals()
        return totals.tokens, totals.tokens + totals.deficit

    def held(self) -> int:
        """[USD wad] all settlement tokens in custody."""
        return self.world.token.balanceOf(self.world.custody.address) * WAD_PER_UNIT

    def collect(self, account: int, receiver: str | None = None) -> None:
        with self.world.as_owner_of(account):
            self.world.custody.collect_ticket(account, receiver or self.world.owner_of(account))

    def release(self, receiver: str) -> None:
        self.world.custody.release(SETTLEMENT, receiver)

    # --- shares -------------------------------------------------------------------------------

    def request(self, target: Any, name: str, units: int) -> None:
        """Hand tokens in."""
        owner = address_of(name)
        self.world.token.mint(owner, units)
        with boa.env.prank(owner):
            self.world.token.approve(target.address, 2**256 - 1)
            target.request_deposit(units)

    def deposit(self, target: Any, name: str, units: int) -> int:
        with boa.env.prank(address_of(name)):
            return int(target.deposit(units, address_of(name)))

    def stake(self, target: Any, name: str, units: int) -> int:
        """Hand in, wait, and get shares."""
        self.request(target, name, units)
        self.wait(DELAYS[0])
        return self.deposit(target, name, units)

    def request_exit(self, target: Any, name: str, shares: int) -> None:
        with boa.env.prank(address_of(name)):
            target.request_redeem(shares)

    def redeem(self, target: Any, name: str, shares: int) -> int:
        with boa.env.prank(address_of(name)):
            return int(target.redeem(shares, address_of(name), address_of(name)))

    def wait(self, seconds: int) -> None:
        """Let time pass without reports."""
        self.world.system.wait(seconds)

    def give(self, market: int, usd: int, name: str = "giver") -> None:
        """To the fund's bucket of a market, whose cap is raised for it."""
        world = self.world
        if world.fund.cap_of(market) == 0:
            with world.as_owner():
                world.fund.set_bucket_cap(market, 10**30)
        owner = address_of(name)
        world.token.mint(owner, usd * UNIT)
        with boa.env.prank(owner):
            world.token.approve(world.fund.address, 2**256 - 1)
            world.fund.give(market, usd * UNIT)

    def ring(self, market: int, usd: int) -> int:
        """A ring with that much cash from a giver; returns its account."""
        world = self.world
        owner = address_of("vault giver")
        world.token.mint(owner, usd * UNIT)
        with boa.env.prank(owner):
            world.token.approve(world.vault.address, 2**256 - 1)
            world.vault.give(usd * UNIT)
        with world.as_owner():
            world.vault.open_ring(market, usd * USD)
        world.vault.fill_ring(market)
        return int(world.vault.ring_of(market).account)

    def rest(self, market: int = BTC) -> None:
        """Prices known again after time passed, and nothing settles."""
        self.world.calm(market)


__all__ = ["DAY", "VIRTUAL", "WAD", "WINDOW", "Till"]
