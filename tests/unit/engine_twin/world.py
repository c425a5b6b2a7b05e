"""A small protocol to test in: two markets, one collateral token, a few accounts, random actors."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from oracle.engine.auctions import State
from oracle.engine.clearinghouse import CROSS, ISOLATED
from oracle.engine.effective_time import SETTLING
from oracle.engine.margin import Basis
from oracle.engine.prices import Config
from oracle.engine.protocol import Protocol, Settings
from oracle.engine.reports import pack_quote
from oracle.engine.steward import LinePush
from oracle.engine.tiers import TierRow
from oracle.engine.units import PPM, SETTLEMENT_TOKEN, TOKEN_ASSETS, WAD, Refused

T = TypeVar("T")
START = 1_700_000_000
MICRO = 10**6  # units of the settlement token per USD
ROWS = (
    TierRow(100_000, 100_000, 300_000, 40_000, 150_000),
    TierRow(1_000_000, 150_000, 400_000, 60_000, 200_000),
    TierRow(100_000_000, 250_000, 600_000, 120_000, 300_000),
)
LATER_ROWS = (
    TierRow(200_000, 125_000, 300_000, 50_000, 160_000),
    TierRow(50_000_000, 260_000, 500_000, 100_000, 300_000),
)
HAIRCUTS = (
    TierRow(50_000, 150_000, 400_000, 100_000, 300_000),
    TierRow(10_000_000, 500_000, 900_000, 400_000, 800_000),
)
MARKETS = (0, 1)
TOKEN = 0
TOKEN_ASSET = TOKEN_ASSETS + TOKEN
ISOLATED_ACCOUNT = 5
ACCOUNTS = (1, 2, 3, 4, ISOLATED_ACCOUNT)
BANK = 9  # a rich taker


def config(**changes: int) -> Config:
    values: dict[str, Any] = {
        "band": 50_000,
        "max_move": 90_000,
        "funding_cap": 3_000,
        "price_max_age": 120,
        "open_max_age": 60,
        "maker_fee": 100,
        "taker_fee": 500,
        "min_size": 10**15,
        "soft_cap": 2_000_000,
        "hard_cap": 10_000_000,
    }
    return Config(**(values | changes))


class World:
    """A protocol, its true prices, and what its random actors tried."""

    def __init__(self, seed: int = 0, settings: Settings | None = None) -> None:
        self.random = random.Random(seed)
        self.tried: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.p = Protocol(START, settings)
        self.prices = {0: 100 * WAD, 1: 20_000 * WAD, TOKEN_ASSET: 2_000 * WAD}
        for market in MARKETS:
            self.p.list_asset(market, config(), ROWS)
        token = config(min_size=0, maker_fee=0, taker_fee=0, soft_cap=0, hard_cap=0)
        self.p.list_asset(TOKEN_ASSET, token, HAIRCUTS)
        self.p.list_token(unit=1, cap=10**6 * WAD, outflow_cap=10**6 * WAD, window=86_400)
        self.p.custody.set_collateral_multiple(10 * PPM)
        self.p.set_interest_rate(3 * 10**18)
        for account in (*ACCOUNTS, BANK):
            mode = ISOLATED if account == ISOLATED_ACCOUNT else CROSS
            self.p.open_account(account, mode)
        self.p.deposit(BANK, SETTLEMENT_TOKEN, 50_000_000 * MICRO)
        self.report()

    # --- the outside world -----------------------------------------------------------------------

    def report(self, premium: int = 0, **prices: int) -> list[int]:
        """Report the true prices, after moving some: keys are p0, p1, p32."""
        self.prices |= {int(name[1:]): price for name, price in prices.items()}
        period = self.p.engine.state.clock.rules.period
        self.p.advance(period)
        observed = self.p.chain.timestamp // period * period
        quotes = [pack_quote(price, premium) for price in self.prices.values()]
        return self.p.report(observed, list(self.prices), [quotes])

    def move(self, market: int, share: int) -> None:
        """Move a market's price by a share [ppm] and report it until it is accepted."""
        price = max(1, self.prices[market] * (PPM + share) // PPM)
        self.prices[market] = price
        for _ in range(20):
            self.report()
            if self.p.engine.quote(market).mark == price:
                return

    def calm(self) -> None:
        """Report unchanged prices until nothing settles any more."""
        for _ in range(150):
            self.report()
            states = [self.p.engine.quote(market).state for market in MARKETS]
            if not any(state & SETTLING for state in states):
                return

    def fund(self, account: int, usd: int) -> None:
        self.p.deposit(account, SETTLEMENT_TOKEN, usd * MICRO)

    def size(self, account: int, market: int) -> int:
        return self.p.ledger.held(account, market).size

    def mark(self, market: int) -> int:
        return self.p.engine.quote(market).mark

    def equity(self, account: int) -> int:
        return self.p.margin(Basis.MAINTENANCE, account).equity

    def total_value(self) -> int:
        """Σ E of all accounts, haircuts included [USD wad]."""
        return sum(self.equity(account) for account in (*ACCOUNTS, BANK))

    def endangered_accounts(self) -> set[int]:
        """Accounts with E < MM now."""
        margins = {a: self.p.margin(Basis.MAINTENANCE, a) for a in (*ACCOUNTS, BANK)}
        return {a for a, margin in margins.items() if margin.equity < margin.requirement}

    def quietly(self, verb: Callable[[], T], *involved: int) -> T:
        """Call a verb that must endanger nobody but those involved, and must not lower h."""
        before, h = self.endangered_accounts(), self.p.invariants().solvency
        result = verb()
        assert self.endangered_accounts() <= before | set(involved)
        assert self.p.invariants().solvency >= h
        return result

    # --- random actors ---------------------------------------------------------------------------

    def step(self) -> str:
        """One random action; refusals are counted."""
        actions: list[tuple[int, Callable[[], object]]] = [
            (6, self.random_report),
            (2, self.random_jump),
            (10, self.random_trade),
            (3, self.random_deposit),
            (2, self.random_collateral),
            (4, self.random_withdrawal),
            (1, self.random_transfer),
            (2, self.random_push),
            (5, self.random_aim),
            (6, self.random_take),
            (4, self.random_sale),
            (4, self.random_resolve),
            (1, self.random_governance),
            (1, self.random_pause),
            (1, self.random_release),
        ]
        weights = [weight for weight, _ in actions]
        action = self.random.choices([act for _, act in actions], weights)[0]
        name = action.__name__.removeprefix("random_")
        self.tried[name] += 1
        try:
            action()
        except Refused as refused:
            return f"{name}: {refused.reason}"
        self.done[name] += 1
        return name

    def account(self) -> int:
        return self.random.choice(ACCOUNTS)

    def random_report(self) -> None:
        rng = self.random
        for asset in self.prices:
            if rng.random() < 0.7:
                self.prices[asset] = self.prices[asset] * rng.randint(970_000, 1_030_000) // PPM
        self.p.advance(rng.choice([0, 0, 10, 50, 200, 2_000]))
        self.report(premium=rng.randint(-4_000, 4_000))

    def random_jump(self) -> None:
        rng = self.random
        asset = rng.choice(list(self.prices))
        self.move(asset, rng.choice([-300_000, -150_000, -80_000, 80_000, 150_000, 400_000]))

    def random_trade(self) -> None:
        rng = self.random
        if rng.random() < 0.6:
            self.calm()
        maker, taker = rng.sample([*ACCOUNTS, BANK], 2)
        market = rng.choice(MARKETS)
        mark = self.mark(market)
        margin = self.p.margin(Basis.INITIAL, min(maker, taker))
        free = max(1_000 * WAD, margin.equity - margin.requirement)
        size = free * rng.choice([1, 3, 6, 9]) * WAD // mark * rng.choice([1, -1])
        held = self.size(maker, market)
        if held and rng.random() < 0.3:
            size = -held * rng.randint(1, 4) // rng.randint(2, 4) or -held
        price = mark * rng.randint(990_000, 1_010_000) // PPM
        if rng.random() < 0.5:
            price = mark
        self.quietly(lambda: self.p.trade(maker, taker, market, size, price), maker, taker)
        for account in (maker, taker):
            self.assert_opened_soundly(account, market)

    def assert_opened_soundly(self, account: int, market: int) -> None:
        """Invariant 4: whoever may open is not liquidatable at the same price."""
        initial = self.p.margin(Basis.INITIAL, account)
        margin = self.p.margin(Basis.MAINTENANCE, account)
        if initial.equity >= initial.requirement:
            assert margin.equity >= margin.requirement

    def random_deposit(self) -> None:
        account, usd = self.account(), self.random.randint(1, 200_000)
        self.quietly(lambda: self.fund(account, usd))

    def random_collateral(self) -> None:
        account, amount = self.account(), self.random.randint(1, 50 * WAD)
        self.quietly(lambda: self.p.deposit(account, TOKEN, amount))

    def random_withdrawal(self) -> None:
        """Near what initial margin leaves free: thresholds are where faults are."""
        rng, account = self.random, self.account()
        if rng.random() < 0.3:
            held = self.p.custody.collateral_of(account, TOKEN)
            amount = rng.randint(1, held or 1)
            self.quietly(lambda: self.p.withdraw(account, TOKEN, amount, account))
            return
        if rng.random() < 0.6:
            self.calm()
        margin = self.p.margin(Basis.INITIAL, account)
        free = max(0, margin.equity - margin.requirement) // 10**12
        amount = max(1, free + rng.choice([-free // 2, -2, -1, 0, 1, 2]))
        self.quietly(lambda: self.p.withdraw(account, SETTLEMENT_TOKEN, amount, account))

    def random_transfer(self) -> None:
        giver, taker = self.random.sample(ACCOUNTS, 2)
        amount = self.random.randint(1, 10_000 * WAD)
        self.quietly(lambda: self.p.transfer(giver, taker, amount))

    def random_push(self) -> None:
        rng = self.random
        asset = rng.choice(list(self.prices))
        self.p.advance(rng.choice([0, 3_000]))
        line = self.p.engine.asset(asset).line
        severity = line.severity + rng.randint(-12_000, 55_000)
        depth = line.depth + rng.randint(-260_000, 12_000)
        push = LinePush(asset, severity, depth, line.pushed)
        self.quietly(lambda: self.p.push(self.p.chain.timestamp + 60, [push]))

    def random_take(self) -> None:
        rng, account = self.random, self.endangered()
        if rng.random() < 0.3:
            self.calm()
        self.p.poke(account)
        for _ in range(rng.choice([0, 5, 30])):
            self.report()
        markets = self.p.ledger.account(account).markets
        market = rng.choice(markets) if markets else 0
        limit = 10**30 if self.size(account, market) > 0 else 0
        size = rng.randint(1, 10**24)
        self.quietly(lambda: self.p.take(account, market, size, BANK, limit), account)
        assert self.equity(account) >= 0

    def random_sale(self) -> None:
        account = self.endangered()
        self.p.poke(account)
        for _ in range(self.random.choice([1, 20, 70, 130])):
            self.report()
        amount = self.random.randint(1, 10**21)
        self.quietly(lambda: self.p.take_collateral(account, TOKEN, amount, BANK, 10**30), account)

    def random_aim(self) -> None:
        """Move a market to an account's liquidation price, or a little beyond, and touch it."""
        rng, account = self.random, self.account()
        markets = [m for m in self.p.ledger.account(account).markets if self.size(account, m)]
        if not markets:
            raise Refused("nothing to aim at")
        market = rng.choice(markets)
        border = self.p.liquidation_price(account, market)
        if border is None:
            raise Refused("nothing to aim at")
        beyond = rng.choice([0, 1, border // 200, border // 100, border // 30])
        price = border - beyond if self.size(account, market) > 0 else border + beyond
        self.prices[market] = max(1, price)
        for _ in range(9):
            self.report()
        self.p.poke(account)

    def random_resolve(self) -> None:
        account = self.endangered()
        has_collateral = self.p.custody.collateral_of(account, TOKEN) > 0
        resolved = self.p.resolve(account)
        parts = resolved.insured + resolved.charged + resolved.socialised
        assert resolved.deficit == parts
        if not self.p.ledger.account(account).markets and not has_collateral:
            assert self.p.ledger.account(account).cash == max(0, resolved.cash)

    def random_governance(self) -> None:
        market = self.random.choice(MARKETS)
        rows = self.random.choice([ROWS, LATER_ROWS])
        self.quietly(lambda: self.p.set_schedule(market, rows))

    def random_pause(self) -> None:
        self.p.pause()
        self.p.advance(self.random.randint(1, 10_000))
        self.p.unpause()
        self.report()

    def random_release(self) -> None:
        account = self.account()
        self.quietly(lambda: self.p.release(SETTLEMENT_TOKEN, account))

    def endangered(self) -> int:
        """The account in the worst state, or any."""
        states = {account: self.p.account_state(account) for account in ACCOUNTS}
        worst = max(states.values())
        if worst < State.LIQUIDATABLE:
            return self.account()
        return self.random.choice([a for a, state in states.items() if state == worst])
