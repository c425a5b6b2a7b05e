"""The state machine: hypothesis draws who, where and how far off a threshold; `actions` does it.

Strategies are restricted to what could succeed (preconditions, candidates from the model) instead
of catching reverts; the few wei next to a threshold are refused half of the time on purpose, and
the tally says how often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oracle.engine.clearinghouse import CROSS, ISOLATED
from oracle.engine.units import PPM, SETTLEMENT_TOKEN, WAD

from .actions import Actions
from .driver import address_of
from .invariants import Checks
from .stage import (
    CONFIGS,
    LATER_ROWS,
    LIQUIDATORS,
    MARKETS,
    OWNERS,
    ROWS,
    SETTINGS,
    TOKEN,
    TOKEN_ASSET,
    Outcome,
    Stage,
    account_of,
)
from .tally import Tally

T = TypeVar("T")
PUSHES = SETTINGS.push_rules
WHO = st.integers(0, 999)  # an index into whoever is eligible
OFF = st.sampled_from([0, 1, -1, 2, -2])
MARKET = st.sampled_from(MARKETS)
ASSET = st.sampled_from(list(CONFIGS))
SIDE = st.booleans()
NAME = st.sampled_from(OWNERS + LIQUIDATORS)
PREMIUM = st.sampled_from([0, 0, 5_000, -5_000, 90_000, -90_000, 200_000])
# Shares of MM an account is brought to, as fractions; beyond zero it is bankrupt.
TARGETS = st.sampled_from(
    [(1, 1), (1, 1), (5, 4), (2, 3), (2, 3), (0, 1), (0, 1), (-1, 1), (-3, 1)]
)
SECONDS = st.sampled_from(
    [1, 9, 10, 11, 59, 60, 61, 119, 120, 121] * 3 + [600, 600, 3_600, 3_600, 7_201, 86_400]
)
RELIEVED = ("healthy", "called", "auction running")  # states of who is not to be resolved


class MarginMachine(RuleBasedStateMachine):
    """Rules over one stage, which is given back as it was after each example."""

    stage: ClassVar[Stage]
    tally: ClassVar[Tally]
    views_a_step: ClassVar[int] = 1

    def __init__(self) -> None:
        super().__init__()
        self.saved = self.stage.snapshot()
        self.checks = Checks(self.stage)
        self.do = Actions(self.stage)
        self.found: dict[str, tuple[tuple[int, int], list]] = {}

    def teardown(self) -> None:
        for name, count in self.checks.amounts.items():
            self.tally.events[name] += count
        self.stage.restore(self.saved)

    # --- helpers ----------------------------------------------------------------------------------

    def note(self, rule_name: str, done: Outcome) -> None:
        self.tally.note(rule_name, done.ok and done.changed, done.reason)

    def pick(self, choices: Sequence[T], index: int) -> T:
        return choices[index % len(choices)]

    def account(self, index: int) -> int:
        return self.pick(self.stage.accounts, index)

    def other(self, index: int, account: int, market: int) -> int:
        """Mostly a rich counterparty; an isolated one only in its own market."""
        choices = [self.do.backer, self.do.backer, self.do.liquidator, *self.stage.accounts]
        fit = [a for a in choices if a != account and self.own_market(a, market) == market]
        return self.pick(fit, index)

    def own_market(self, account: int, market: int) -> int:
        """An isolated account trades the market it holds."""
        state = self.stage.model.ledger.account(account)
        return state.markets[0] if state.mode == ISOLATED and state.markets else market

    def candidates(self, name: str) -> list:
        """What `actions` finds eligible, asked once a state."""
        at = (self.stage.steps, self.stage.time)
        known = self.found.get(name)
        if known is None or known[0] != at:
            self.found[name] = (at, getattr(self.do, name)())
        return self.found[name][1]

    def settled(self, is_settled: bool) -> None:
        """Bring the markets to calm, mostly."""
        if is_settled:
            self.do.calm()

    def crosses(self) -> list[int]:
        accounts = self.stage.model.ledger.account
        return [a for a in self.stage.accounts if accounts(a).mode == CROSS]

    def holders(self) -> list[int]:
        return [a for a in self.stage.accounts if self.do.legs(a)]

    def collaterals(self) -> list[int]:
        return [a for a in self.stage.accounts if self.stage.model.custody.collateral_of(a, TOKEN)]

    def payers(self) -> list[int]:
        """Accounts with cash and margin to spare; the rich stay so."""
        cash = self.stage.model.ledger.account
        return [
            a
            for a in self.stage.accounts[len(LIQUIDATORS) :]
            if cash(a).cash >= 10**12 and self.do.free_margin(a) >= 10**12
        ]

    # --- owners -----------------------------------------------------------------------------------

    @rule(owner=st.sampled_from(OWNERS + LIQUIDATORS), sub=st.integers(1, 3), cross=SIDE)
    def open_account(self, owner: str, sub: int, cross: bool) -> None:
        person = address_of(owner)
        state = self.stage.model.ledger.account(account_of(person, sub))
        if state.cash or state.tokens or state.markets or len(self.stage.accounts) >= 16:
            sub = 1  # a used one: refused
        self.note(
            "open_account",
            self.stage.open_account(person, sub, CROSS if cross else ISOLATED),
        )

    @rule(who=WHO, gateways=st.sampled_from([1, 3, 129]), floor=st.sampled_from([0, 0, 20, 200]))
    def configure(self, who: int, gateways: int, floor: int) -> None:
        done = self.stage.configure(self.account(who), gateways, 1_000 * floor)
        self.note("configure", done)

    @rule(who=WHO, units=st.one_of(st.integers(1, 3), st.integers(10**8, 6 * 10**10)))
    def deposit(self, who: int, units: int) -> None:
        self.note("deposit", self.stage.deposit(self.account(who), SETTLEMENT_TOKEN, units))

    @rule(who=WHO, amount=st.one_of(st.integers(1, 3), st.integers(10**16, 30 * WAD)))
    def deposit_collateral(self, who: int, amount: int) -> None:
        done = self.stage.deposit(self.pick(self.crosses(), who), TOKEN, amount)
        self.note("deposit_collateral", done)

    @precondition(lambda self: self.payers())
    @rule(who=WHO, off=OFF, is_settled=st.sampled_from([True, True, True, False]))
    def withdraw_at_margin(self, who: int, off: int, is_settled: bool) -> None:
        self.settled(is_settled)
        account = self.pick(self.payers() or self.stage.accounts, who)
        self.note("withdraw_at_margin", self.do.withdraw_near(account, off))

    @precondition(lambda self: self.payers())
    @rule(who=WHO, units=st.one_of(st.integers(1, 3), st.integers(10**6, 10**10)))
    def withdraw_some(self, who: int, units: int) -> None:
        self.settled(units % 4 != 0)
        account = self.pick(self.payers() or self.stage.accounts, who)
        done = self.stage.withdraw(account, SETTLEMENT_TOKEN, units)
        self.note("withdraw_some", done)

    @precondition(lambda self: self.collaterals())
    @rule(who=WHO, off=OFF)
    def withdraw_collateral(self, who: int, off: int) -> None:
        self.settled(off != 2)
        account = self.pick(self.collaterals(), who)
        self.note("withdraw_collateral", self.do.withdraw_collateral_near(account, off))

    @precondition(lambda self: self.payers())
    @rule(who=WHO, to=WHO, off=OFF)
    def transfer_at_margin(self, who: int, to: int, off: int) -> None:
        self.settled(off != 2)
        giver = self.pick(self.payers() or self.stage.accounts, who)
        taker = self.pick([a for a in self.stage.accounts if a != giver], to)
        self.note("transfer_at_margin", self.do.transfer_near(giver, taker, off))

    # --- trading ----------------------------------------------------------------------------------

    @rule(
        who=WHO,
        other=WHO,
        market=MARKET,
        usd=st.integers(100, 60_000),
        is_buy=SIDE,
        tilt=st.sampled_from([0, 0, 0, 5_000, -5_000, 50_000, -50_000, 50_001]),
    )
    def trade(self, who: int, other: int, market: int, usd: int, is_buy: bool, tilt: int) -> None:
        self.settled(usd % 4 != 0)
        account = self.account(who)
        market = self.own_market(account, market)
        mark = self.do.mark(market)
        size = usd * WAD * WAD // mark * (1 if is_buy else -1)
        price = mark * (PPM + tilt) // PPM
        done = self.stage.trade(account, self.other(other, account, market), market, size, price)
        self.note("trade", done)

    @rule(who=WHO, other=WHO, market=MARKET, is_buy=SIDE, off=OFF)
    def trade_at_limit(self, who: int, other: int, market: int, is_buy: bool, off: int) -> None:
        self.settled(True)
        account = self.account(who)
        market = self.own_market(account, market)
        counter = self.other(other, account, market)
        self.note("trade_at_limit", self.do.trade_near(account, counter, market, is_buy, off))

    @precondition(lambda self: self.holders())
    @rule(
        who=WHO,
        other=WHO,
        share=st.sampled_from([PPM, PPM, 500_000, 10_000, 999_999]),
        off=OFF,
        tilt=st.sampled_from([0, 0, 0, 20_000, -20_000]),
        is_settled=st.sampled_from([True, True, False]),
    )
    def reduce(
        self, who: int, other: int, share: int, off: int, tilt: int, is_settled: bool
    ) -> None:
        self.settled(is_settled)
        account = self.pick(self.holders() or self.stage.accounts, who)
        legs = self.do.legs(account)
        if not legs:
            return
        market = self.pick(legs, who + other)
        counter = self.other(other, account, market)
        self.note("reduce", self.do.reduce(account, counter, market, share, off, tilt))

    @precondition(lambda self: self.holders())
    @rule(who=WHO, other=WHO, share=st.integers(0, 600_000), off=OFF)
    def flip(self, who: int, other: int, share: int, off: int) -> None:
        self.settled(True)
        account = self.pick(self.holders() or self.stage.accounts, who)
        legs = self.do.legs(account)
        if not legs:
            return
        market = self.pick(legs, who + other)
        counter = self.other(other, account, market)
        self.note("flip", self.do.flip(account, counter, market, share, off))

    # --- prices -----------------------------------------------------------------------------------

    @rule(
        moves=st.tuples(*[st.integers(-30_000, 30_000)] * 4),
        premium=PREMIUM,
        spread=st.sampled_from([0, 0, 9_999, 10_000, 10_100]),
        lag=st.sampled_from([0, 0, 3, 9]),
    )
    def report(self, moves: tuple[int, ...], premium: int, spread: int, lag: int) -> None:
        prices = {
            asset: max(1, self.do.mark(asset) * (PPM + move) // PPM)
            for asset, move in zip(CONFIGS, moves, strict=True)
        }
        self.do.next_grid(lag)
        self.note("report", self.stage.report(prices, premium, spread))

    @rule(asset=ASSET, up=SIDE, off=OFF)
    def report_at_max_move(self, asset: int, up: bool, off: int) -> None:
        """One wei beyond is held, one wei before is accepted."""
        mark, share = self.do.mark(asset), CONFIGS[asset].max_move
        move = mark * share // PPM
        self.do.next_grid()
        done = self.stage.report({asset: max(1, mark + (move + off if up else -move - off))})
        self.note("report_at_max_move", done)

    @rule(market=MARKET, up=SIDE, share=st.integers(40_000, 90_000), premium=PREMIUM)
    def gap(self, market: int, up: bool, share: int, premium: int) -> None:
        """A move above MMR_0 begins an aftermath."""
        self.do.next_grid()
        mark = self.do.mark(market)
        price = mark * (PPM + share if up else PPM - share) // PPM
        self.note("gap", self.stage.report({market: max(1, price)}, premium))

    @precondition(lambda self: self.holders())
    @rule(who=WHO, line=TARGETS, off=OFF, beyond=st.sampled_from([0, 0, 1_000, 50_000]))
    def aim(self, who: int, line: tuple[int, int], off: int, beyond: int) -> None:
        """Move a market to where an account crosses a line, a few wei off it or well beyond."""
        account = self.pick(self.holders(), who)
        market = self.pick(self.do.legs(account), who)
        price = self.do.price_where(account, market, line)
        if price is None:
            return
        far = price * beyond // PPM
        is_long = self.do.size(account, market) > 0
        done = self.do.move_to(market, price + off + (-far if is_long else far))
        if self.do.mark(market):
            self.stage.poke(account)
        self.note("aim", done)

    @precondition(lambda self: any(self.stage.model.engine.pending(a) for a in CONFIGS))
    @rule(share=st.sampled_from([PPM, PPM, 990_000, 1_010_000]), wait=st.sampled_from([0, 20]))
    def confirm(self, share: int, wait: int) -> None:
        prices = {}
        for asset in CONFIGS:
            jump = self.stage.model.engine.pending(asset)
            if jump:
                prices[asset] = max(1, int(jump.price) * share // PPM)
        self.stage.advance(wait)
        self.do.next_grid()
        self.note("confirm", self.stage.report(prices))

    # --- load lines, tables, time -----------------------------------------------------------------

    @rule(
        asset=ASSET,
        step=st.sampled_from([0, PUSHES.step_up, -PUSHES.step_down, 1_234, 400]),
        fall=st.sampled_from([0, -PUSHES.depth_fall, PUSHES.depth_rise, -70_000, 300]),
        over=st.sampled_from([0, 0, 0, 1]),
        early=st.sampled_from([0, 0, 0, 1]),
    )
    def push(self, asset: int, step: int, fall: int, over: int, early: int) -> None:
        """Steps and delays at their limits, and one beyond."""
        line = self.stage.model.engine.asset(asset).line
        ready = line.pushed + self.stage.model.engine.state.clock.paused_total + PUSHES.min_delay
        self.stage.advance(max(0, ready - early - self.stage.time))
        severity = line.severity + step + (over if step > 0 else -over)
        depth = line.depth + fall
        if not over:
            severity = max(0, min(PPM, severity))
            depth = max(min(line.depth, PUSHES.depth_min), min(PPM, depth))
        lines = [(asset, max(0, severity), max(0, depth), line.pushed)]
        self.note("push", self.stage.push(lines))

    @rule(market=MARKET, is_late=SIDE, wait=st.sampled_from([0, 600]))
    def set_schedule(self, market: int, is_late: bool, wait: int) -> None:
        self.stage.advance(wait)
        done = self.stage.set_schedule(market, LATER_ROWS if is_late else ROWS)
        self.note("set_schedule", done)

    @rule(seconds=SECONDS)
    def pass_time(self, seconds: int) -> None:
        self.stage.advance(seconds)

    @rule(rate=st.sampled_from([0, 10**18, 31 * 10**18, 31_709_791_983_764_586_504, 10**20]))
    def set_interest_rate(self, rate: int) -> None:
        self.note("set_interest_rate", self.stage.set_interest_rate(rate))

    # --- liquidation ------------------------------------------------------------------------------

    @precondition(lambda self: self.candidates("touchable"))
    @rule(who=WHO)
    def poke(self, who: int) -> None:
        self.note("poke", self.stage.poke(self.pick(self.do.touchable(), who)))

    @precondition(lambda self: self.candidates("takeable"))
    @rule(who=WHO, edge=st.integers(0, 4), off=OFF, wait=st.sampled_from([0, 0, 10, 50, 119]))
    def take(self, who: int, edge: int, off: int, wait: int) -> None:
        if wait:
            self.stage.poke(self.pick(self.do.takeable(), who)[0])
            self.stage.advance(wait)
            self.do.next_grid()
            self.stage.report(self.do.same_prices())
        offers = self.do.takeable()
        if not offers:
            return
        account, market = self.pick(offers, who)
        taker = self.do.taker_of(account)
        self.note("take", self.do.take_near(account, market, edge, off, taker))

    @precondition(lambda self: self.holders())
    @rule(who=WHO, edge=st.integers(0, 4), off=OFF, wait=st.sampled_from([0, 0, 30, 119]))
    def aim_and_take(self, who: int, edge: int, off: int, wait: int) -> None:
        """Step 1 from the first wei below MM."""
        account = self.pick(self.holders(), who)
        market = self.pick(self.do.legs(account), who)
        price = self.do.price_where(account, market, (1, 1))
        if price is None or account == self.do.liquidator:
            return
        self.do.move_to(market, price)
        self.stage.poke(account)
        if wait:
            self.stage.advance(wait)
            self.do.next_grid()
            self.stage.report(self.do.same_prices())
        if (account, market) in self.do.takeable():
            done = self.do.take_near(account, market, edge, off, self.do.liquidator)
            self.note("aim_and_take", done)

    @precondition(lambda self: self.holders())
    @rule(who=WHO, line=st.sampled_from([(2, 3), (0, 1), (-1, 2), (-2, 1)]), wait=st.booleans())
    def aim_and_resolve(self, who: int, line: tuple[int, int], wait: bool) -> None:
        """Step 3 from the first wei below two thirds of MM, or bankrupt; at once or late."""
        account = self.pick(self.holders(), who)
        market = self.pick(self.do.legs(account), who)
        price = self.do.price_where(account, market, line)
        if price is None:
            return
        self.do.move_to(market, price)
        if wait:
            self.stage.advance(61)
            self.do.calm()
        if account in self.do.resolvable():
            self.note("aim_and_resolve", self.stage.resolve(account))

    @precondition(lambda self: self.candidates("indebted"))
    @rule(who=WHO, amount=st.sampled_from([1, WAD // 3, 10**30]), wait=SECONDS)
    def take_collateral(self, who: int, amount: int, wait: int) -> None:
        if wait <= 121:
            self.stage.poke(self.pick(self.do.indebted(), who))
            self.stage.advance(wait)
            self.do.next_grid()
            self.stage.report(self.do.same_prices())
        debtors = self.do.indebted()
        if not debtors:
            return
        account = self.pick(debtors, who)
        taker = self.do.taker_of(account)
        done = self.stage.take_collateral(account, amount, taker, 10**30)
        self.note("take_collateral", done)

    @precondition(lambda self: self.candidates("resolvable"))
    @rule(who=WHO, wait=st.sampled_from([0, 0, 0, 1, 2]))
    def resolve(self, who: int, wait: int) -> None:
        """At once, or when the aftermath is over and less can be charged."""
        for _ in range(wait):
            self.stage.advance(61)
            self.do.calm()
        accounts = self.do.resolvable()
        if accounts:
            self.note("resolve", self.stage.resolve(self.pick(accounts, who)))

    @precondition(lambda self: self.candidates("ended"))
    @rule(who=WHO)
    def collect(self, who: int) -> None:
        account, market = self.pick(self.do.ended(), who)
        self.note("collect", self.stage.collect(account, market))

    @precondition(lambda self: self.candidates("resolvable"))
    @rule(who=WHO)
    def bot(self, who: int) -> None:
        """15: without capital, a bot leaves nobody who can be resolved within five blocks."""
        done = self.stage.resolve(self.pick(self.do.resolvable(), who))
        for _ in range(5):
            self.stage.advance(1)
            for account in self.do.resolvable():
                self.stage.resolve(account)
        assert self.do.resolvable() == [], "15: resolvable after five blocks"
        self.note("bot", done)

    # --- capital ----------------------------------------------------------------------------------

    @precondition(lambda self: self.candidates("income"))
    @rule(who=WHO)
    def sweep(self, who: int) -> None:
        self.note("sweep", self.stage.sweep(self.pick(self.do.income(), who)))

    @precondition(lambda self: self.candidates("ticketed"))
    @rule(who=WHO)
    def collect_ticket(self, who: int) -> None:
        account = self.pick(self.do.ticketed(), who)
        self.note("collect_ticket", self.stage.collect_ticket(account))

    @precondition(lambda self: self.holders())
    @rule(who=WHO, line=st.sampled_from([(-3, 1), (-9, 1)]), units=st.integers(10**6, 10**10))
    def sink(self, who: int, line: tuple[int, int], units: int) -> None:
        """An account far below zero: what nobody pays is socialised; then see `restore`."""
        account = self.pick(self.holders(), who)
        market = self.pick(self.do.legs(account), who)
        price = self.do.price_where(account, market, line)
        if price is not None:
            self.do.move_to(market, price)
            for bankrupt in self.do.resolvable():
                self.note("sink", self.stage.resolve(bankrupt))
        if self.stage.words["owing deficit"]:
            self.restore(who, units, units % 2 == 0)

    @precondition(lambda self: self.stage.words["owing deficit"] or self.candidates("ticketed"))
    @rule(who=WHO, units=st.integers(10**6, 10**10), is_fee=SIDE)
    def restore(self, who: int, units: int, is_fee: bool) -> None:
        """While h < 1 somebody leaves with a ticket; then fees restore leavers and stayers."""
        self.settled(True)
        if self.payers():
            account = self.pick(self.payers(), who)
            self.note("restore", self.stage.withdraw(account, SETTLEMENT_TOKEN, units))
        if is_fee:
            self.do.trade_near(self.do.backer, self.do.liquidator, 1, True, 0)
        for market in self.do.income():
            self.stage.sweep(market)
        for owner in self.do.ticketed()[::2]:  # the others are left to `collect_ticket`
            self.stage.collect_ticket(owner)

    @rule(name=NAME, market=st.sampled_from([*MARKETS, 32]), units=st.integers(1, 10**10))
    def give_fund(self, name: str, market: int, units: int) -> None:
        self.note("give_fund", self.stage.give_fund(address_of(name), market, units))

    @rule(
        is_fund=SIDE,
        name=NAME,
        units=st.one_of(st.integers(1, 3), st.integers(10**8, 6 * 10**10)),
        wait=st.sampled_from([0, 0, 1, -1]),
    )
    def stake(self, is_fund: bool, name: str, units: int, wait: int) -> None:
        self.note("stake", self.do.stake(is_fund, address_of(name), units, wait))

    @precondition(lambda self: self.candidates("stakers"))
    @rule(who=WHO, share=st.sampled_from([PPM, 500_000, 1_000]), wait=st.sampled_from([0, 0, -1]))
    def unstake(self, who: int, share: int, wait: int) -> None:
        is_fund, name = self.pick(self.do.stakers(), who)
        self.note("unstake", self.do.unstake(is_fund, name, share, wait))

    @precondition(lambda self: self.candidates("fillable"))
    @rule(who=WHO)
    def fill_ring(self, who: int) -> None:
        self.note("fill_ring", self.stage.fill_ring(self.pick(self.do.fillable(), who)))

    @precondition(lambda self: self.candidates("drainable"))
    @rule(who=WHO)
    def drain_ring(self, who: int) -> None:
        self.note("drain_ring", self.stage.drain_ring(self.pick(self.do.drainable(), who)))

    # --- guardian and governance ------------------------------------------------------------------

    @rule(market=MARKET, whether=st.sampled_from([True, False, False, False]))
    def delist(self, market: int, whether: bool) -> None:
        if whether:
            self.note("delist", self.do.delist(market))

    @rule(market=MARKET, on=st.sampled_from([True, False, False]))
    def set_reduce_only(self, market: int, on: bool) -> None:
        self.note("set_reduce_only", self.stage.set_reduce_only(market, on))

    @precondition(lambda self: not self.stage.model.engine.state.clock.pause_ended)
    @rule(who=WHO, seconds=st.sampled_from([1, 600, 86_400]))
    def pause(self, who: int, seconds: int) -> None:
        self.note("pause", self.do.pause_for(seconds, self.account(who)))

    @rule(who=WHO, off=OFF)
    def doubt(self, who: int, off: int) -> None:
        """While the settlement token is in doubt, positive cash counts nothing for IM."""
        self.settled(True)
        account = self.account(who)
        self.stage.set_settlement_doubt(True)
        self.do.withdraw_near(account, off)
        self.do.trade_near(account, self.do.backer, 1, True, off)
        for bankrupt in self.do.resolvable():
            done = self.stage.resolve(bankrupt)
            # Who is cut by the one before may need it no more.
            assert done.ok or done.reason in RELIEVED, f"doubt blocks a resolution: {done.reason}"
        self.note("doubt", self.stage.set_settlement_doubt(False))

    @rule(token=st.sampled_from([TOKEN, SETTLEMENT_TOKEN]), usd=st.sampled_from([0, 1, 500, 10**6]))
    def set_outflow(self, token: int, usd: int) -> None:
        self.note("set_outflow", self.stage.set_outflow(token, usd * WAD, 3_600))

    @precondition(lambda self: self.payers())
    @rule(who=WHO, usd=st.sampled_from([0, 500]), units=st.integers(10**9, 10**10))
    def withdraw_through_bucket(self, who: int, usd: int, units: int) -> None:
        """The level has risen to what is held: what is above the cap waits."""
        self.stage.set_outflow(SETTLEMENT_TOKEN, usd * WAD, 3_600)
        self.stage.withdraw(self.do.liquidator, SETTLEMENT_TOKEN, 1)
        self.stage.advance(3_600)
        self.do.calm()
        account = self.pick(self.payers() or self.stage.accounts, who)
        done = self.stage.withdraw(account, SETTLEMENT_TOKEN, units)
        self.note("withdraw_through_bucket", done)

    @precondition(lambda self: self.waiting())
    @rule(who=WHO, wait=SECONDS)
    def release(self, who: int, wait: int) -> None:
        self.stage.advance(wait)
        token, name = self.pick(self.waiting(), who)
        self.note("release", self.stage.release(token, address_of(name)))

    def waiting(self) -> list[tuple[int, str]]:
        words = self.stage.words
        return [
            (token, name)
            for token in (TOKEN, SETTLEMENT_TOKEN)
            for name in (*OWNERS, *LIQUIDATORS, "owner")
            if words[f"waiting {token} {name}"]
        ]

    # --- invariants -------------------------------------------------------------------------------

    @invariant()
    def books_close(self) -> None:
        self.checks.check_books()

    @invariant()
    def answers_agree(self) -> None:
        self.checks.check_views(self.views_a_step)


__all__ = ["TOKEN_ASSET", "MarginMachine"]
