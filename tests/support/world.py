"""The whole protocol on titanoboa: engine, custody, ledger, a gateway that trades what it is told.

Actors are named by role. Amounts: `cash` in whole USD where said, otherwise wad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boa

from tests.unit.engine import harness

WAD = 10**18
USD = 10**18
UNIT = 10**6  # one settlement token
CROSS, ISOLATED = 1, 2
SETTLEMENT = 255
BTC, ETH = 0, 1
MILLION = 1_000_000
# duration, tail [s]; discount_min, discount_max, insurance_fee [ppm of calm MMR_0]; min_deficit [USD wad]
LIQUIDATION = (600, 600, 50_000, 400_000, 100_000, 100 * USD)
DEFAULT_PRICES = {BTC: 20_000 * WAD, ETH: 2_000 * WAD}


class World:
    """One deployment; `boa.env.anchor()` around a test gives it back as it was."""

    def __init__(
        self,
        markets: dict[int, int] | None = None,
        config: harness.Config | None = None,
        table: Sequence[tuple[int, ...]] = harness.TABLE,
    ) -> None:
        self.system = harness.deploy()
        self.engine = self.system.engine
        self.settings = self.system.settings
        self.owner = self.system.owner
        token = harness.load("contracts/mocks/TokenMock.vy")
        with boa.env.prank(self.owner):
            self.token = token.deploy("USD Coin", "USDC", 6)
            self.custody = harness.load("contracts/Custody.vy").deploy(
                self.engine.address, self.token.address
            )
            self.ledger = harness.load("contracts/Clearinghouse.vy").deploy(
                self.engine.address, self.token.address, self.custody.address
            )
            self.custody.set_ledger(self.ledger.address)
            self.gateway = harness.load("contracts/mocks/stubs/StubGateway.vy").deploy(
                self.ledger.address
            )
            self.liquidator = harness.load("contracts/Liquidator.vy").deploy(
                self.ledger.address, self.engine.address, LIQUIDATION
            )
            self.ledger.set_gateway_at(0, self.gateway.address)
            self.ledger.set_liquidator(self.liquidator.address)
            self.settings.set_liquidator(self.liquidator.address)
        self.markets = dict(DEFAULT_PRICES if markets is None else markets)
        for market, price in self.markets.items():
            self.system.list(market, config, table, price=price)

    # --- accounts ---------------------------------------------------------------------------------------

    def open(self, name: str, usd: int = 0, mode: int = CROSS, sub: int = 0) -> int:
        """Open an account of a named owner with that much cash (whole USD)."""
        owner = boa.env.generate_address(name)
        with boa.env.prank(owner):
            self.ledger.open_account(sub, mode, 1)
        account = int(owner, 16) << 96 | sub
        if usd:
            self.deposit(account, usd * UNIT)
        return account

    def owner_of(self, account: int) -> str:
        return boa.util.abi.Address("0x" + hex(account >> 96)[2:].zfill(40))

    def deposit(self, account: int, units: int) -> None:
        owner = self.owner_of(account)
        self.token.mint(owner, units)
        with boa.env.prank(owner):
            self.token.approve(self.ledger.address, 2**256 - 1)
            self.ledger.deposit(account, units)

    def withdraw(self, account: int, units: int, receiver: str | None = None) -> None:
        owner = self.owner_of(account)
        with boa.env.prank(owner):
            self.ledger.withdraw(account, units, receiver or owner)

    # --- trading ----------------------------------------------------------------------------------------

    def trade(
        self,
        buyer: int,
        seller: int,
        size: int,
        market: int = BTC,
        price: int | None = None,
        reduce: int = 0,
    ) -> Any:
        """The buyer is the maker."""
        price = self.mark(market) if price is None else price
        return self.gateway.trade(buyer, seller, market, size, price, reduce)

    def mark(self, market: int) -> int:
        return self.engine.quote(market).mark

    def report(self, prices: dict[int, int], wait: int = 60, premium: int = 0) -> None:
        """Let time pass and report."""
        self.system.wait(wait)
        self.system.report(prices, premium=premium)

    def refresh(self, wait: int = 60) -> None:
        self.report({m: self.mark(m) for m in self.markets}, wait)

    # --- reading ----------------------------------------------------------------------------------------

    def health(self, account: int, basis: int = harness.MAINTENANCE) -> Any:
        book = self.ledger.book(account)
        return self.engine.assess(basis, book.cash, book.floor, book.legs, book.holdings)
