"""The vault's manager at the real gateway: number 0 is OrderGateway, number 1 the stub."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import boa
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.signing import Domain, Order, sign
from tests.support import world as worlds
from tests.support.compiled import load
from tests.support.world import BTC, UNIT, USD, World, address_of

DAY = 86_400


class _RealGateway:
    """Stands in for the stub's deployer while the world is built."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def deploy(self, ledger: str) -> Any:
        return load("contracts/OrderGateway.vy").deploy(ledger, self.engine.address)


class Desk(World):
    """Its manager may trade 1 % from the mark and lose 100 USD a day."""

    def _deploy(self, settlement: str, decimals: int) -> None:
        def chosen(path: str) -> Any:
            return _RealGateway(self.engine) if path.endswith("StubGateway.vy") else load(path)

        worlds.load = chosen  # type: ignore[attr-defined]
        try:
            super()._deploy(settlement, decimals)
        finally:
            worlds.load = load  # type: ignore[attr-defined]
        self.desk = self.gateway
        self.manager = address_of("manager")
        with self.as_owner():
            self.gateway = load("contracts/mocks/stubs/StubGateway.vy").deploy(self.ledger.address)
            self.ledger.set_gateway_at(1, self.gateway.address)
            self.vault.set_manager(self.manager)
            self.vault.set_limits(10_000, 100 * USD)

    def open(
        self, name: str, usd: int = 0, mode: int = worlds.CROSS, sub: int = 0, gateways: int = 3
    ) -> int:
        return super().open(name, usd, mode, sub, gateways)

    def keyed(self, name: str, usd: int) -> tuple[int, LocalAccount]:
        """An account whose owner can sign."""
        key = Account.from_key(name.encode().rjust(32, b"\x01"))
        account = int(key.address, 16) << 96
        with boa.env.prank(key.address):
            self.ledger.open_account(0, worlds.CROSS, 3)
        self.deposit(account, usd * UNIT)
        return account, key

    def ring(self, usd: int, size: int, market: int = BTC) -> int:
        """A ring with that much cash and a position, had from a stranger at the mark."""
        giver = address_of("vault giver")
        self.token.mint(giver, usd * UNIT)
        with boa.env.prank(giver):
            self.token.approve(self.vault.address, 2**256 - 1)
            self.vault.give(usd * UNIT)
        with self.as_owner():
            self.vault.open_ring(market, usd * USD)
        self.vault.fill_ring(market)
        ring = int(self.vault.ring_of(market).account)
        seller, other = self.open("seller", 10**6), self.open("other", 10**6)
        self.trade(seller, other, size, market)
        with self.as_liquidator():
            self.ledger.take_over(seller, ring, market, size, self.mark(market), 0)
        return ring

    def reduce(
        self,
        maker: tuple[int, LocalAccount],
        order_size: int,
        price: int,
        size: int | None = None,
        *,
        market: int = BTC,
        sender: str | None = None,
        salt: int = 1,
    ) -> None:
        """The manager takes an order of `maker` with a ring."""
        account, key = maker
        order = Order(
            account=account,
            market=market,
            size=order_size,
            limit_price=price,
            max_fee=1_000,
            expiry=self.system.time + 600,
            salt=salt,
        )
        domain = Domain(chain_id=boa.env.evm.patch.chain_id, contract=str(self.desk.address))
        with boa.env.prank(sender or self.manager):
            self.vault.reduce(
                astuple(order),
                sign(order, domain, key).packed,
                abs(order_size) if size is None else size,
            )
