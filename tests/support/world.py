"""The whole protocol on titanoboa, and a gateway that trades what it is told.

Actors are named by role. Amounts: `usd` is whole USD, `units` the settlement token's own, else wad.
Prices do not move by themselves: `tick` reports what `prices` says, `drive` moves one there in
small steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import boa
from eth_utils import keccak

from tests.support.compiled import load
from tests.unit.engine import harness

WAD = 10**18
RAY = 10**27
PPM = 10**6
USD = 10**18
UNIT = 10**6  # one settlement token
WAD_PER_UNIT = 10**12
CROSS, ISOLATED = 1, 2
SETTLEMENT = 255
TOKEN_ASSETS = 32
BTC, ETH = 0, 1
MILLION = 1_000_000
HUGE = 2**255
ZERO = "0x" + "00" * 20
INITIAL, LIVE, MAINTENANCE = harness.INITIAL, harness.LIVE, harness.MAINTENANCE
HEALTHY, CALLED, LIQUIDATABLE, BACKSTOP, BANKRUPT = range(5)
# duration, tail [s]; discount_min, discount_max, insurance_fee [ppm of calm MMR_0];
# min_deficit, reward [USD wad]
LIQUIDATION = (600, 600, 50_000, 400_000, 100_000, 100 * USD, 0)
DELAYS = (86_400, 7 * 86_400)  # [s] of deposits to fund and vault, and of redemptions
DEFAULT_PRICES = {BTC: 20_000 * WAD, ETH: 2_000 * WAD}
STEP = 9_000  # [ppm] a report that moves less than MMR_0 begins no aftermath


@dataclass(frozen=True)
class AccountState:
    """An account's word, read out."""

    cash: int
    tokens: int
    mode: int
    floor: int  # [ppm]
    gateways: int
    markets: tuple[int, ...]


@dataclass(frozen=True)
class PositionState:
    """A position's word, read out."""

    scaled: int
    z: int
    epoch: int


@dataclass(frozen=True)
class SideState:
    """One side of a market, read out."""

    total: int
    epoch: int
    is_cut: bool
    scale: int
    credit: int


@dataclass(frozen=True)
class MarketState:
    """Both sides and the books of a market, read out."""

    long: SideState
    short: SideState
    net: int
    fees: int


def address_of(name: str) -> Any:
    """The address of a named person, the same in every run."""
    return boa.util.abi.Address("0x" + keccak(text=name)[-20:].hex())


def signed(value: int, bits: int) -> int:
    """The low bits of a word as a signed number."""
    value &= 2**bits - 1
    return value - 2**bits if value >> (bits - 1) else value


def ceil_div(x: int, y: int) -> int:
    return -(-x // y)


def notional(size: int, price: int) -> int:
    return ceil_div(abs(size) * price, WAD)


def fees(size: int, price: int, maker: int = 200, taker: int = 500) -> tuple[int, int]:
    """Of maker and taker [USD wad], as the ledger rounds them."""
    n = notional(size, price)
    return ceil_div(n * maker, PPM), ceil_div(n * taker, PPM)


def requirement(size: int, price: int, rates: Sequence[tuple[int, int]]) -> int:
    """ceil(R(N)) for calm rates by bracket: (bound in USD, rate in ppm)."""
    n, total, last, lower = notional(size, price), 0, 0, 0
    for bound, rate in rates:
        total += (rate - last) * max(0, n - lower * USD)
        last, lower = rate, bound
    return ceil_div(total, PPM)


CALM_IM = [(row[0], row[1]) for row in harness.TABLE]
CALM_MM = [(row[0], row[3]) for row in harness.TABLE]


class World:
    """One deployment; `fresh` around a test gives it back as it was."""

    def __init__(
        self,
        markets: dict[int, int] | None = None,
        config: harness.Config | None = None,
        table: Sequence[tuple[int, ...]] = harness.TABLE,
        settlement: str = "TokenMock",
        decimals: int = 6,
    ) -> None:
        self._deploy(settlement, decimals)
        self.wad_per_unit = 10 ** (18 - decimals)
        self.prices: dict[int, int] = {}
        for market, price in (DEFAULT_PRICES if markets is None else markets).items():
            self.list_market(market, price, config, table)
        self.born = self.system.time

    def _deploy(self, settlement: str, decimals: int) -> None:
        for path in ("contracts/RiskSettings.vy", "contracts/RiskEngine.vy"):
            harness._LOADED[path] = load(path)
        self.system = harness.deploy()
        self.engine = self.system.engine
        self.settings = self.system.settings
        self.owner = self.system.owner
        self.guardian = self.system.guardian
        with boa.env.prank(self.owner):
            self.token = deploy_token(settlement, decimals)
            self.custody = load("contracts/Custody.vy").deploy(
                self.engine.address, self.token.address
            )
            self.ledger = load("contracts/Clearinghouse.vy").deploy(
                self.engine.address, self.token.address, self.custody.address
            )
            self.custody.set_ledger(self.ledger.address)
            self.gateway = load("contracts/mocks/stubs/StubGateway.vy").deploy(self.ledger.address)
            self.fund = load("contracts/InsuranceFund.vy").deploy(
                self.custody.address, self.ledger.address, self.engine.address, *DELAYS
            )
            self.custody.set_insurance_fund(self.fund.address)
            self.vault = load("contracts/BackstopVault.vy").deploy(
                self.ledger.address, self.engine.address, self.gateway.address, *DELAYS
            )
            self.liquidator = load("contracts/Liquidator.vy").deploy(
                self.ledger.address,
                self.engine.address,
                self.fund.address,
                self.vault.address,
                LIQUIDATION,
            )
            self.ledger.set_gateway_at(0, self.gateway.address)
            self.ledger.set_liquidator(self.liquidator.address)
            self.settings.set_liquidator(self.liquidator.address)

    @contextmanager
    def fresh(self) -> Iterator[World]:
        """Everything done inside is undone, time included."""
        prices = dict(self.prices)
        with boa.env.anchor():
            self.system.at(self.born)
            yield self
        self.prices = prices

    # --- governance and guardian ------------------------------------------------------------------

    def as_owner(self) -> Any:
        return boa.env.prank(self.owner)

    def as_guardian(self) -> Any:
        return boa.env.prank(self.guardian)

    def as_liquidator(self) -> Any:
        """The ledger's and custody's liquidator, without its rules."""
        return boa.env.prank(self.liquidator.address)

    def list_market(
        self,
        market: int,
        price: int,
        config: harness.Config | None = None,
        table: Sequence[tuple[int, ...]] = harness.TABLE,
    ) -> None:
        self.system.list(market, config, table, price=price)
        self.prices[market] = price

    def list_token(
        self,
        price: int = 1_000 * WAD,
        kind: str = "TokenMock",
        decimals: int = 18,
        table: Sequence[tuple[int, ...]] = harness.HAIRCUTS,
        cap: int = 10**30,
        outflow: int = 2**96 - 1,
        window: int = 86_400,
    ) -> tuple[int, Any]:
        """A collateral token and its price; the multiple is set to its highest."""
        with self.as_owner():
            token = deploy_token(kind, decimals)
            index = self.custody.list_token(token.address, cap, outflow, window)
            self.custody.set_collateral_multiple(10 * PPM)
        self.system.list(TOKEN_ASSETS + index, table=table, price=price)
        self.prices[TOKEN_ASSETS + index] = price
        return index, token

    def set_config(self, market: int, **changes: int) -> None:
        config = harness.Config(*self.settings.config_of(market))
        with self.as_owner():
            self.settings.set_config(market, replace(config, **changes).tuple())

    # --- accounts ---------------------------------------------------------------------------------

    def open(
        self, name: str, usd: int = 0, mode: int = CROSS, sub: int = 0, gateways: int = 1
    ) -> int:
        """Open an account of a named owner with that much cash."""
        owner = address_of(name)
        with boa.env.prank(owner):
            self.ledger.open_account(sub, mode, gateways)
        account = int(owner, 16) << 96 | sub
        if usd:
            self.deposit(account, usd * 10**18 // self.wad_per_unit)
        return account

    def owner_of(self, account: int) -> str:
        return boa.util.abi.Address("0x" + hex(account >> 96)[2:].zfill(40))

    def as_owner_of(self, account: int) -> Any:
        return boa.env.prank(self.owner_of(account))

    def deposit(self, account: int, units: int) -> None:
        owner = self.owner_of(account)
        self.token.mint(owner, units)
        with boa.env.prank(owner):
            self.token.approve(self.ledger.address, 2**256 - 1)
            self.ledger.deposit(account, units)

    def withdraw(self, account: int, units: int, receiver: str | None = None) -> None:
        with self.as_owner_of(account):
            self.ledger.withdraw(account, units, receiver or self.owner_of(account))

    def transfer(self, giver: int, taker: int, amount: int) -> None:
        with self.as_owner_of(giver):
            self.ledger.transfer(giver, taker, amount)

    def set_cash(self, account: int, amount: int) -> None:
        """Bring an account's cash to the wei, from or to the account of a rich stranger."""
        bank = self.bank()
        gap = amount - self.account(account).cash
        if gap > 0:
            self.transfer(bank, account, gap)
        elif gap < 0:
            self.transfer(account, bank, -gap)

    def bank(self) -> int:
        """An account with 100 million USD that holds nothing else."""
        account = int(address_of("bank"), 16) << 96
        if self.account(account).mode == 0:
            self.open("bank", 100 * MILLION)
        return account

    def deposit_collateral(self, account: int, index: int, token: Any, units: int) -> None:
        owner = self.owner_of(account)
        token.mint(owner, units)
        with boa.env.prank(owner):
            token.approve(self.custody.address, 2**256 - 1)
            self.custody.deposit(account, index, units)

    def withdraw_collateral(
        self, account: int, index: int, units: int, receiver: str | None = None
    ) -> None:
        with self.as_owner_of(account):
            self.custody.withdraw(account, index, units, receiver or self.owner_of(account))

    # --- trading ----------------------------------------------------------------------------------

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

    def index(self, market: int = BTC) -> int:
        """g: mark less funding."""
        quote = self.engine.quote(market)
        return int(quote.mark - quote.funding)

    def make_debtor(self, name: str, debt: int, tokens: int = 100) -> int:
        """A flat account with that much negative cash to the wei, and tokens at 1,000 USD each."""
        if self.custody.token_count() == 0:
            self.list_token()
            self.set_config(ETH, maker_fee=0, taker_fee=0)
        account, friend = self.open(name), self.bank()
        token = load("contracts/mocks/TokenMock.vy").at(self.custody.token_at(0))
        self.deposit_collateral(account, 0, token, tokens * WAD)
        mark = self.mark(ETH)
        # bought above the mark and sold at it: the account loses size times the difference
        for lost in range(0, debt, 2_500 * USD):
            size = max(10**15, ceil_div(min(debt - lost, 2_500 * USD), 50))
            self.trade(account, friend, size, ETH, mark + 50 * USD)
            self.trade(friend, account, size, ETH, mark)
        self.set_cash(account, -debt)
        return account

    # --- time and prices --------------------------------------------------------------------------

    def report(self, prices: dict[int, int], wait: int = 60, premium: int = 0) -> list[int]:
        """Let time pass and report; the quotes that were accepted."""
        self.system.wait(wait)
        self.prices |= prices
        return self.system.report(prices, premium=premium)

    def tick(self, wait: int = 60, **changes: int) -> None:
        """Let time pass and report every price; `p0=...` moves market 0."""
        self.prices |= {int(name[1:]): price for name, price in changes.items()}
        self.report(self.prices, wait)

    def refresh(self, wait: int = 60) -> None:
        self.tick(wait)

    def drive(self, asset: int, price: int, step: int = STEP) -> None:
        """Move a price in steps that begin no aftermath, every minute one."""
        while self.prices[asset] != price:
            now = self.prices[asset]
            limit = now * step // PPM
            self.prices[asset] = max(now - limit, min(now + limit, price))
            self.tick()

    def pass_time(self, seconds: int, every: int = 300) -> None:
        """Let time pass while prices stay known."""
        while seconds > 0:
            part = min(seconds, every)
            self.tick(part)
            seconds -= part

    def calm(self, market: int = BTC) -> None:
        """Report unchanged prices until the market settles no more."""
        for _ in range(50):
            if self.state(market) & 3 == 0:
                return
            self.tick(60)
        raise AssertionError("still settling")

    def state(self, asset: int) -> int:
        return self.engine.price_of(asset).state

    # --- reading ----------------------------------------------------------------------------------

    def health(self, account: int, basis: int = MAINTENANCE) -> Any:
        book = self.ledger.book(account)
        return self.engine.assess(basis, book.cash, book.floor, book.legs, book.holdings)

    def surplus(self, account: int, basis: int = MAINTENANCE) -> int:
        """Equity less requirement."""
        margin = self.health(account, basis)
        return margin.equity - margin.requirement

    def size(self, account: int, market: int = BTC) -> int:
        return sum(leg.size for leg in self.ledger.book(account).legs if leg.market == market)

    def account(self, account: int) -> AccountState:
        """As stored: interest since the last touch is in `ledger.book`."""
        word = self.ledger.account_word(account)
        entries = [(word >> (6 * i)) & 63 for i in range(16)]
        assert 0 not in entries[: sum(1 for e in entries if e)]
        return AccountState(
            cash=signed(word >> 152, 104),
            tokens=(word >> 144) & 255,
            mode=(word >> 142) & 3,
            floor=100 * ((word >> 128) & 16383),
            gateways=(word >> 120) & 255,
            markets=tuple(e - 1 for e in entries if e),
        )

    def cash(self, account: int) -> int:
        return self.account(account).cash

    def position(self, account: int, market: int = BTC) -> PositionState:
        word = self.ledger.position_word(account, market)
        return PositionState(
            scaled=signed(word >> 144, 112), z=signed(word >> 16, 128), epoch=word & 65535
        )

    def market(self, market: int = BTC) -> MarketState:
        word = self.ledger.side_word(market)
        tally = self.ledger.tally_word(market)
        return MarketState(
            long=self._side(2 * market, word >> 144, (word >> 17) & 32767, (word >> 16) & 1),
            short=self._side(
                2 * market + 1, (word >> 32) & (2**112 - 1), (word >> 1) & 32767, word & 1
            ),
            net=signed(tally >> 128, 128),
            fees=tally & (2**128 - 1),
        )

    def _side(self, index: int, total: int, epoch: int, is_cut: int) -> SideState:
        scale, credit = RAY, 0
        if is_cut:
            word = self.ledger.cut_word(index)
            scale, credit = word >> 160, signed(word, 160)
        return SideState(total, epoch, bool(is_cut), scale, credit)

    def dust(self, accounts: Sequence[int], markets: Sequence[int] = (BTC, ETH)) -> int:
        """Tokens + D_h less every claim (invariant 1) times RAY·1e18, so that nothing rounds."""
        totals = self.custody.totals()
        claims = self.ledger.interest_collected() + sum(self.ledger.book(a).cash for a in accounts)
        ended = 0
        scaled_claims = 0
        for m in markets:
            state, quote = self.market(m), self.engine.quote(m)
            g = quote.mark - quote.funding
            claims += state.fees
            for side, sign in ((state.long, 1), (state.short, -1)):
                scaled_claims += side.total * (side.credit * WAD + sign * side.scale * g)
            for a in accounts:
                position = self.position(a, m)
                side = state.long if position.scaled > 0 else state.short
                if position.scaled and position.epoch == side.epoch:
                    ended += position.z
        held = totals.tokens + totals.deficit - claims + ended
        return held * RAY * WAD - scaled_claims


def deploy_token(kind: str, decimals: int) -> Any:
    """A token of contracts/mocks."""
    token = load(f"contracts/mocks/{kind}.vy")
    if kind == "TokenMock":
        return token.deploy("Token", "TKN", decimals)
    return token.deploy(decimals)


def events(contract: Any) -> list[tuple[Any, ...]]:
    """All events of the last call of a contract, nested calls included: name, then fields."""
    return [(type(log).__name__, *log[1:]) for log in contract.get_logs()]


def events_of(contract: Any, *names: str) -> list[tuple[Any, ...]]:
    """The same, of those names only."""
    return [event for event in events(contract) if event[0] in names]
