"""Positions and sides of one market as the ledger keeps them (contracts/modules/positions.vy).

``net`` of a market is what it realised into cash, less the sum of z, plus what ended epochs owe:
with both sides' Q·X it is minus the market's dust (invariant 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from oracle.engine import sides
from oracle.engine.rounding import mul_div_floor, wad_mul_floor
from oracle.engine.sides import A_MIN, FLAT, MIN_SIDE, Position, Side
from oracle.engine.units import RAY, Size, Usd, require

MAX_SCALED: Final = 2**111
MAX_Z: Final = 2**119
MAX_CREDIT: Final = 2**135
MAX_EPOCH: Final = 32_767


@dataclass(frozen=True, slots=True)
class Market:
    """Both sides of a market, and its books."""

    long: Side
    short: Side
    net: int = 0  # [USD wad]
    fees: int = 0  # [USD wad] collected

    def side(self, *, is_long: bool) -> Side:
        """One side."""
        return self.long if is_long else self.short

    def with_side(self, side: Side, *, is_long: bool) -> Market:
        """The market with one side replaced."""
        return replace(self, long=side) if is_long else replace(self, short=side)

    def booked(self, net: int, fees: int) -> Market:
        """Adds to net and fees."""
        return replace(self, net=self.net + net, fees=self.fees + fees)


NEW_MARKET: Final = Market(long=sides.fresh_side(0), short=sides.fresh_side(0))
Finals = Mapping[tuple[bool, int], int]  # (is_long, epoch) -> K at its end


@dataclass(frozen=True, slots=True)
class Held:
    """A position as it stands."""

    position: Position
    size: Size  # [base wad] effective, signed
    base: Usd  # what it is worth besides size·g; all of it if ended
    is_ended: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What one account's position became."""

    market: Market
    position: Position
    before: int  # [base wad] effective size before
    base_before: int
    after: int  # [base wad] effective size
    realised: int  # [USD wad] to the account's cash
    net: int  # [USD wad] to the market's net


def held(position: Position, market: Market, finals: Finals) -> Held:
    """Effective size and base of a position."""
    if position.scaled == 0:
        return Held(position, Size(0), Usd(0), is_ended=False)
    side = market.side(is_long=position.is_long)
    if position.epoch != side.epoch:
        value = sides.ended_value(position, finals[position.is_long, position.epoch])
        return Held(position, Size(0), value, is_ended=True)
    size = sides.size_of(position.scaled, side.scale)
    return Held(position, size, sides.base_of(position, side), is_ended=False)


def change(
    position: Position, market: Market, finals: Finals, delta: int, g: int, spare: int = 0
) -> Change:
    """Close against, open with, or flip by ``delta`` [base wad, signed] at g.

    A position of an ended epoch, or too small to have an effective size, is paid out first. The
    market's net is not booked yet, and the market not settled (`settle_if_spent`). ``spare``: bits
    that totals and z may be larger than a trade makes them.
    """
    was = held(position, market, finals)
    paid_out = was.base if was.is_ended else 0
    current = FLAT if was.is_ended else position
    z_before, realised, left = current.z, 0, delta
    if current.scaled != 0 and (was.size == 0 or (was.size > 0) != (delta > 0)):
        closed = min(abs(delta), abs(was.size))
        market, current, realised = _close(market, current, closed, g)
        left += closed if was.size > 0 else -closed
    if left != 0:
        market, current = _open(market, current, left, g, spare)
    return Change(
        market=market,
        position=current,
        before=was.size,
        base_before=was.base,
        after=held(current, market, finals).size,
        realised=realised + paid_out,
        net=realised - (current.z - z_before),
    )


def close_out(position: Position, market: Market, finals: Finals, g: int) -> Change:
    """All of a position at g, also one too small to have a size, or of an ended epoch."""
    was = held(position, market, finals)
    realised, net = int(was.base), 0
    if position.scaled != 0 and not was.is_ended:
        market, _, realised = _close(market, position, abs(was.size), g)
        net = realised + position.z
    return Change(
        market=market,
        position=FLAT,
        before=was.size,
        base_before=was.base,
        after=0,
        realised=realised,
        net=net,
    )


def value_of(leg: Change, g: int) -> Usd:
    """What a closed leg was worth at g [USD wad]."""
    return Usd(wad_mul_floor(leg.before, g) + leg.base_before)


def cut(
    market: Market, size: int, charge: int, g: int, *, is_long: bool
) -> tuple[Market, dict[tuple[bool, int], int]]:
    """Legs of ``size`` were closed at g: cut and charge the side opposite to them, in one write.

    The market settles where too little is left of either. The charge moves to ``net``: it pays for
    cash that was forgiven. Returns the market and the finals of epochs that ended.
    """
    side = market.side(is_long=is_long)
    if side.total == 0:
        return settle(market, g)
    side = (sides.cut_longs if is_long else sides.cut_shorts)(side, size, charge, g)
    market = market.with_side(side, is_long=is_long).booked(charge, 0)
    return settle(market, g) if side.scale < A_MIN else settle_if_spent(market, g)


def settle_if_spent(market: Market, g: int) -> tuple[Market, dict[tuple[bool, int], int]]:
    """A cut market of which too little is left on either side settles.

    Its last pair could not close, since the shorts hold a few wei more.
    """
    is_cut = market.long.cut or market.short.cut
    return settle(market, g) if is_cut and is_spent(market) else (market, {})


def settle(market: Market, g: int) -> tuple[Market, dict[tuple[bool, int], int]]:
    """End both epochs at g; what they owe moves to ``net``."""
    finals, owed = {}, 0
    for is_long in (True, False):
        side = market.side(is_long=is_long)
        require(side.epoch < MAX_EPOCH, "epochs")
        final = sides.settled_credit(side, g, is_long=is_long)
        finals[is_long, side.epoch] = int(final)
        owed += mul_div_floor(side.total, final, RAY)
    fresh = Market(
        long=sides.fresh_side(market.long.epoch + 1),
        short=sides.fresh_side(market.short.epoch + 1),
        net=market.net + owed,
        fees=market.fees,
    )
    return fresh, finals


def open_interest(market: Market) -> Size:
    """[base wad] the shorts, never smaller than the longs (invariant 3)."""
    return sides.effective_total(market.short, is_long=False)


def is_spent(market: Market) -> bool:
    """Whether too little is left of a side to go on."""
    longs = sides.effective_total(market.long, is_long=True)
    return min(longs, open_interest(market)) < MIN_SIDE


def _close(market: Market, position: Position, size: int, g: int) -> tuple[Market, Position, int]:
    is_long = position.is_long
    side, left, realised = sides.close_leg(market.side(is_long=is_long), position, size, g)
    return market.with_side(side, is_long=is_long), left, realised


def _open(
    market: Market, position: Position, delta: int, g: int, spare: int
) -> tuple[Market, Position]:
    """Ranges are checked on opens only, so that closing never reverts."""
    is_long = delta > 0
    side = market.side(is_long=is_long)
    require(abs(side.credit) < MAX_CREDIT, "too large")
    side, opened = sides.open_leg(side, position, abs(delta), g, is_long=is_long)
    fits = side.total < MAX_SCALED << spare and abs(opened.scaled) < MAX_SCALED
    require(fits and abs(opened.z) < MAX_Z << spare, "too large")
    return market.with_side(side, is_long=is_long), opened
