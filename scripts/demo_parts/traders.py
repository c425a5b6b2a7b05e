"""The traders on the chain: they arrive, open what they wished for, and react to what they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from scripts.demo_parts.cast import PPM, Habit, Trader
from scripts.demo_parts.desk import SIZE_UNIT, Desk, size_of
from scripts.demo_parts.venue import (
    CALLED,
    WAD,
    Health,
    Market,
    Person,
    Venue,
)

PATIENCE: Final = 6 * 3_600  # [s] of a trader who is not let in
NEAR: Final = 1_150_000  # [ppm] of maintenance margin: who tops up does so below it
AIM: Final = 1_300_000  # [ppm] and brings equity up to this
PAUSE: Final = 3_600  # [s] between two cuts, or two attempts to open
FEES: Final = 2_000  # [ppm] of notional brought along for fees and spread
HAIRCUT: Final = 1_600_000  # [ppm] of WETH for what cash would have been
DOLLAR: Final = WAD


@dataclass
class Member:
    """A trader and its account."""

    trader: Trader
    person: Person
    wallet: int = 0  # [USD wad] outside
    deposited: int = 0  # [USD wad] all of it, collateral at its price then
    open: list[int] = field(default_factory=list)  # wishes still to be fulfilled, by their index
    has_paid: bool = False
    last_cut: int = 0
    next_try: int = 0  # [s] after the start

    @property
    def account(self) -> int:
        """Its id."""
        return self.person.account


class Crowd:
    """All of them."""

    def __init__(
        self, venue: Venue, desk: Desk, cast: Sequence[Trader], units: Mapping[str, int]
    ) -> None:
        """
        Args:
            units: [USD] first bracket's bound by symbol, which sizes are counted in.
        """
        self._venue = venue
        self._desk = desk
        self._units = units
        self.members = [Member(t, venue.person(t.name)) for t in cast]
        for member in self.members:
            member.open = list(range(len(member.trader.wishes)))
        self.turned_away = 0

    def open_accounts(self) -> None:
        """Before the replay."""
        for member in self.members:
            self._venue.open_account(member.person, member.trader.mode)

    def arrive(self, elapsed: int, views: Mapping[str, Market]) -> bool:
        """Deposits of those who have just come; whether anything was sent."""
        sent = False
        for member in self.members:
            if not member.has_paid and member.trader.arrives <= elapsed:
                self._pay_in(member, views)
                sent = True
        return sent

    def trade(self, elapsed: int, views: Mapping[str, Market]) -> None:
        """Those who came open what they wished for, or give up after a while."""
        for member in self.members:
            if member.has_paid and member.open and elapsed >= member.next_try:
                if not self._open(member, views):
                    member.next_try = elapsed + PAUSE
                if member.open and elapsed - member.trader.arrives > PATIENCE:
                    self.turned_away += len(member.open)
                    member.open = []

    def react(self, time: int, views: Mapping[str, Market], health: Mapping[int, Health]) -> None:
        """Top up or cut, by habit."""
        for member in self.members:
            now = health[member.account]
            if member.trader.habit is Habit.TOPS_UP:
                self._top_up(member, now)
            elif member.trader.habit is Habit.CUTS:
                self._cut(member, time, views, now)

    # --- internals -------------------------------------------------------------------------------

    def _sizes(self, trader: Trader, views: Mapping[str, Market]) -> list[tuple[str, int]]:
        """Symbol and signed size of each wish at today's price."""
        sizes = []
        for wish in trader.wishes:
            notional = int(wish.size * self._units[wish.symbol]) * DOLLAR
            size = max(size_of(notional, views[wish.symbol].price), 100 * SIZE_UNIT)
            sizes.append((wish.symbol, wish.side * size))
        return sizes

    def _pay_in(self, member: Member, views: Mapping[str, Market]) -> None:
        trader, needed = member.trader, 0
        for symbol, size in self._sizes(trader, views):
            margin = self._venue.initial_margin(symbol, size)
            notional = abs(size) * views[symbol].price // WAD
            needed += margin * trader.cushion // PPM + notional * FEES // PPM
        member.has_paid, member.deposited = True, needed
        member.wallet = needed * trader.wallet // PPM
        if trader.with_collateral:
            price = views["ETH"].price
            tokens = needed // 2 * HAIRCUT // PPM * WAD // price
            self._venue.deposit_collateral(member.person, tokens)
            needed -= needed // 2
        self._venue.deposit(member.person, needed)

    def _open(self, member: Member, views: Mapping[str, Market]) -> bool:
        """False where the chain refused."""
        sizes = self._sizes(member.trader, views)
        by_hand = member.trader.number % 2 == 0
        for wish in list(member.open):
            symbol, size = sizes[wish]
            if views[symbol].state:  # reduce-only, settling, too old: they see that and wait
                continue
            trade = self._desk.take if by_hand else self._desk.cross
            if not trade(member.person, symbol, size, views[symbol]):
                return False
            member.open.remove(wish)
        return True

    def _top_up(self, member: Member, now: Health) -> None:
        if 0 <= now.equity < now.mm * NEAR // PPM and member.wallet >= DOLLAR:
            amount = min(now.mm * AIM // PPM - now.equity, member.wallet)
            member.wallet -= amount
            member.deposited += amount
            self._venue.deposit(member.person, amount)

    def _cut(self, member: Member, time: int, views: Mapping[str, Market], now: Health) -> None:
        """Half of the largest leg, while called or worse; tried once an hour."""
        if now.state < CALLED or time < member.last_cut + PAUSE or now.equity < 0:
            return
        legs = self._venue.legs(member.account)
        if not legs:
            return
        leg = legs[0]
        symbol = self._venue.symbols[leg.market]
        half = abs(leg.size) // 2 // SIZE_UNIT * SIZE_UNIT
        size = -half if leg.size > 0 else half
        if half:
            self._desk.cross(member.person, symbol, size, views[symbol], reduce_only=True)
            member.last_cut = time
