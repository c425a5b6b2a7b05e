"""One gateway between mocks of the clearinghouse and the risk engine, and the people around it."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import Any

import boa
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.signing import Domain, Order, account_id, sign

WAD = 10**18
PPM = 10**6
DAY = 86_400
NOON = 20_000 * DAY + DAY // 2
MARKET = 3
SETTLEMENT = 255
UNLIMITED = 2**256 - 1
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def person(name: str) -> LocalAccount:
    """A key that is the same in every run."""
    return Account.from_key(name.encode().rjust(32, b"\x01"))


@dataclass
class Desk:
    """Contracts and actors by role. The order of the maker buys 10 at 2,000; the mark is 2,000."""

    gateway: Any
    clearinghouse: Any
    engine: Any
    maker: LocalAccount
    taker: LocalAccount
    keyholder: LocalAccount
    stranger: LocalAccount

    @property
    def maker_account(self) -> int:
        return account_id(self.maker.address, 1)

    @property
    def taker_account(self) -> int:
        return account_id(self.taker.address, 2)

    @property
    def domain(self) -> Domain:
        return Domain(chain_id=boa.env.evm.patch.chain_id, contract=str(self.gateway.address))

    def order(self, **changes: Any) -> Order:
        """The maker's order, changed."""
        order = Order(
            account=self.maker_account,
            market=MARKET,
            size=10 * WAD,
            limit_price=2_000 * WAD,
            max_fee=500,
            expiry=NOON + 600,
            salt=7,
        )
        return replace(order, **changes)

    def taker_order(self, **changes: Any) -> Order:
        """The taker's order that crosses the maker's, changed."""
        order = self.order(account=self.taker_account, size=-10 * WAD)
        return replace(order, **changes)

    def sign(self, order: Order, signer: LocalAccount | None = None) -> bytes:
        return sign(order, self.domain, signer or self.maker).packed

    def fill(
        self,
        order: Order,
        size: int = 10 * WAD,
        *,
        signature: bytes | None = None,
        taker_account: int | None = None,
        sender: str | None = None,
        **how: Any,
    ) -> Any:
        """The taker fills the order, by default rightly signed and whole."""
        return self.gateway.fill(
            astuple(order),
            self.sign(order) if signature is None else signature,
            size,
            self.taker_account if taker_account is None else taker_account,
            sender=sender or self.taker.address,
            **how,
        )

    def fill_within(
        self,
        order: Order,
        size: int = 10 * WAD,
        *,
        limit: int,
        max_fee: int = UNLIMITED,
        sender: str | None = None,
        taker_account: int | None = None,
    ) -> Any:
        return self.gateway.fill_within(
            astuple(order),
            self.sign(order),
            size,
            self.taker_account if taker_account is None else taker_account,
            (limit, max_fee),
            sender=sender or self.taker.address,
        )

    def match(
        self,
        maker: Order,
        taker: Order,
        size: int = 10 * WAD,
        *,
        signatures: tuple[bytes, bytes] | None = None,
        sender: str | None = None,
    ) -> Any:
        """A stranger brings the pair, by default rightly signed and whole."""
        if signatures is None:
            signatures = self.sign(maker, self.maker), self.sign(taker, self.taker)
        return self.gateway.match(
            astuple(maker),
            astuple(taker),
            *signatures,
            size,
            sender=sender or self.stranger.address,
        )

    def digest(self, order: Order) -> bytes:
        return self.gateway.digest_of(astuple(order))

    def filled(self, order: Order) -> int:
        return self.gateway.filled(self.digest(order))

    def trades(self) -> list[tuple[int, int, int, int, int, int]]:
        """(maker, taker, market, size, price, reduce) of every trade so far, oldest first."""
        count = self.clearinghouse.trade_count()
        return [tuple(self.clearinghouse.trades(i))[1:] for i in range(count)]

    def set_key(
        self,
        *,
        account: int | None = None,
        owner: LocalAccount | None = None,
        expiry: int = NOON + 3_600,
        slippage: int = 10_000,
        daily_notional: int = 10**6 * WAD,
    ) -> None:
        """The maker lets the keyholder trade: 1 % from the mark, a million a day, for an hour."""
        self.gateway.set_session_key(
            self.maker_account if account is None else account,
            self.keyholder.address,
            expiry,
            slippage,
            daily_notional,
            sender=(owner or self.maker).address,
        )
