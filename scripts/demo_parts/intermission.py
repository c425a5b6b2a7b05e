"""Between the acts: whoever can closes and takes his money home.

What the first act left owed is restored first, from fees, so that all are paid in full. Then the
second act's tokens are few, and what it socialises shows in h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from oracle.chain import Sender
from scripts.demo_parts.desk import Desk
from scripts.demo_parts.venue import UNIT_WAD, Market, Person, Venue

ROUNDS: Final = 3  # of closing: a position of one may wait for the margin of another
BETWEEN: Final = 4  # [s]
NEARLY_ALL: Final = 980_000  # [ppm] of what may be withdrawn
PPM: Final = 1_000_000
INTEREST: Final = 32  # what `sweep` calls the interest


def go_home(
    venue: Venue,
    desk: Desk,
    people: Sequence[Person],
    makers: Sequence[Person],
    manager: Sender,
    views: Mapping[str, Market],
) -> None:
    """Traders and the bot close with the makers, the vault's rings too; then all withdraw.

    Args:
        people: traders and the bot.
        manager: of the vault.
    """
    _restore(venue)
    for _ in range(ROUNDS):
        for symbol, market in venue.markets.items():
            size = venue.ring_size(market)
            if size:
                desk.work_off(manager, symbol, size, views[symbol])
        for person in people:
            for leg in venue.legs(person.account):
                symbol = venue.symbols[leg.market]
                desk.take(person, symbol, -leg.size, views[symbol])
        if not venue.node.has_work:
            break
        _mine(venue)
    for person in [*people, *makers]:
        _withdraw(venue, person)
    _mine(venue)


def fees_in(venue: Venue, market: int) -> int:
    """Not swept yet; 32 for the interest [USD wad]."""
    if market == INTEREST:
        return int(venue.ask(venue.ledger, "interest_collected"))
    return int(venue.ask(venue.ledger, "tally_word", market)) % 2**128


def pots(venue: Venue) -> list[int]:
    """Markets of the first act, and interest, with fees to sweep: the smallest first."""
    fees = {market: fees_in(venue, market) for market in [*venue.markets.values(), INTEREST]}
    return sorted((market for market in fees if fees[market]), key=lambda market: fees[market])


# --- internals ------------------------------------------------------------------------------------


def _restore(venue: Venue) -> None:
    """As many sweeps as it takes."""
    for market in pots(venue):
        if not venue.totals().deficit:
            return
        data = venue.ledger.data("sweep", market)
        venue.node.send(venue.bank, venue.ledger.address, data, "sweep")
        _mine(venue)


def _withdraw(venue: Venue, person: Person) -> None:
    """All that may be; with a position a little less, because its margin moves with a clock."""
    free = venue.ask(venue.lens, "account_summary", person.account)[6]
    if venue.legs(person.account):
        free = free * NEARLY_ALL // PPM
    args = (person.account, free // UNIT_WAD, person.address)
    if free >= UNIT_WAD and venue.node.is_allowed(person.sender, venue.ledger, "withdraw", *args):
        data = venue.ledger.data("withdraw", *args)
        venue.node.send(person.sender, venue.ledger.address, data, "withdraw")


def _mine(venue: Venue) -> None:
    venue.node.mine(venue.node.time + BETWEEN)
