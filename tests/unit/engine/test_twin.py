"""The engine and its Python twin walk together; every answer is equal to the wei."""

from __future__ import annotations

from random import Random
from typing import Any

import boa
import pytest

from oracle.engine.chain import Chain
from oracle.engine.effective_time import PriceRules as TwinPriceRules
from oracle.engine.margin import Basis, Holding, Leg
from oracle.engine.prices import Config as TwinConfig
from oracle.engine.prices import FeedReading, FeedRule
from oracle.engine.risk_engine import Clocks, RiskEngine
from oracle.engine.steward import LinePush
from oracle.engine.steward import PushRules as TwinPushRules
from oracle.engine.tiers import TierRow

from .harness import CLOCKS, HAIRCUTS, PPM, TABLE, WAD, Config, System, default_config, deploy, load

MARKETS, TOKENS = (0, 1), (32, 33)
ASSETS = (*MARKETS, *TOKENS)
PRICES = {0: 2_000 * WAD, 1: 3 * WAD // 10, 32: WAD, 33: 100 * WAD}
CAPS = {"soft_cap": 100_000, "hard_cap": 400_000, "price_max_age": 900}
TABLES = [
    TABLE,
    [(30_000, 25_000, 90_000, 15_000, 60_000), (300_000, 80_000, 400_000, 60_000, 300_000)],
    [(1_000 * 4**k, 20_000 + 9_000 * k, 10**5 + 10**5 * k, 9_000 + 7_000 * k, 7 * 10**4 * (k + 1))
     for k in range(8)],
]  # fmt: skip


class Pair:
    """Both engines; every step is done on each."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.system: System = deploy()
        self.chain = Chain(self.system.time)
        rules = TwinPriceRules(*self.system.rules.tuple())
        push = TwinPushRules(*self.system.push_rules.tuple())
        self.twin = RiskEngine(self.chain, Clocks(*CLOCKS), rules, push, 2)
        self.price = dict(PRICES)
        for asset in ASSETS:
            config = default_config(asset) if asset in TOKENS else Config(**CAPS)
            table = HAIRCUTS if asset in TOKENS else TABLE
            self.system.list(asset, config=config, table=table, severity=123_456, depth=654_321)
            rows = [TierRow(*row) for row in table]
            twin_config = TwinConfig(*config.tuple())
            self.twin.list_asset(asset, twin_config, rows, 123_456, 654_321)
        self.feed = load("contracts/mocks/AggregatorMock.vy").deploy(8)
        with self.system.as_owner():
            self.system.settings.set_feed(33, (self.feed.address, 1_000, 10**8, 10**12))
            self.system.settings.set_liquidator(self.system.owner)
        self.twin.set_feed(33, FeedRule(1_000, 10**8, 10**12))
        self.answer(100 * 10**8)

    def answer(self, value: int) -> None:
        self.feed.set_answer(value)
        self.twin.state.feeds[33] = FeedReading(value, self.system.time)

    def wait(self) -> None:
        step = self.random.choice([1, 30, 60, 120, 300, 700, 3_000, 3_000, 20_000])
        self.system.wait(step)
        self.chain.timestamp = self.system.time

    def report(self) -> None:
        for asset in ASSETS:
            by = self.random.choice([0, 100, 2_000, 9_000, 12_000, 16_000, 100_000])
            self.price[asset] += self.random.choice([-1, 1]) * self.price[asset] * by // PPM
        if self.random.random() < 0.5:
            self.answer(self.price[33] // 10**10)
        elif self.random.random() < 0.2:
            self.answer(0)
        chosen = self.random.sample(ASSETS, self.random.randint(1, 4))
        noise = {
            a: [self.price[a] + self.random.randint(0, self.price[a] // 300) for _ in range(3)]
            for a in chosen
        }
        premium = self.random.randint(-12_000, 12_000)
        observed = self.system.grid - self.random.choice([0, 0, 60])
        observed, assets, flat, signatures = self.system.sign_report(noise, observed, premium)
        accepted = self.system.send(observed, assets, flat, signatures)
        rows = [flat[i * len(assets) : (i + 1) * len(assets)] for i in range(3)]
        assert [q >> 32 for q in accepted] == self.twin.report(observed, assets, rows)

    def push(self) -> None:
        lines = {}
        for asset in ASSETS:
            line = self.system.settings.line_of(asset)
            if self.system.engine.clock()[0] - line.pushed < 3_000:
                continue
            s = line.severity + self.random.randint(-10_000, 50_000)
            d = line.depth + self.random.randint(-100_000, 10_000)
            lines[asset] = (max(0, min(PPM, s)), max(250_000, min(PPM, d)))
        twin = [LinePush(a, s, d, self.system.nonce(a)) for a, (s, d) in lines.items()]
        self.system.push(lines)
        self.twin.push(self.system.time + 60, twin)

    def vote(self) -> None:
        table = self.random.choice(TABLES)
        with self.system.as_owner():
            try:
                self.system.settings.set_schedule(0, table)
            except boa.BoaError:
                return
        self.twin.set_schedule(0, [TierRow(*row) for row in table])

    def pause(self) -> None:
        with self.system.as_guardian():
            try:
                self.system.engine.pause()
            except boa.BoaError:
                return
            self.twin.pause()
            self.compare()
            self.wait()
            self.system.engine.unpause()
            self.twin.unpause()

    def begin_aftermath(self) -> None:
        with self.system.as_owner():
            self.system.engine.begin_aftermath(1)
        self.twin.begin_aftermath(1)

    def compare(self) -> None:
        """Every answer."""
        engine = self.system.engine
        for market in MARKETS:
            self.compare_market(engine, market)
        for asset in ASSETS:
            view, other = engine.price_of(asset), self.twin.price_of(asset)
            assert tuple(view) == (
                other.price,
                other.observed,
                other.state,
                other.funding,
                other.rate,
            )
            jump = self.twin.pending(asset)
            assert engine.pending(asset) == ((jump.price, jump.observed) if jump else (0, 0))
        for token in (0, 1):
            assert tuple(engine.collateral_terms(token)) == self.twin.collateral_terms(token)
        for basis in Basis:
            self.compare_book(engine, basis)

    def compare_market(self, engine: Any, market: int) -> None:
        quote, other = engine.quote(market), self.twin.quote(market)
        assert (quote.mark, quote.funding, quote.state) == (other.mark, other.funding, other.state)
        assert quote.open_interest_cap == other.open_interest_cap
        got, want = engine.reference_of(market), self.twin.reference_of(market)
        assert tuple(got) == (
            want.mark,
            want.funding,
            want.reference,
            want.round,
            want.calm_mmr,
            want.state,
        )
        if quote.mark == 0:
            return
        usd = 10 ** self.random.randint(15, 25)
        size = self.random.choice([-1, 1]) * (usd * WAD // quote.mark + 1)
        mm = engine.tier_requirement(market, size, 2)
        assert mm == self.twin.tier_requirement(market, size, Basis.MAINTENANCE)
        rest = self.random.choice([0, mm // 3])
        equity = (mm + rest) * self.random.randint(0, 1_300) // 1_000
        args = (market, size, equity, mm + rest, self.random.choice([0, 3_000]))
        assert engine.liquidation_size(*args) == self.twin.liquidation_size(*args)

    def compare_book(self, engine: Any, basis: Basis) -> None:
        cash, floor = self.random.randint(-(10**24), 10**24), self.random.choice([0, 77_777])
        legs = []
        for market in MARKETS:
            mark = self.twin.quote(market).mark or WAD
            size = self.random.randint(-(10**23), 10**23) * WAD // mark
            interest = abs(size) + self.random.randint(0, 5 * 10**23) * WAD // mark
            legs.append((market, size, self.random.randint(-(10**22), 10**22), interest))
        holdings = [(t, self.random.randint(0, 10**25)) for t in (0, 1)]
        got = engine.assess(basis, cash, floor, legs, holdings)
        twin_legs = [Leg(*leg) for leg in legs]
        twin_holdings = [Holding(*h) for h in holdings]
        want = self.twin.assess(basis, cash, floor, twin_legs, twin_holdings)
        state = self.twin.assess(basis, cash, floor, twin_legs, []).state
        assert tuple(got) == (want.equity, want.requirement, state, want.known_since)
        assert tuple(engine.collateral_value(holdings)) == self.twin.collateral_value(twin_holdings)


def walk(seed: int, steps: int) -> None:
    with boa.env.anchor():
        pair = Pair(Random(seed))
        steps_of = [pair.report] * 6 + [pair.push] * 2 + [pair.vote, pair.pause]
        for _ in range(steps):
            pair.wait()
            pair.random.choice([*steps_of, pair.begin_aftermath])()
            pair.compare()


@pytest.mark.parametrize("seed", range(3))
def test_walk__every_answer_is_equal(seed: int):
    walk(seed, 40)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_long_walk__every_answer_is_equal(seed: int):
    walk(seed, 150)
