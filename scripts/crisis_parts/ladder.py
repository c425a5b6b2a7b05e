"""The replay on the chain: a report a step, then everybody who can be resolved is.

A price beyond the move guard is held; the keeper says it again once it may confirm, as it would in
life. Who is short is found off the chain and confirmed by the lens. Then, in rounds until nothing
more can be done at this mark: a liquidator takes what it may (if there are any), an auction clock
that nobody started or cleared is poked, and whoever is in the backstop, or bankrupt, is resolved.
The rings of the backstop vault are accounts like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from oracle.chain import Sender
from oracle.crisis.path import Step
from oracle.keeper import Keeper, Quote, local_account
from scripts.crisis_parts.capital import Capital
from scripts.crisis_parts.chain import Chain
from scripts.crisis_parts.errors import CrisisError
from scripts.crisis_parts.mirror import Found, Mirror
from scripts.crisis_parts.opening import ENDLESS, Person, person
from scripts.crisis_parts.solvency import read_health
from scripts.demo_parts.contracts import Happened
from scripts.support.config import Config

LIQUIDATABLE, BACKSTOP = 2, 3  # states
NEAR: Final = 1e-9  # of the notional: floats may be wrong by so much
SIGNER: Final = 3  # first signer of the local mnemonic, as in the local configuration
ROUNDS: Final = 100  # at one mark
PERIOD: Final = 60  # [s] grid of reports
MOST_SIZE: Final = 2**109  # [base wad] as much as there is


@dataclass
class Taking:
    """A take-over, as the queue's venue is to follow it."""

    i: int
    size: int  # [base wad]
    mark: int  # [USD wad]
    cost: int  # [USD wad] discount and fee, or what the vault was paid


@dataclass
class Moment:
    """A time at which a price was accepted, and what followed."""

    time: int
    marks: dict[int, int]  # by market, those accepted now
    takings: list[Taking] = field(default_factory=list)  # by liquidators
    handed: list[Taking] = field(default_factory=list)  # to the vault, whole books
    resolved: int = 0
    deficit: int = 0  # [USD wad]


@dataclass
class Ladder:
    """Everybody who acts, and the marks they act on."""

    chain: Chain
    mirror: Mirror
    config: Config
    symbols: dict[int, str]  # of the markets
    liquidators: dict[int, Person]  # by market; none where they are absent
    capital: dict[int, Capital]  # by market

    def __post_init__(self) -> None:
        self.marks: dict[int, int] = {}
        self.held: set[int] = set()  # markets with a price held by the move guard
        self.running: dict[int, int] = {}  # index -> when its auction began [s]
        self.partial = 0  # [USD wad] notional liquidators took over
        self.vault = 0  # [USD wad] notional the vault took over
        self.vault_paid = 0  # [USD wad] what it was paid for that
        self.covered = 0  # [USD wad] by the insurance fund's own events
        self._keeper = _keeper(self.chain, self.config)
        self._anyone = person("anyone").address
        self._duration = self.config.liquidation.duration
        self._last = 0

    # --- prices ----------------------------------------------------------------------------------

    def report(self, step: Step) -> Moment:
        """Bring the prices of a step; the marks it changed."""
        now = max(step.time, self.chain.time + 1)  # many resolutions take many blocks
        time = max(now // PERIOD * PERIOD, self._last + PERIOD)
        self._last = time
        prices = {market: step.prices[symbol] for market, symbol in self.symbols.items()}
        quotes = {market: Quote(price) for market, price in prices.items()}
        data = self._keeper.report_data(time, quotes)
        self.chain.send(self._anyone, "engine", data, "report")
        moment = Moment(time, {})
        for event in self.chain.mine(time):
            if event.name == "JumpHeld":
                self.held.add(event.values["asset"])
            elif event.name == "Reported":
                moment.marks = dict(_accepted(event))
        self.held -= set(moment.marks)
        self.marks |= moment.marks
        return moment

    def play(self, step: Step, until: int) -> list[Moment]:
        """A step of the path, up to the time of the next one."""
        moments = [self._act(self.report(step))]
        confirm = -(-self.config.price_rules.confirm_delay // PERIOD) * PERIOD
        if self.held and self._last + confirm < until:
            again = Step(self._last + confirm, step.prices)
            moments.append(self._act(self.report(again)))
        return moments

    def finish(self, last: Step) -> list[Moment]:
        """Repeat the last price until it is the mark and nobody is left to resolve.

        Raises:
            CrisisError: somebody always is.
        """
        moments = []
        wait = self._duration + PERIOD
        for _ in range(ROUNDS):
            target = {market: last.prices[symbol] for market, symbol in self.symbols.items()}
            if self.marks == target and not self.held and not self._short():
                return moments
            moments.append(self._act(self.report(Step(self._last + wait, last.prices))))
        raise CrisisError(f"{len(self._short())} accounts are left that cannot be resolved.")

    # --- accounts --------------------------------------------------------------------------------

    def _short(self) -> list[int]:
        found = self.mirror.look(self.marks)
        return [int(i) for i in np.flatnonzero(found.equity < found.mm - NEAR * found.notional)]

    def _act(self, moment: Moment) -> Moment:
        if not moment.marks:
            return moment
        self._wait_for_auctions()
        for _ in range(ROUNDS):
            if not self._round(moment):
                return moment
        raise CrisisError(f"At {moment.time} there was no end of resolving.")

    def _wait_for_auctions(self) -> None:
        """Those that end within a minute: they began seconds after a report, so they end so."""
        ends = [began + self._duration for began in self.running.values()]
        soon = [end for end in ends if self.chain.time < end < self.chain.time + PERIOD]
        if soon:
            self.chain.pass_time(max(soon))

    def _round(self, moment: Moment) -> bool:
        """Once over everybody; whether anything was sent."""
        chosen = self._chosen(self.mirror.look(self.marks))
        if not chosen:
            return False
        health = read_health(self.chain, [self.mirror.ids[i] for i in chosen])
        states = dict(zip(chosen, health, strict=True))
        takings = {i: row for i, row in states.items() if row[2] == LIQUIDATABLE and self._taker(i)}
        for i, (equity, mm, state) in (takings or states).items():
            self._treat(i, state, is_restored=4 * equity >= 5 * mm)
        if not self.chain.has_work:
            return False
        events = self.chain.mine()
        for event in events:
            self._hear(event, moment)
        self.mirror.check_sides(self.chain)
        return True

    def _chosen(self, found: Found) -> list[int]:
        """Who may have to be acted upon, by index; too many rather than too few."""
        near = NEAR * found.notional
        short = found.equity < found.mm + near
        due = (3 * found.equity < 2 * found.mm + near) & (self.mirror.open | (found.equity < 0))
        running = np.zeros(len(short), dtype=bool)
        over = np.zeros(len(short), dtype=bool)
        for i, began in self.running.items():
            running[i] = True
            over[i] = self.chain.time - began >= self._duration
        restored = running & (found.equity >= 1.25 * found.mm - near)
        waiting = short & self.mirror.open & (~running | over | bool(self.liquidators))
        known = ~np.isin(self.mirror.market_of, list(self.held))
        return [int(i) for i in np.flatnonzero((due | waiting | restored) & known)]

    def _treat(self, i: int, state: int, *, is_restored: bool) -> None:
        account = self.mirror.ids[i]
        liquidator = self.chain["liquidator"]
        if state >= BACKSTOP:
            data = liquidator.data("resolve", account)
            self.chain.send(self._anyone, "liquidator", data, "resolve")
        elif state == LIQUIDATABLE and self._taker(i):
            taker = self.liquidators[self.mirror.market_of[i]]
            limit = ENDLESS if self.mirror.held[i].is_long else 0
            market = self.mirror.market_of[i]
            data = liquidator.data("take", account, market, MOST_SIZE, taker.account, limit)
            self.chain.send(taker.address, "liquidator", data, "take")
        elif (state == LIQUIDATABLE) != (i in self.running) and (
            state == LIQUIDATABLE or is_restored
        ):
            data = liquidator.data("poke", account)
            self.chain.send(self._anyone, "liquidator", data, "poke")

    def _taker(self, i: int) -> bool:
        """Whether a liquidator acts on this account."""
        mine = {each.account for each in self.liquidators.values()}
        return self.mirror.market_of[i] in self.liquidators and self.mirror.ids[i] not in mine

    def _hear(self, event: Happened, moment: Moment) -> None:
        self.mirror.apply(event, self.marks)
        values = event.values
        if event.name == "AuctionStarted":
            self.running[self.mirror.index[values["account"]]] = event.time
        elif event.name == "AuctionEnded":
            self.running.pop(self.mirror.index[values["account"]], None)
        elif event.name == "AccountResolved":
            moment.resolved += 1
            moment.deficit += values["deficit"]
            self.running.pop(self.mirror.index[values["account"]], None)
        elif event.name == "ShortfallCovered":
            self.covered += values["paid"]
        elif event.name == "TakenOver":
            self._note_taking(event, moment)

    def _note_taking(self, event: Happened, moment: Moment) -> None:
        values = event.values
        market, size = values["market"], abs(values["size"])
        i = self.mirror.index[values["account"]]
        mark = self.marks[market]
        if values["taker"] == self.capital[market].ring:
            payment = values["payment"]
            self.vault += size * mark // 10**18
            self.vault_paid += payment
            moment.handed.append(Taking(i, size, mark, payment))
            return
        self.partial += size * mark // 10**18
        discount = size * abs(values["price"] - mark) // 10**18
        moment.takings.append(Taking(i, size, mark, discount + values["fee"]))


# --- internals -----------------------------------------------------------------------------------


def _keeper(chain: Chain, config: Config) -> Keeper:
    count = len(config.oracle.signers)
    signers = [local_account(chain.client, SIGNER + i) for i in range(count)]
    return Keeper(
        chain.client,
        chain["engine"].address,
        signers,
        Sender(chain.client, signers[0]),
        quorum=config.oracle.quorum,
    )


def _accepted(event: Happened) -> Sequence[tuple[int, int]]:
    """Market and price of what a report changed."""
    return [(quote >> 128, (quote & 2**128 - 1) >> 32) for quote in event.values["quotes"] if quote]
