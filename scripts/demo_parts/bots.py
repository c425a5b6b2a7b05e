"""The liquidation bot: three accounts with a patience and a purse of their own.

It acts on what anyone can see: E < MM. The first to come takes the least it may at the start of the
auction, the others wait for a better price and take more. What was taken is sold on to the market
makers at once, so the purse comes back. Who sinks below two thirds of the maintenance margin, or
whose auction has run out, is resolved: that takes no money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
TRIES: Final = 4  # halvings of a size that a purse is too small for


@dataclass(frozen=True)
class Style:
    """How one of the bot's accounts works."""

    name: str
    patience: int  # [ppm] of the auction's length that has to pass before it takes
    appetite: int  # [ppm] of what may be taken at most
    purse: int  # [ppm] of the traders' whole long notional


STYLES: Final = (
    Style("quick", patience=0, appetite=150_000, purse=20_000),
    Style("steady", patience=350_000, appetite=500_000, purse=40_000),
    Style("patient", patience=750_000, appetite=1_000_000, purse=60_000),
)


def wanted(style: Style, terms: Terms, duration: int) -> int:
    """How much an account of this style takes now [base wad]; 0 for nothing."""
    if terms.elapsed * PPM < style.patience * duration:
        return 0
    return max(terms.least, terms.most * style.appetite // PPM)


class Bot:
    """The three accounts together."""

    def __init__(self, venue: Venue, desk: Desk) -> None:
        self._venue = venue
        self._desk = desk
        self._duration = venue.ask(venue.liquidator, "parameters")[0]
        self.people = {style: venue.person(f"bot-{style.name}") for style in STYLES}
        self._style_of = {person.account: style for style, person in self.people.items()}
        self._stock: dict[tuple[Style, int], int] = {}  # by market: signed size to be sold on

    @property
    def accounts(self) -> set[int]:
        """Of the bot itself."""
        return {person.account for person in self.people.values()}

    @property
    def has_stock(self) -> bool:
        """Whether something taken is still to be sold on."""
        return any(self._stock.values())

    def hear(self, event: Happened) -> None:
        """An event of the chain: what was taken goes into stock."""
        if event.name == "PositionTaken":
            style = self._style_of.get(event.values["taker"])
            if style is not None:
                key = style, event.values["market"]
                self._stock[key] = self._stock.get(key, 0) + event.values["size"]

    def open_accounts(self) -> None:
        """Before the replay."""
        for person in self.people.values():
            self._venue.open_account(person, CROSS)

    def fund(self, notional: int) -> None:
        """Purses, as parts of the traders' notional [USD wad]."""
        for style, person in self.people.items():
            self._venue.deposit(person, notional * style.purse // PPM)

    def act(self, health: Mapping[int, Health]) -> None:
        """One round over all accounts that are short; transactions wait for the next block."""
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
        for (style, market), size in list(self._stock.items()):
            symbol = self._venue.symbols[market]
            if size and self._desk.take(self.people[style], symbol, -size, views[symbol]):
                del self._stock[style, market]
                sent = True
        return sent

    # --- internals -------------------------------------------------------------------------------

    def _reduce(self, account: int) -> None:
        """Take a part of its largest position, or start its clock; sell its collateral first."""
        legs = self._venue.legs(account)
        for leg in legs:
            terms = self._terms(account, leg.market)
            if terms is None:
                continue
            for style, person in self.people.items():
                if self._take(style, person, account, leg, terms):
                    return
        self._sell_collateral(account)
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

    def _sell_collateral(self, account: int) -> None:
        for person in reversed(list(self.people.values())):
            args = (account, 0, ENDLESS >> 1, person.account, ENDLESS)
            if self._send("take_collateral", *args, by=person):
                return

    def _resolve(self, account: int) -> None:
        if not self._send("resolve", account):
            self._sell_collateral(account)

    def _send(self, function: str, *args: int, by: Person | None = None) -> bool:
        """If the chain would allow it now."""
        venue = self._venue
        sender = venue.bank if by is None else by.sender
        if not venue.node.is_allowed(sender, venue.liquidator, function, *args):
            return False
        data = venue.liquidator.data(function, *args)
        venue.node.send(sender, venue.liquidator.address, data, function.replace("_", " "))
        return True


def short_accounts(health: Mapping[int, Health], own: Sequence[int] | set[int]) -> list[int]:
    """Those the bot may act on."""
    return [a for a, now in health.items() if now.state >= LIQUIDATABLE and a not in own]
