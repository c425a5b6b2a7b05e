"""Signed orders: market makers quote, others take; a broker submits what two have signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from itertools import count
from typing import Any, Final

from oracle.chain import Sender
from oracle.signing import Order, Signature, sign
from scripts.demo_parts.contracts import Contract
from scripts.demo_parts.venue import AFTERMATH, UNKNOWN, WAD, Market, Person, Venue

SPREAD: Final = 500  # [ppm] a market maker's distance from the mark
SLACK: Final = 10_000  # [ppm] the worst price others accept
MAX_FEE: Final = 1_000  # [ppm]
VALID_FOR: Final = 3_600  # [s]
PPM: Final = 1_000_000
SIZE_UNIT: Final = 10**14  # sizes are multiples of a ten-thousandth


class Desk:
    """Trades between the people and the market makers."""

    def __init__(self, venue: Venue, makers: Sequence[Person]) -> None:
        self._venue = venue
        self._makers = list(makers)
        self._salts = count(1)

    def take(self, person: Person, symbol: str, size: int, view: Market) -> bool:
        """The person takes a market maker's quote by its own transaction; `size` is signed."""
        for maker in self._by_inventory(symbol, size):
            order, signature = self._quote(maker, symbol, -size, view)
            args = (
                astuple(order),
                signature.packed,
                abs(size),
                person.account,
                (_worse(view.price, size, SLACK), MAX_FEE),
            )
            if self._submit(person.sender, "fill_within", args, "fill"):
                return True
        return False

    def cross(
        self, person: Person, symbol: str, size: int, view: Market, *, reduce_only: bool = False
    ) -> bool:
        """The person signs an order as well; anyone brings the pair."""
        for maker in self._by_inventory(symbol, size):
            order, signature = self._quote(maker, symbol, -size, view)
            limit = _worse(view.price, size, SLACK)
            own = self._order(person, symbol, size, limit, reduce_only=reduce_only)
            own_signature = sign(own, self._venue.domain, person.key)
            args = (
                astuple(order),
                astuple(own),
                signature.packed,
                own_signature.packed,
                abs(size),
            )
            if self._submit(self._venue.bank, "match", args, "match"):
                return True
        return False

    def work_off(self, manager: Sender, symbol: str, size: int, view: Market) -> bool:
        """The vault's manager sells (buys, where `size` is negative) a ring's position to a maker.

        At most half a per cent from the mark, and within a daily loss: the vault's own limits.
        """
        for maker in self._by_inventory(symbol, -size):
            order, signature = self._quote(maker, symbol, size, view)
            args = (astuple(order), signature.packed, abs(size))
            if self._send(manager, self._venue.vault, "reduce", args, "reduce ring"):
                return True
        return False

    # --- internals -------------------------------------------------------------------------------

    def _quote(
        self, maker: Person, symbol: str, size: int, view: Market
    ) -> tuple[Order, Signature]:
        """A market maker buys below the mark and sells above it; at it while the market settles."""
        spread = 0 if view.state & (UNKNOWN | AFTERMATH) else SPREAD
        order = self._order(maker, symbol, size, _worse(view.price, size, -spread))
        return order, sign(order, self._venue.domain, maker.key)

    def _order(
        self, person: Person, symbol: str, size: int, limit: int, *, reduce_only: bool = False
    ) -> Order:
        return Order(
            account=person.account,
            market=self._venue.markets[symbol],
            size=size,
            limit_price=limit,
            max_fee=MAX_FEE,
            expiry=self._venue.node.time + VALID_FOR,
            salt=next(self._salts),
            reduce_only=reduce_only,
        )

    def _submit(self, sender: Sender, function: str, args: tuple[Any, ...], kind: str) -> bool:
        return self._send(sender, self._venue.gateway, function, args, kind)

    def _send(
        self, sender: Sender, contract: Contract, function: str, args: tuple[Any, ...], kind: str
    ) -> bool:
        """If the chain would allow it now."""
        node = self._venue.node
        if not node.is_allowed(sender, contract, function, *args):
            return False
        node.send(sender, contract.address, contract.data(function, *args), kind)
        return True

    def _by_inventory(self, symbol: str, size: int) -> list[Person]:
        """Those first whom the trade relieves most: who sells to a buyer is who holds most."""
        market = self._venue.markets[symbol]
        lens = self._venue.lens
        calls = [lens.ask("position", maker.account, market) for maker in self._makers]
        sizes = [position[3] for position in self._venue.client.call_many(calls)]
        held = sorted(
            zip(self._makers, sizes, strict=True), key=lambda pair: pair[1], reverse=size > 0
        )
        return [maker for maker, _ in held]


def size_of(notional: int, price: int) -> int:
    """[base wad] from USD wad, rounded down to `SIZE_UNIT`."""
    return notional * WAD // price // SIZE_UNIT * SIZE_UNIT


def _worse(mark: int, size: int, share: int) -> int:
    """A price `share` ppm worse than the mark for who trades `size`; better if negative."""
    return mark * (PPM + share if size > 0 else PPM - share) // PPM
