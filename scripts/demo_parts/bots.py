"""The liquidation bot: three accounts with a patience and a purse of their own.

It acts on what anyone can see: E < MM. The first to come takes the least it may at the start of the
auction, the others wait for a better price and take more. What was taken is sold on to the market
makers at once, so the purse comes back. Who sinks below two thirds of the maintenance margin, or
whose auction has run out, is resolved: that takes no money.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from oracle.chain import Reverted
from scripts.demo_parts.contracts import Happened
from scripts.demo_parts.desk import Desk
from scripts.demo_parts.venue import (
    BACKSTOP,
    CROSS,
    ENDLESS,
    LIQUIDATABLE,
    Health,
    Leg,
    Market,
    Person,
    Terms,
    Venue,
)

PPM: Final = 1_000_000
MINED_WITHIN: Final = 12  # [s]
SPARE: Final = 1_100_000  # [ppm] of the least size
TRIES: Final = 4  # halvings of a size that a purse is too small for


@dataclass(frozen=True)
class Style:
    """How one of the bot's accounts works."""

    name: str
    patience: int  # [ppm] of the auction's length that has to pass before it takes
    appetite: int  # [ppm] of what may be taken at most
    purse: int  # [ppm] of the traders' whole long notional


STYLES: Final = (
    Style("quick", patience=0, appetite=100_000, purse=20_000),
    Style("steady", patience=350_000, appetite=500_000, purse=40_000),
    Style("patient", patience=750_000, appetite=1_000_000, purse=60_000),
)


def wanted(style: Style, terms: Terms, duration: int) -> int:
    """How much an account of this style takes now [base wad]; 0 for nothing.

    A little more than the least: until the transaction is mined, the least may grow. Nothing when
    the auction may be over by then.
    """
    is_early = terms.elapsed * PPM < style.patience * duration
    if is_early or terms.elapsed + MINED_WITHIN >= duration:
        return 0
    return max(terms.least * SPARE // PPM, terms.most * style.appetite // PPM)


class Bot:
    """The three accounts together."""

    def __init__(self, venue: Venue, desk: Desk, with_collateral: Collection[int] = ()) -> None:
        self._venue = venue
        self._desk = desk
        self._with_collateral = frozenset(with_collateral)
        self._duration = venue.ask(venue.liquidator, "parameters")[0]
        self.people = {style: venue.person(f"bot-{style.name}") for style in STYLES}
        self._style_of = {person.account: style for style, person in self.people.items()}
        self._busy: set[int] = set()  # own accounts that act in the next block
        self._running: set[int] = set()  # accounts whose clock runs
        self._served: set[tuple[int, int]] = set()  # own account, account taken from
        self._holding: set[Style] = set()  # whose account has something to sell on

    @property
    def accounts(self) -> set[int]:
        """Of the bot itself."""
        return {person.account for person in self.people.values()}

    @property
    def has_stock(self) -> bool:
        """Whether something taken is still to be sold on."""
        return bool(self._holding)

    def hear(self, event: Happened) -> None:
        """An event of the chain: clocks that run, and what was taken."""
        if event.name == "AuctionStarted":
            self._running.add(event.values["account"])
        elif event.name == "AuctionEnded":
            self._running.discard(event.values["account"])
        elif event.name == "TakenOver":
            style = self._style_of.get(event.values["taker"])
            if style is not None:
                self._holding.add(style)

    def open_accounts(self) -> None:
        """Before the replay."""
        for person in self.people.values():
            self._venue.open_account(person, CROSS)

    def fund(self, notional: int) -> None:
        """Purses, as parts of the traders' notional [USD wad]."""
        for style, person in self.people.items():
            self._venue.deposit(person, notional * style.purse // PPM)

    def begin_round(self) -> None:
        """Each of the bot's accounts takes from another one once a round."""
        self._served.clear()

    def act(self, health: Mapping[int, Health]) -> None:
        """Once over all accounts that are short; transactions wait for the next block.

        Each of the bot's own accounts takes once a block: what it may do next depends on it.
        """
        self._busy.clear()
        for account, now in health.items():
            if account in self.accounts:
                continue
            if now.state >= BACKSTOP:
                self._resolve(account)
            elif now.state == LIQUIDATABLE:
                self._reduce(account)

    def sell_on(self, views: Mapping[str, Market]) -> bool:
        """Pass what was taken to the market makers; whether anything was sent."""
        sent = False
        for style in sorted(self._holding, key=lambda style: style.name):
            legs = self._venue.legs(self.people[style].account)
            if not legs:
                self._holding.discard(style)
            for leg in legs:
                symbol = self._venue.symbols[leg.market]
                sent |= self._desk.take(self.people[style], symbol, -leg.size, views[symbol])
        return sent

    # --- internals -------------------------------------------------------------------------------

    def _free(self) -> list[tuple[Style, Person]]:
        return [(s, p) for s, p in self.people.items() if p.account not in self._busy]

    def _reduce(self, account: int) -> None:
        """Take a part of its largest position, or start its clock; sell its collateral first."""
        legs = self._venue.legs(account)
        for leg in legs:
            terms = self._terms(account, leg.market)
            if terms is None:
                continue
            for style, person in self._free():
                if (person.account, account) in self._served:
                    continue
                if self._take(style, person, account, leg, terms):
                    self._served.add((person.account, account))
                    return
        if not self._sell_collateral(account) and account not in self._running:
            self._send("poke", account)

    def _terms(self, account: int, market: int) -> Terms | None:
        try:
            return Terms(*self._venue.ask(self._venue.liquidator, "terms", account, market))
        except Reverted:
            return None

    def _take(self, style: Style, person: Person, account: int, leg: Leg, terms: Terms) -> bool:
        """What it wants, or as much of it as its purse allows."""
        size = wanted(style, terms, self._duration)
        limit = ENDLESS if leg.size > 0 else 0
        for _ in range(TRIES):
            if not size or size < terms.least:
                return False
            args = (account, leg.market, size, person.account, limit)
            if self._send("take", *args, by=person):
                return True
            size //= 2
        return False

    def _sell_collateral(self, account: int) -> bool:
        """Buy what it has as collateral, if it is one of those that have any."""
        if account not in self._with_collateral:
            return False
        for _, person in reversed(self._free()):
            args = (account, 0, ENDLESS >> 1, person.account, ENDLESS)
            if self._send("take_collateral", *args, by=person):
                return True
        return False

    def _resolve(self, account: int) -> None:
        if not self._send("resolve", account):
            self._sell_collateral(account)

    def _send(self, function: str, *args: int, by: Person | None = None) -> bool:
        """If the chain would allow it now."""
        venue = self._venue
        sender = venue.bank if by is None else by.sender
        if not venue.node.is_allowed(sender, venue.liquidator, function, *args):
            return False
        if by is not None:
            self._busy.add(by.account)
        data = venue.liquidator.data(function, *args)
        venue.node.send(sender, venue.liquidator.address, data, function.replace("_", " "))
        return True


def short_accounts(health: Mapping[int, Health], own: Collection[int]) -> list[int]:
    """Those the bot may act on."""
    return [a for a, now in health.items() if now.state >= LIQUIDATABLE and a not in own]
