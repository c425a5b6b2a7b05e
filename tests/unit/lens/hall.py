"""The whole protocol with a lens, and short ways to get into every state a lens must read."""

from __future__ import annotations

import boa

from tests.support.compiled import load
from tests.support.world import BTC, CROSS, WAD, World
from tests.unit.engine import harness

MARKETS = {0: 20_000 * WAD, 1: 2_000 * WAD, 2: WAD // 3, 3: 150 * WAD}
SOFT, HARD = 40_000_000, 80_000_000


class Hall(World):
    """Market 1 has open-interest caps; `maker` can take the other side of anything."""

    def __init__(self) -> None:
        super().__init__(markets=MARKETS)
        self.lens = load("contracts/Lens.vy").deploy(
            self.ledger.address, self.engine.address, self.liquidator.address
        )
        self.maker = self.open("maker", 1_000_000_000)
        self.count = 0

    def trader(self, usd: int, mode: int = CROSS) -> int:
        self.count += 1
        return self.open("trader", usd, mode, sub=self.count)

    def flat(self) -> int:
        """A counterparty without positions."""
        self.count += 1
        return self.open("counterparty", 1_000_000_000, sub=self.count)

    def buy(self, account: int, size: int, market: int = BTC, price: int | None = None) -> None:
        """At the mark unless told otherwise; negative sizes sell. The maker is the maker."""
        price = self.mark(market) if price is None else price
        self.gateway.trade(self.maker, account, market, -size, price, 0)

    def cap(self, market: int, soft: int, hard: int) -> None:
        config = harness.Config(soft_cap=soft, hard_cap=hard)
        with self.system.as_owner():
            self.settings.set_config(market, config.tuple())

    def set_price(self, market: int, price: int) -> None:
        """Past every guard: the price word itself, observed now (no pause behind it)."""
        word = self.system.word(harness.PRICES, market)
        word = (word & (2**166 - 1)) | price << 166
        word = word & ~(0xFFFFFFFF << 16) | self.system.time << 16
        with boa.env.prank(self.settings.address):
            self.engine.store(harness.PRICES, market, word)

    def cut(self, market: int = BTC, is_long: bool = True) -> None:
        """Deleverage a side: an account in the backstop, not bankrupt, is closed against it."""
        loser = self.trader(5_300)
        mark = self.mark(market)
        size = 100_000 * WAD * WAD // mark
        self.buy(loser, -size if is_long else size, market)
        self.set_price(market, mark * 105 // 100 if is_long else mark * 95 // 100)
        self.liquidator.resolve(loser)
        self.set_price(market, mark)

    def attempt(
        self, account: int, counterparty: int, market: int, size: int, price: int, is_maker: bool
    ) -> str:
        """Trade; the reason of the refusal, empty if there was none."""
        maker, taker, signed = (
            (account, counterparty, size) if is_maker else (counterparty, account, -size)
        )
        try:
            self.gateway.trade(maker, taker, market, signed, price, 0)
        except boa.BoaError as error:
            return reason_of(error)
        return ""


def reason_of(error: boa.BoaError) -> str:
    output: bytes = error.call_trace.computation.output
    return output[68 : 68 + int.from_bytes(output[36:68], "big")].decode()
