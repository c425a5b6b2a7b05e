"""What actors can do, aimed at thresholds; no hypothesis here (`machine` draws the numbers).

An action looks for the threshold with the model, which costs nothing, and then does one thing next
to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from oracle.engine.auctions import State
from oracle.engine.effective_time import AFTERMATH, OLD, UNKNOWN
from oracle.engine.margin import Basis
from oracle.engine.shares import Shares
from oracle.engine.units import MAX_PRICE, PPM, SETTLEMENT_TOKEN, WAD

from .driver import address_of
from .stage import (
    CONFIGS,
    DELAYS,
    INTEREST,
    LIQUIDATORS,
    MARKETS,
    OWNERS,
    PERIOD,
    RINGS,
    SETTINGS,
    TOKEN,
    TOKEN_ASSET,
    UNIT,
    Outcome,
    Stage,
    account_of,
    owner_of,
)

ANY_LONG, ANY_SHORT = 10**30, 0  # limit prices
UNTIL_CALM = 61  # [s] grace and settle_window are 60


class Actions:
    """Verbs of a stage with their targets found."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.model = stage.model
        self.liquidator = account_of(address_of(LIQUIDATORS[0]), 0)
        self.backer = account_of(address_of(LIQUIDATORS[1]), 0)

    # --- reading ----------------------------------------------------------------------------------

    def mark(self, asset: int) -> int:
        return int(self.model.engine.asset(asset).mark.price)

    def size(self, account: int, market: int) -> int:
        return int(self.model.ledger.held(account, market).size)

    def legs(self, account: int) -> list[int]:
        """Markets of live legs."""
        return [m for m in self.model.ledger.account(account).markets if self.size(account, m)]

    def taker_of(self, account: int) -> int:
        """A rich account that is not this one."""
        return self.backer if account == self.liquidator else self.liquidator

    def in_state(self, *states: State) -> list[int]:
        return [a for a in self.stage.everyone if self.model.account_state(a) in states]

    def free_margin(self, account: int) -> int:
        margin = self.model.margin(Basis.INITIAL, account)
        return margin.equity - margin.requirement

    def unsettled(self) -> list[int]:
        engine = self.model.engine
        barred = UNKNOWN | AFTERMATH | OLD
        return [a for a in CONFIGS if engine.state_of(engine.asset(a)) & barred]

    def largest(self, low: int, high: int, verb: Callable[[int], object]) -> int:
        """The largest argument the model accepts, by bisection; `low` where it accepts none."""
        if self.stage.would(lambda: verb(high)) is None:
            return high
        while high - low > 1:
            middle = (low + high) // 2
            if self.stage.would(lambda at=middle: verb(at)) is None:
                low = middle
            else:
                high = middle
        return low

    # --- capital ----------------------------------------------------------------------------------

    def stake(self, is_fund: bool, who: str, units: int, wait: int) -> Outcome:
        """Hand tokens in and make shares of them, `wait` seconds off the first moment."""
        done = self.stage.request_deposit(is_fund, who, units)
        if done.ok:
            self.stage.advance(DELAYS.deposit - 30 * PERIOD)
            self.calm()
            due = self._shares(is_fund).state.deposits[int(who, 16)].due
            self.stage.advance(max(0, due + wait - self.stage.time))
            done = self.stage.enter(is_fund, who, units)
        return done

    def unstake(self, is_fund: bool, who: str, share: int, wait: int) -> Outcome:
        """Lock a share [ppm] of somebody's and redeem it, `wait` seconds off the first moment."""
        shares = self._shares(is_fund)
        amount = max(1, shares.balance_of(int(who, 16)) * share // PPM)
        done = self.stage.request_redeem(is_fund, who, amount)
        if done.ok:
            self.stage.advance(DELAYS.redeem - 30 * PERIOD)
            self.calm()
            due = shares.state.exits[int(who, 16)].due
            self.stage.advance(max(0, due + wait - self.stage.time))
            self.next_grid()
            self.stage.report(self.same_prices())
            done = self.stage.leave(is_fund, who, amount)
        return done

    def stakers(self) -> list[tuple[bool, str]]:
        """Who has shares of the fund (True) or the vault."""
        return [
            (is_fund, address_of(name))
            for is_fund in (True, False)
            for name in (*OWNERS, *LIQUIDATORS)
            if self._shares(is_fund).balance_of(int(address_of(name), 16)) > 10**6
        ]

    def fillable(self) -> list[int]:
        """Markets whose ring can be brought up to its target."""
        verb = self.model.vault.fill_ring
        return [m for m in RINGS if self.stage.would(lambda m=m: verb(m)) is None]

    def drainable(self) -> list[int]:
        verb = self.model.vault.drain_ring
        return [m for m in RINGS if self.stage.would(lambda m=m: verb(m)) is None]

    def income(self) -> list[int]:
        """Markets with fees, 32 with interest."""
        found = [m for m in MARKETS if self.model.ledger.market(m).fees]
        return [*found, INTEREST] if self.model.ledger.state.interest_collected else found

    def ticketed(self) -> list[int]:
        """Accounts to which something was restored."""
        owed = self.model.custody.ticket_of
        return [a for a in self.stage.accounts if owed(a).owed]

    def _shares(self, is_fund: bool) -> Shares:
        return self.model.fund_shares if is_fund else self.model.vault_shares

    # --- prices -----------------------------------------------------------------------------------

    def next_grid(self, lag: int = 0) -> None:
        """The next time a report may be of, and some seconds more."""
        self.stage.advance(PERIOD - self.stage.time % PERIOD + lag % PERIOD)

    def same_prices(self) -> dict[int, int]:
        """What calms: the mark, or the held jump where there is one."""
        prices = {}
        for asset in CONFIGS:
            jump = self.model.engine.pending(asset)
            prices[asset] = int(jump.price) if jump else self.mark(asset)
        return prices

    def keep_alive(self) -> None:
        """Load lines pushed again before the keeper counts as stale and IM goes to storm."""
        engine, rules = self.model.engine, SETTINGS.push_rules
        lines = {asset: engine.asset(asset).line for asset in CONFIGS}
        if any(engine.now - line.pushed > rules.max_age // 3 for line in lines.values()):
            ripe = {a: at for a, at in lines.items() if engine.now - at.pushed >= rules.min_delay}
            self.stage.push([(a, at.severity, at.depth, at.pushed) for a, at in ripe.items()])

    def calm(self) -> None:
        """Unchanged prices until nothing settles."""
        self.keep_alive()
        for _ in range(5):
            if not self.unsettled():
                return
            waits = [a for a in self.unsettled() if not self.model.engine.pending(a)]
            self.stage.advance(UNTIL_CALM if waits else 2 * PERIOD)
            self.next_grid()
            self.stage.report(self.same_prices())

    def move_to(self, asset: int, price: int, lag: int = 0) -> Outcome:
        """Report a price until it is the mark: at once, or held and confirmed."""
        price = max(1, min(MAX_PRICE, price))
        self.next_grid(lag)
        done = self.stage.report({asset: price})
        for _ in range(3):
            if self.mark(asset) == price:
                break
            self.stage.advance(SETTINGS.price_rules.confirm_delay)
            self.next_grid(lag)
            done = self.stage.report({asset: price})
        return done

    def equity_at(self, account: int, market: int, price: int) -> tuple[int, int]:
        """E and MM were this the mark."""
        engine = self.model.engine
        stored = engine.state.assets[market]
        mark = replace(
            stored.mark, price=price, is_held=False, is_refused=False, observed=engine.now
        )
        engine.state.assets[market] = replace(stored, mark=mark)
        margin = self.model.margin(Basis.MAINTENANCE, account)
        engine.state.assets[market] = stored
        return margin.equity, margin.requirement

    def price_where(self, account: int, market: int, share: tuple[int, int]) -> int | None:
        """The mark nearest to today's at which E < share·MM, share a fraction.

        None within a factor of 8.
        """
        is_long = self.size(account, market) > 0
        here = self.mark(market)

        def is_below(price: int) -> bool:
            equity, needed = self.equity_at(account, market, price)
            return equity * share[1] < needed * share[0]

        safe, fallen = here, here // 8 if is_long else here * 8
        if is_below(safe):
            return here
        if not is_below(fallen):
            return None
        while abs(safe - fallen) > 1:
            middle = (safe + fallen) // 2
            if is_below(middle):
                fallen = middle
            else:
                safe = middle
        return fallen

    # --- thresholds -------------------------------------------------------------------------------

    def withdraw_near(self, account: int, off: int) -> Outcome:
        """E_im - IM, or all the cash, and a few units."""
        cash = self.model.ledger.account(account).cash
        units = min(cash, self.free_margin(account)) // UNIT
        return self.stage.withdraw(account, SETTLEMENT_TOKEN, max(1, units + off))

    def transfer_near(self, giver: int, taker: int, off: int) -> Outcome:
        """The same to the wei."""
        cash = self.model.ledger.account(giver).cash
        return self.stage.transfer(giver, taker, max(1, min(cash, self.free_margin(giver)) + off))

    def withdraw_collateral_near(self, account: int, off: int) -> Outcome:
        held = self.model.custody.collateral_of(account, TOKEN)
        verb = self.model.custody.withdraw
        most = self.largest(0, held, lambda amount: verb(account, TOKEN, amount, 1))
        return self.stage.withdraw(account, TOKEN, max(1, most + off))

    def trade_near(self, account: int, other: int, market: int, is_buy: bool, off: int) -> Outcome:
        """The largest trade the account's margin.

        The caps and the last bound allow, and a few wei.
        """
        mark, least = self.mark(market), CONFIGS[market].min_size
        sign = 1 if is_buy else -1
        trade = self.model.ledger.trade
        most = 200_000_000 * WAD * WAD // mark
        size = self.largest(
            least, most, lambda size: trade(account, other, market, sign * size, mark)
        )
        return self.stage.trade(account, other, market, sign * (size + off), mark)

    def reduce(
        self, account: int, other: int, market: int, share: int, off: int, tilt: int
    ) -> Outcome:
        """Towards zero by a share [ppm].

        All of it, down to the minimum, or a part; off the mark by tilt [ppm].
        """
        held = self.size(account, market)
        rest = abs(held) * (PPM - share) // PPM
        if rest and rest < CONFIGS[market].min_size:
            rest = CONFIGS[market].min_size
        size = max(1, abs(held) - rest + off)
        price = self.mark(market) * (PPM + tilt) // PPM
        size = -size if held > 0 else size
        return self.stage.trade(account, other, market, size, price)

    def flip(self, account: int, other: int, market: int, share: int, off: int) -> Outcome:
        """Through zero, by a share [ppm] of what was held."""
        held = self.size(account, market)
        size = abs(held) + max(abs(held) * share // PPM, CONFIGS[market].min_size + off)
        return self.stage.trade(
            account, other, market, -size if held > 0 else size, self.mark(market)
        )

    def take_near(self, account: int, market: int, edge: int, off: int, taker: int) -> Outcome:
        """Next to the least, the most, the whole leg, or the whole less the minimum."""
        offer = self.model.liquidator.terms(account, market)
        whole = abs(offer.size)
        edges = (offer.least, offer.most, whole - offer.min_size, offer.most, whole)
        limit = ANY_LONG if offer.size > 0 else ANY_SHORT
        size = max(1, edges[edge % len(edges)] + off)
        return self.stage.take(account, market, size, taker, limit)

    def takeable(self) -> list[tuple[int, int]]:
        """Accounts and markets step 1 is open for."""
        found, offers = [], self.model.liquidator
        for account in self.in_state(State.LIQUIDATABLE):
            for market in self.legs(account):
                if self.stage.would(lambda a=account, m=market: offers.terms(a, m)) is None:
                    found.append((account, market))
        return found

    def indebted(self) -> list[int]:
        """Accounts step 0 is open for."""
        terms, would = self.model.liquidator.collateral_terms, self.stage.would
        held = self.model.custody.collateral_of
        return [
            account
            for account in self.stage.accounts
            if held(account, TOKEN) and would(lambda a=account: terms(a, TOKEN)) is None
        ]

    def resolvable(self) -> list[int]:
        """Accounts past the auction that neither a price nor step 0 holds back."""
        resolve = self.model.liquidator.resolve
        past = self.in_state(State.BACKSTOP, State.BANKRUPT)
        return [a for a in past if self.stage.would(lambda a=a: resolve(a)) is None]

    def touchable(self) -> list[int]:
        """Accounts whose auction clock runs or should."""
        clocks = self.model.liquidator.state.clocks
        running = [a for a in self.stage.everyone if a in clocks and clocks[a].running]
        return running + self.in_state(State.LIQUIDATABLE, State.BACKSTOP, State.BANKRUPT)

    def ended(self) -> list[tuple[int, int]]:
        """Positions of ended epochs, or too small to have a size."""
        return [
            (account, market)
            for account in self.stage.everyone
            for market in self.model.ledger.account(account).markets
            if self.size(account, market) == 0
        ]

    def delist(self, market: int) -> Outcome:
        """End both epochs and open the market again."""
        self.calm()
        self.stage.set_reduce_only(market, True)
        done = self.stage.settle_market(market)
        self.stage.set_reduce_only(market, False)
        return done

    def pause_for(self, seconds: int, account: int) -> Outcome:
        """11.

        While paused only collateral goes in; afterwards nobody is liquidated before
        `grace`.
        """
        stage, model = self.stage, self.model
        self.calm()
        done = stage.pause()
        if not done.ok:
            return done
        assert not stage.transfer(account, self.taker_of(account), 1).ok
        assert not stage.withdraw(account, SETTLEMENT_TOKEN, 1).ok
        assert not stage.trade(account, self.taker_of(account), 0, 10**16, self.mark(0)).ok
        assert not stage.report(self.same_prices()).ok
        for verb in (stage.poke, stage.resolve):
            assert verb(account).reason == "paused"
        taker = self.taker_of(account)
        assert stage.take(account, 0, 1, taker, 0).reason == "paused"
        for token in (TOKEN, SETTLEMENT_TOKEN):
            assert stage.release(token, owner_of(account)).reason == "paused"
        assert stage.deposit(account, SETTLEMENT_TOKEN, 1).ok
        before = {a: model.margin(Basis.MAINTENANCE, a) for a in stage.accounts}
        stage.advance(seconds)
        for key, was in before.items():
            now = model.margin(Basis.MAINTENANCE, key)
            assert (now.equity, now.requirement) == (was.equity, was.requirement)
        lifted = stage.unpause()
        assert lifted.ok
        self.next_grid()
        stage.report(self.same_prices())
        for key in stage.accounts:
            if self.legs(key):
                market = self.legs(key)[0]
                limit = ANY_LONG if self.size(key, market) > 0 else ANY_SHORT
                assert not stage.take(key, market, 10**40, self.taker_of(key), limit).ok
                assert not stage.resolve(key).ok, "resolved in grace"
        return lifted


__all__ = ["ANY_LONG", "ANY_SHORT", "MARKETS", "TOKEN_ASSET", "Actions"]
